import type { Figure } from "../shared/numbers.ts";
import { nameOf } from "../shared/visible.ts";
import { Folds } from "./folds.ts";
import type { Lines, Metric, RunData, TreeData } from "./payload.ts";
import { rankRuns } from "./ranks.ts";
import { Run, sum, type OperatorSum } from "./run.ts";

/**
 * A row of the tree as it is shown: a module, or all the equal modules that it stands for.
 *
 * Nodes are made when they are first looked at, and are the same objects as long as no fold opens or closes.
 */
export interface Node {
  /** The rows that it stands for: several where it or a node above it is folded. */
  rows: readonly number[];
  /** How many siblings it folds; 1 if it is not folded itself. */
  times: number;
  /** Its name below the node above: "conv1", "0–31", "layers.0–31". */
  label: string;
  /** True if the label is all of the module's name, because the name of the node above is no part of it. */
  whole: boolean;
  above: Node | null;
  depth: number;
}

/** All that was done in a run, which other runs may have the lines of. */
const linesOf = ({ done }: RunData, runs: readonly RunData[]): Lines => {
  if (!("runs" in done)) return done;
  const parts = done.runs.map((place) => linesOf(runs[place]!, runs));
  return {
    row: parts.flatMap(({ row }) => row),
    line: parts.flatMap(({ line }) => line),
    operator: parts.flatMap(({ operator }) => operator ?? []),
  };
};

/** The modules of a page and its runs. */
export class Tree {
  readonly size: number;
  readonly top: Node;
  readonly runs: Run[];
  /** Those of them that are ranks of a job. */
  readonly ranks: Run[];
  readonly metrics: Metric[];
  private readonly parent: Int32Array;
  private readonly children: number[][];
  private readonly names: string[];
  private readonly flags: Record<"whole" | "uncalled" | "estimate" | "gap" | "container", Set<number>>;
  private readonly folds: Folds;
  private below = new Map<Node, Node[]>();
  private readonly byName = new Map<string, number>();

  constructor(readonly data: TreeData) {
    const { rows } = data;
    this.metrics = data.metrics;
    this.size = rows.name.length;
    this.parent = Int32Array.from(rows.parent);
    this.children = rows.name.map(() => []);
    const tops: number[] = [];
    rows.parent.forEach((above, row) => (above < 0 ? tops : this.children[above]!).push(row));
    const flag = (list: number[]): Set<number> => new Set(list);
    this.flags = {
      whole: flag(rows.whole),
      uncalled: flag(rows.uncalled),
      estimate: flag(rows.estimate),
      gap: flag(rows.gap),
      container: flag(rows.container),
    };
    this.folds = new Folds(rows.folds, this.size);
    this.names = new Array<string>(this.size);
    for (let row = 0; row < this.size; row += 1) {
      const above = this.parent[row]! < 0 ? "" : this.names[this.parent[row]!]!;
      this.names[row] = above === "" || this.flags.whole.has(row) ? rows.name[row]! : `${above}.${rows.name[row]!}`;
      if (!this.byName.has(this.names[row]!)) this.byName.set(this.names[row]!, row);
    }
    // Several roots stand below a node of their own, which is the whole block.
    this.top = {
      rows: tops,
      times: 1,
      label: tops.length === 1 ? rows.name[tops[0]!]! : "Everything",
      whole: true,
      above: null,
      depth: 0,
    };
    this.several = tops.length !== 1;
    const source = {
      parent: this.parent,
      figures: data.figures,
      ofModules: new Set(data.metrics.filter(({ additive }) => !additive).map(({ key }) => key)),
      operators: data.operators,
    };
    this.runs = [];
    for (const run of data.runs)
      this.runs.push(new Run(source, run, linesOf(run, data.runs), run.base === null ? null : this.runs[run.base]!));
    this.ranks = data.ranks ? rankRuns(data.ranks, source) : [];
    this.runs.push(...this.ranks);
  }
  private readonly several: boolean;

  metric(key: string): Metric {
    return this.metrics.find((metric) => metric.key === key)!;
  }

  /** True for the node above several roots, which stands for no module. */
  isBlock(node: Node): boolean {
    return this.several && node === this.top;
  }

  // What a node is called.

  /** The full name of one row, "" for a root without a name. */
  nameOf(row: number): string {
    return this.names[row]!;
  }

  /** Its full name with the ranges of folded nodes: "model.layers.0–31.mlp". */
  path(node: Node): string {
    if (this.isBlock(node)) return "Everything";
    const labels: string[] = [];
    let at: Node | null = node;
    while (at && at.rows.length > 1 && !this.isBlock(at)) {
      labels.unshift(at.label);
      at = at.whole ? null : at.above;
    }
    const start = at && !this.isBlock(at) ? this.names[at.rows[0]!]! : "";
    return [start, ...labels].filter(Boolean).join(".") || "(root)";
  }

  /** What a link calls it: "" for the top. `find` finds it again. */
  address(node: Node): string {
    if (node === this.top) return "";
    return node.rows.length === 1 && !this.isBlock(node) ? this.names[node.rows[0]!]! : this.path(node);
  }

  /** Its name below the node above, and how many siblings it folds: "layers.0–31 ×32". */
  title(node: Node): string {
    const label = nameOf(node.label);
    return node.times > 1 ? `${label} ×${node.times.toLocaleString("en-US")}` : label;
  }

  type(node: Node): string {
    return this.isBlock(node) ? "" : this.data.rows.types[this.data.rows.type[node.rows[0]!]!]!;
  }

  extra(node: Node): string {
    return this.isBlock(node) ? "" : this.data.rows.extras[this.data.rows.extra[node.rows[0]!]!]!;
  }

  role(node: Node): string {
    return this.isBlock(node) ? "other" : this.data.rows.roles[this.data.rows.role[node.rows[0]!]!]!;
  }

  aliases(node: Node): string[] {
    return this.isBlock(node) || node.rows.length > 1 ? [] : (this.data.rows.aliases[node.rows[0]!] ?? []);
  }

  has(node: Node, flag: "uncalled" | "estimate" | "gap" | "container"): boolean {
    return node.rows.some((row) => this.flags[flag].has(row));
  }

  // What a node did.

  total(node: Node, metric: string, run: Run): Figure {
    return sum(run.total(metric), node.rows);
  }

  own(node: Node, metric: string, run: Run): Figure {
    return this.isBlock(node) ? 0 : sum(run.own(metric), node.rows);
  }

  calls(node: Node, run: Run): Figure {
    return this.isBlock(node) ? 0 : sum(run.own("calls"), node.rows);
  }

  /** What operators did in the node and all below it. */
  operators(node: Node, run: Run): OperatorSum[] {
    return run.operators(this.rowsBelow(node));
  }

  /** What operators did in the node itself. */
  ownOperators(node: Node, run: Run): OperatorSum[] {
    return this.isBlock(node) ? [] : run.operators(node.rows);
  }

  // Who stands where.

  /** The nodes right below a node, in the model's order. */
  under(node: Node): Node[] {
    let found = this.below.get(node);
    if (!found) {
      found = this.makeUnder(node);
      this.below.set(node, found);
    }
    return found;
  }

  /** The node and all nodes below it, in the model's order. */
  all(node: Node): Node[] {
    // The tables ask for the same node again and again.
    if (this.listed?.node === node) return this.listed.all;
    const found: Node[] = [];
    const stack = [node];
    while (stack.length) {
      const at = stack.pop()!;
      if (!this.isBlock(at)) found.push(at);
      const under = this.under(at);
      for (let i = under.length - 1; i >= 0; i -= 1) stack.push(under[i]!);
    }
    this.listed = { node, all: found };
    return found;
  }
  private listed: { node: Node; all: Node[] } | null = null;

  /** From the top down to the node. */
  trail(node: Node): Node[] {
    const found: Node[] = [];
    for (let at: Node | null = node; at; at = at.above) found.push(at);
    return found.reverse();
  }

  /**
   * The way to a node, as a chart draws it: without the block where only one root has any of the figure.
   *
   * What ran outside of all modules is a root as well. Where it has nothing of the figure, the block would be a second
   * row that says what the row of the model says.
   *
   * @param size the figure of a node; two charts that stand beside each other give that of both together.
   */
  drawnTrail(node: Node, size: (node: Node) => number): Node[] {
    const trail = this.trail(node);
    if (!this.isBlock(trail[0]!)) return trail;
    const roots = this.under(this.top).filter((root) => size(root) > 0);
    if (roots.length !== 1) return trail;
    return node === this.top ? roots : trail.slice(1);
  }

  /** Every row in the branch of a node. */
  rowsBelow(node: Node): number[] {
    const found: number[] = [];
    const stack = [...node.rows];
    while (stack.length) {
      const row = stack.pop()!;
      found.push(row);
      for (const child of this.children[row]!) stack.push(child);
    }
    return found;
  }

  // Folds.

  get folded(): boolean {
    return this.folds.folded;
  }

  /** Fold equal siblings or not, but for the folds of which these are the first rows. */
  setFolds(folded: boolean, opened: readonly number[] = []): void {
    this.folds.restore(folded, opened);
    this.forget();
  }

  openedRows(): number[] {
    return this.folds.openedRows();
  }

  /** True if the node is one of those that an opened fold shows one by one. */
  isOpened(node: Node): boolean {
    return node.times === 1 && !this.isBlock(node) && this.folds.isOpened(node.rows[0]!);
  }

  /** Show the modules of a fold one by one. */
  open(node: Node): void {
    for (let i = 0; i < node.rows.length; i += node.times) this.folds.open(node.rows[i]!);
    this.forget();
  }

  /** Fold again what was opened around a node; false if nothing was. */
  close(node: Node): boolean {
    for (let at: Node | null = node; at; at = at.above) {
      if (this.isBlock(at) || !this.folds.close(at.rows[0]!)) continue;
      this.forget();
      return true;
    }
    return false;
  }

  /**
   * The node of a module's name, or of a folded path. A fold that the name is a later part of is opened.
   *
   * null: nothing is called so.
   */
  find(name: string): Node | null {
    if (name === "Everything" && this.several) return this.top;
    const row = this.byName.get(name);
    return row === undefined ? this.findPath(name) : this.nodeOf(row);
  }

  /** The node of one row, with the folds opened that it stands in. */
  nodeOf(row: number): Node {
    const chain = this.chain(row);
    let node = this.top;
    for (;;) {
      if (!this.isBlock(node) && node.rows.includes(row)) {
        if (node.rows.length === 1) return node;
        return this.openTowards(node, row);
      }
      const next: Node | undefined = this.under(node).find((one) => one.rows.some((at) => chain.has(at)));
      // A container may stand under one name with the fold below it.
      if (!next) return this.under(node).find((one) => this.parent[one.rows[0]!] === row) ?? node;
      node = next;
    }
  }

  /** The node that a row is part of as the tree is now, without opening anything. */
  shownNode(row: number): Node {
    const chain = this.chain(row);
    let node = this.top;
    for (;;) {
      if (!this.isBlock(node) && node.rows.includes(row)) return node;
      const next: Node | undefined = this.under(node).find((one) => one.rows.some((at) => chain.has(at)));
      if (!next) return node;
      node = next;
    }
  }

  /** The row and all rows above it. */
  private chain(row: number): Set<number> {
    const chain = new Set<number>();
    for (let at = row; at >= 0; at = this.parent[at]!) chain.add(at);
    return chain;
  }

  /** Nodes are made anew, because folds opened or closed. */
  private forget(): void {
    this.below = new Map();
    this.listed = null;
  }

  private openTowards(node: Node, row: number): Node {
    const folded = this.trail(node).find((one) => one.times > 1);
    if (!folded) return node;
    this.open(folded);
    return this.nodeOf(row);
  }

  private findPath(path: string): Node | null {
    const stack = [this.top];
    while (stack.length) {
      const node = stack.pop()!;
      const own = this.path(node);
      if (own === path) return node;
      const leads = this.isBlock(node) || own === "(root)" || path.startsWith(`${own}.`);
      if (leads) stack.push(...this.under(node));
    }
    return null;
  }

  private makeUnder(node: Node): Node[] {
    const depth = node.depth + 1;
    if (this.isBlock(node))
      return node.rows.map((row) => ({
        rows: [row],
        times: 1,
        label: this.data.rows.name[row]!,
        whole: true,
        above: node,
        depth,
      }));
    const [first] = node.rows;
    const found: Node[] = [];
    const done = new Set<number>();
    this.children[first!]!.forEach((child, place) => {
      const fold = this.folds.at(child);
      if (fold >= 0) {
        if (!done.has(fold)) found.push(this.merged(this.folding(node, fold, depth)));
        done.add(fold);
        return;
      }
      const rows = node.rows.map((row) => this.children[row]![place]!);
      const whole = this.flags.whole.has(child);
      found.push(this.merged({ rows, times: 1, label: this.data.rows.name[child]!, whole, above: node, depth }));
    });
    return found;
  }

  /** All siblings of a fold, below all rows that the node above stands for: equal rows have equal children. */
  private folding(above: Node, fold: number, depth: number): Node {
    const members = this.folds.members(fold);
    let rows = members;
    if (above.rows.length > 1) {
      const siblings = this.children[above.rows[0]!]!;
      const places = members.map((row) => siblings.indexOf(row));
      rows = above.rows.flatMap((row) => places.map((place) => this.children[row]![place]!));
    }
    const whole = this.flags.whole.has(members[0]!);
    return { rows, times: members.length, label: this.folds.label(fold), whole, above, depth };
  }

  /** A container of nothing but one folded row stands under one name with it. */
  private merged(node: Node): Node {
    const row = node.rows[0]!;
    const fold = node.times === 1 && this.folds.isMerged(row) ? this.folds.at(this.children[row]![0]!) : -1;
    if (fold < 0) return node;
    const inner = this.folding(node, fold, node.depth);
    return { ...inner, label: `${node.label}.${inner.label}`, whole: node.whole, above: node.above };
  }
}
