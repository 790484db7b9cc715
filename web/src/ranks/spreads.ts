import { spreadOf, type Spread } from "../model/ranks.ts";
import type { Node, Tree } from "../model/tree.ts";

/** Figures of nodes over the ranks, each worked out when it is first asked for. */
export class Spreads {
  // Nodes are made anew when folds change, and those that are gone are forgotten.
  private readonly known = new Map<string, WeakMap<Node, Spread>>();

  constructor(readonly tree: Tree) {}

  of(node: Node, metric: string): Spread {
    let found = this.known.get(metric);
    if (!found) {
      found = new WeakMap();
      this.known.set(metric, found);
    }
    let spread = found.get(node);
    if (!spread) {
      spread = spreadOf(this.tree.ranks.map((run) => this.tree.total(node, metric, run)));
      found.set(node, spread);
    }
    return spread;
  }

  /** False if the page had no room for this figure of single ranks. */
  has(metric: string): boolean {
    return this.tree.ranks[0]!.has(metric);
  }
}
