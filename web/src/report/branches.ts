/** Which branches of a tree are open in a table. */
import type { Node, Tree } from "../model/tree.ts";

const OPEN_AT_FIRST = 120; // rows

export class Branches {
  // Nodes are made anew when folds change, so branches are known by the rows that they stand for.
  private readonly opened = new Set<string>();
  private readonly closed = new Set<string>();
  /** What `setAll` was last asked for below the node of `levelsOf`; null before it was. */
  private every: boolean | null = null;
  private levels = 0;
  private levelsOf: Node | null = null;

  constructor(private readonly tree: Tree) {}

  /** True if the rows below a node are in sight, in a table that begins with the node `from`. */
  isOpen(node: Node, from: Node): boolean {
    const key = this.key(node);
    if (this.opened.has(key)) return true;
    if (this.closed.has(key)) return false;
    return node === from || this.tree.isBlock(node) || node.depth - from.depth < this.levels;
  }

  set(node: Node, open: boolean): void {
    (open ? this.opened : this.closed).add(this.key(node));
    (open ? this.closed : this.opened).delete(this.key(node));
  }

  setAll(open: boolean): void {
    this.opened.clear();
    this.closed.clear();
    this.every = open;
    this.levels = open ? Number.MAX_SAFE_INTEGER : 1;
  }

  /** What the reader opened and closed, for a link: "all" or "none", then "+" or "-" and the rows of a branch. */
  get written(): string {
    const all = this.every === null ? "" : this.every ? "all" : "none";
    return [all, ...[...this.opened].map((key) => `+${key}`), ...[...this.closed].map((key) => `-${key}`)].join("");
  }

  /** Open and close what `written` told, in a table that begins with the node `from`. */
  read(text: string, from: Node): void {
    this.opened.clear();
    this.closed.clear();
    this.every = null;
    this.levelsOf = null;
    const all = /^(all|none)/.exec(text)?.[0];
    if (all) {
      this.setAll(all === "all");
      this.levelsOf = from;
    }
    for (const [, sign, key] of text.matchAll(/([+-])(\d+:\d+)/g)) (sign === "+" ? this.opened : this.closed).add(key!);
  }

  /** The nodes in sight, in the model's order. */
  visible(from: Node): Node[] {
    if (this.levelsOf !== from) {
      this.levelsOf = from;
      this.every = null;
      this.levels = this.fitting(from);
    }
    const found: Node[] = [];
    const stack = [from];
    while (stack.length) {
      const node = stack.pop()!;
      if (!this.tree.isBlock(node)) found.push(node);
      if (!this.isOpen(node, from)) continue;
      const under = this.tree.under(node);
      for (let i = under.length - 1; i >= 0; i -= 1) stack.push(under[i]!);
    }
    return found;
  }

  private key(node: Node): string {
    return `${node.rows[0]}:${node.rows.length}`;
  }

  /** Levels that are open at first: as many as a reader can look over, one at least. */
  private fitting(from: Node): number {
    let level = [from];
    let rows = 1;
    for (let levels = 0; ; levels += 1) {
      const next = level.flatMap((node) => this.tree.under(node));
      if (!next.length) return levels + 1;
      rows += next.length;
      if (levels > 0 && rows > OPEN_AT_FIRST) return levels;
      level = next;
    }
  }
}
