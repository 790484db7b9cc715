/** The table of modules: a tree that collapses, or a flat list while it is sorted, searched or filtered. */
import { paintName } from "../model/name.ts";
import type { Node, Tree } from "../model/tree.ts";
import type { Run } from "../model/run.ts";
import type { ReportPage } from "../model/payload.ts";
import { el, options as offer } from "../shared/dom.ts";
import { human, percent, type Figure } from "../shared/numbers.ts";
import { sorted, type Column, type Sort } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import type { Metric } from "../shared/payload.ts";
import { figureColumn, inOrder, isMain, shareColumn } from "../model/figures.ts";

const UNFOLDED_AT_FIRST = 120; // rows

export interface ModulesOptions {
  section: HTMLElement;
  tree: Tree;
  page: ReportPage;
  run: () => Run;
  metric: () => string;
  selected: () => Node;
  digits: HTMLInputElement;
  select: (node: Node) => void;
  open: (node: Node) => void;
  hover: (node: Node | null) => void;
  /** The search, a filter, the order or the columns changed. */
  changed: () => void;
}

const STATUSES = [
  ["", "any status"],
  ["ran", "ran"],
  ["uncalled", "never called"],
  ["gap", "not counted"],
  ["estimate", "estimated"],
] as const;

export class Modules {
  readonly table: Table<Node>;
  readonly type = el("select", { "aria-label": "Type of module" });
  readonly status = el("select", { "aria-label": "Status of module" });
  readonly depth = el("select", { "aria-label": "Depth of module" });
  private readonly expanded = new Set<string>();
  private readonly collapsed = new Set<string>();
  private levels = 0;
  private levelsOf: Node | null = null;
  private counted: readonly [number, number] = [0, 0];
  private readonly usual: string[];
  private readonly lower = new Map<number, string>();

  constructor(private readonly options: ModulesOptions) {
    const { section, tree, digits } = options;
    offerTypes(this.type, tree);
    offer(this.status, STATUSES);
    offerDepths(this.depth, tree);
    for (const select of [this.type, this.status, this.depth]) select.addEventListener("change", () => this.table.arrange());
    const all = (label: string, open: boolean): HTMLElement =>
      el("button", { type: "button", class: "button", onclick: () => this.expandAll(open) }, label);
    const columns = this.columns();
    this.usual = columns.filter(({ hidden }) => !hidden).map(({ key }) => key);
    this.table = new Table<Node>({
      section,
      id: "modules",
      title: "Modules",
      noun: "module",
      columns,
      controls: [all("Expand", true), all("Collapse", false), this.type, this.status, this.depth, el("label", { class: "checkbox" }, digits, "Exact numbers")],
      arrange: (query, sort) => this.arrange(query, sort),
      counted: () => this.counted,
      selected: (node) => node === options.selected(),
      choose: options.select,
      hover: options.hover,
      expand: (node, open) => this.expand(node, open),
      changed: options.changed,
      empty: () => (tree.size ? "No module matches. Clear the search and the filters to see all." : "The block ran no module."),
    });
  }

  /** True if the search and the filters leave only a part of the modules. */
  get filtering(): boolean {
    return Boolean(this.table.search.value.trim() || this.type.value || this.status.value || this.depth.value);
  }

  /** True if the search and the filters leave the node. */
  matches(node: Node, query = this.table.search.value.trim().toLowerCase()): boolean {
    const { tree, run } = this.options;
    if (this.type.value && tree.type(node) !== this.type.value) return false;
    if (this.depth.value && node.depth > Number(this.depth.value)) return false;
    if (this.status.value === "ran" && !node.rows.some((row) => run().touched[row])) return false;
    if (this.status.value && this.status.value !== "ran" && !tree.has(node, this.status.value as "uncalled")) return false;
    if (!query) return true;
    if (tree.type(node).toLowerCase().includes(query) || node.rows.some((row) => this.name(row).includes(query))) return true;
    return node.rows.length > 1 && tree.path(node).toLowerCase().includes(query);
  }

  /** Keys of the columns in sight; null for the usual ones. */
  chosenColumns(): string[] | null {
    const { columns } = this.table;
    const now = columns.map(({ key }) => key);
    return now.join() === this.usual.join() ? null : now;
  }

  /** The rows anew, from the selected node down. */
  refresh(): void {
    this.table.arrange();
  }

  private name(row: number): string {
    let found = this.lower.get(row);
    if (found === undefined) {
      found = (this.options.tree.nameOf(row) || "(root)").toLowerCase();
      this.lower.set(row, found);
    }
    return found;
  }

  /** True while rows stand alone, so that each needs its full name. */
  private get flat(): boolean {
    return this.filtering || this.table.sort !== null;
  }

  private arrange(query: string, sort: Sort | null): Node[] {
    const { tree, selected } = this.options;
    const modules = tree.rowsBelow(selected()).length;
    this.counted = [modules, modules];
    const all = tree.all(selected());
    if (!sort && !this.filtering) return this.table.whole ? all : this.visible();
    const found = this.filtering ? all.filter((node) => this.matches(node, query)) : all;
    if (this.filtering) this.counted = [found.reduce((sum, { rows }) => sum + rows.length, 0), modules];
    return sorted(found, this.table.columns, sort);
  }

  // The tree.

  private key(node: Node): string {
    return `${node.rows[0]}:${node.rows.length}`;
  }

  private isOpen(node: Node): boolean {
    const key = this.key(node);
    if (this.expanded.has(key)) return true;
    if (this.collapsed.has(key)) return false;
    return node.depth - this.options.selected().depth < this.levels;
  }

  private visible(): Node[] {
    const { tree, selected } = this.options;
    const from = selected();
    if (this.levelsOf !== from) {
      this.levelsOf = from;
      this.levels = this.fitting(from);
    }
    const found: Node[] = [];
    const stack = [from];
    while (stack.length) {
      const node = stack.pop()!;
      if (!tree.isBlock(node)) found.push(node);
      if (node !== from && !tree.isBlock(node) && !this.isOpen(node)) continue;
      if (node === from && this.collapsed.has(this.key(node))) continue;
      const under = tree.under(node);
      for (let i = under.length - 1; i >= 0; i -= 1) stack.push(under[i]!);
    }
    return found;
  }

  /** Levels that are open at first: as many as a reader can look over, one at least. */
  private fitting(from: Node): number {
    const { tree } = this.options;
    let level = [from];
    let rows = 1;
    for (let levels = 0; ; levels += 1) {
      const next = level.flatMap((node) => tree.under(node));
      if (!next.length) return levels + 1;
      rows += next.length;
      if (levels > 0 && rows > UNFOLDED_AT_FIRST) return levels;
      level = next;
    }
  }

  private expandAll(open: boolean): void {
    this.expanded.clear();
    this.collapsed.clear();
    this.levels = open ? Number.MAX_SAFE_INTEGER : 1;
    this.table.arrange();
  }

  private expand(node: Node, open: boolean): void {
    if (this.flat || !this.options.tree.under(node).length) return;
    (open ? this.expanded : this.collapsed).add(this.key(node));
    (open ? this.collapsed : this.expanded).delete(this.key(node));
    this.table.arrange();
  }

  // The columns.

  private columns(): Column<Node>[] {
    const { tree, page, run, metric, digits } = this.options;
    const whole = (key: string): Figure => tree.total(tree.top, key, run());
    const figures = {
      value: (node: Node, key: string): Figure => tree.total(node, key, run()),
      digits: () => digits.checked,
      most: whole,
      mark: (node: Node, key: string): string => (key === "flops" && tree.has(node, "estimate") ? "≈ " : ""),
    };
    const equal = Number(whole("flops")) === Number(page.figures.macs ? whole("macs") : -1);
    const usual = ({ key, elementwise }: Metric): boolean => isMain(key) && !(key === "macs" && equal) && !elementwise;
    const metrics = inOrder(tree.metrics).map((one) => ({ ...figureColumn(one, figures), hidden: !usual(one) }));
    const columns: Column<Node>[] = [
      {
        key: "name",
        label: "Module",
        fixed: true,
        value: (node) => tree.path(node),
        text: (node) => tree.path(node),
        tip: (node) => tree.path(node),
        paint: (cell, node) => this.paintName(cell, node),
      },
      shareColumn<Node>({ value: (node) => tree.total(node, metric(), run()), whole: () => whole(metric()), head: () => `of ${tree.metric(metric()).label}` }),
      ...metrics,
      { key: "calls", label: "Calls", num: true, value: (node) => tree.calls(node, run()), text: (node) => (digits.checked ? tree.calls(node, run()).toLocaleString("en-US") : human(tree.calls(node, run()))), room: () => "1,000,000" },
      { key: "type", label: "Type", value: (node) => tree.type(node), text: (node) => tree.type(node), tip: (node) => tree.extra(node), room: () => longest(page.rows.types), paint: (cell, node) => { cell.classList.add("type"); cell.textContent = tree.type(node); } },
      { key: "role", label: "Part", help: "What part it plays, as far as its name tells", hidden: true, value: (node) => tree.role(node), text: (node) => tree.role(node), room: () => "convolution" },
      { key: "depth", label: "Depth", hidden: true, num: true, value: (node) => node.depth, text: (node) => String(node.depth), room: () => "100" },
    ];
    // The type stands beside the name, but only where there is room for it.
    const type = columns.findIndex(({ key }) => key === "type");
    if (innerWidth > 640) columns.splice(1, 0, ...columns.splice(type, 1));
    if (page.samples) {
      const rate = (node: Node): number => Math.max(...node.rows.map((row) => page.samples!.rate[row]!));
      columns.splice(3, 0, { key: "rate", label: "Runs in", help: "Share of the samples in which it ran", num: true, value: rate, text: (node) => (this.isContainer(node) ? "" : percent(rate(node))), room: () => "100.0 %" });
    }
    if (page.figures.bytes) columns.push(ratio("intensity", "FLOP/byte", "FLOPs for each byte that operators read or wrote", (node) => over(tree, node, run(), "flops", "bytes", 1), !page.figures.time_ns));
    if (page.figures.time_ns) columns.push(ratio("rate_flops", "FLOP/s", "FLOPs a second while it ran, with the profiler on", (node) => over(tree, node, run(), "flops", "time_ns", 1e9), false));
    return columns;
  }

  private isContainer(node: Node): boolean {
    return this.options.tree.has(node, "container") && !Number(this.options.tree.calls(node, this.options.run()));
  }

  private paintName(cell: HTMLElement, node: Node): void {
    const { tree, page, selected, select, open } = this.options;
    const shown = node === selected() ? !this.collapsed.has(this.key(node)) : this.isOpen(node);
    const indent = node.depth - selected().depth;
    paintName(cell, node, { tree, flat: this.flat, indent, open: shown, expand: (to) => this.expand(node, to), select: () => select(node), unfold: () => open(node) });
    const { memory } = page;
    if (memory && node.rows.some((row) => tree.nameOf(row) === memory.module)) cell.append(el("span", { class: "badge", title: `The most memory was in use here, at ${memory.operator || "the beginning"}` }, "peak"));
    if (tree.has(node, "gap")) cell.append(el("span", { class: "badge unknown", title: "An operator in it could not be counted" }, "not counted"));
  }
}

const ratio = (key: string, label: string, help: string, value: (node: Node) => number | null, hidden: boolean): Column<Node> => ({
  key,
  label,
  help,
  hidden,
  num: true,
  value,
  text: (node) => {
    const found = value(node);
    return found === null ? "–" : human(found, "ratio");
  },
  room: () => "999 G",
});

const over = (tree: Tree, node: Node, run: Run, upper: string, lower: string, scale: number): number | null => {
  const below = Number(tree.total(node, lower, run));
  return below ? (Number(tree.total(node, upper, run)) * scale) / below : null;
};

const longest = (texts: string[]): string => texts.reduce((most, text) => (text.length > most.length && text.length <= 34 ? text : most), "");

const offerTypes = (select: HTMLSelectElement, tree: Tree): void => {
  const types = [...new Set(tree.data.rows.types)].filter(Boolean).sort();
  offer(select, [["", "any type"], ...types.map((type) => [type, type] as const)]);
};

const offerDepths = (select: HTMLSelectElement, tree: Tree): void => {
  let deepest = 0;
  const depth = new Int32Array(tree.size);
  tree.data.rows.parent.forEach((above, row) => {
    depth[row] = above < 0 ? 0 : depth[above]! + 1;
    deepest = Math.max(deepest, depth[row]!);
  });
  const depths = Array.from({ length: Math.min(deepest, 20) }, (_, i) => [String(i + 1), `depth ≤ ${i + 1}`] as const);
  offer(select, [["", "any depth"], ...depths]);
};
