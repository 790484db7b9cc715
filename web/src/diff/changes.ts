/** What became of modules between the two runs that the page compares. */
import type { Node, Tree } from "../model/tree.ts";
import { difference } from "./figures.ts";
import type { DiffPage } from "./page.ts";
import type { Pair } from "./pairs.ts";

/** What is known of a row in a phase: nothing ran in it, or its figures are as they were, or they are others. */
const [NOTHING, SAME, OTHER] = [0, 1, 2] as const;

/**
 * What became of each module: "added", "removed", "changed", "renamed" or "same".
 *
 * Of the whole blocks the page's data tells it. In a phase, a module changed if its class or its figures of that
 * phase did; what it cost in other phases does not count there.
 */
export class Changes {
  private readonly known = new Map<Pair, Uint8Array>();
  private readonly retyped: Set<number>;

  constructor(
    private readonly tree: Tree,
    private readonly page: DiffPage,
  ) {
    this.retyped = new Set(page.retyped);
  }

  /** What became of a node that stands for modules. Those that it folds are alike. */
  of(node: Node, pair: Pair): string {
    const row = node.rows[0]!;
    const word = this.ofBlocks(row);
    if (!pair.phase || word === "added" || word === "removed" || word === "same") return word;
    if (this.retyped.has(row) || this.has(node, pair, OTHER)) return "changed";
    return this.page.was[String(row)] === undefined ? "same" : "renamed";
  }

  /** True if the node is a part of what is compared: a phase is not about modules in which it did nothing. */
  matters(node: Node, pair: Pair): boolean {
    return !pair.phase || this.has(node, pair, SAME) || this.has(node, pair, OTHER);
  }

  private ofBlocks(row: number): string {
    return this.page.changes[this.page.change[row]!]!;
  }

  private has(node: Node, pair: Pair, wanted: number): boolean {
    const rows = this.look(pair);
    return node.rows.some((row) => rows[row] === wanted);
  }

  /** What is known of each row of a phase. Figures of modules and times are left out, as in the whole blocks. */
  private look(pair: Pair): Uint8Array {
    let found = this.known.get(pair);
    if (!found) {
      found = new Uint8Array(this.tree.size).fill(NOTHING);
      for (const { key } of this.tree.metrics.filter(({ additive, kind }) => additive && kind !== "time")) {
        const [before, after] = [pair.old.total(key), pair.new.total(key)];
        for (let row = 0; row < found.length; row += 1) {
          const [was, is] = [before[row]!, after[row]!];
          if (difference(was, is)) found[row] = OTHER;
          else if (was && found[row] === NOTHING) found[row] = SAME;
        }
      }
      this.known.set(pair, found);
    }
    return found;
  }
}
