/** The table of modules: a tree that opens and closes, or a flat list while it is sorted, searched or filtered. */
import { YIELDING } from "../model/figures.ts";
import { paintName } from "../model/name.ts";
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { el, options as offer, pick } from "../shared/dom.ts";
import type { Sort } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { Branches } from "./branches.ts";
import { moduleColumns } from "./columns.ts";
import type { Shown } from "../model/state.ts";

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
type Status = (typeof STATUSES)[number][0];

const MOST_DEPTHS = 20;

export class Modules {
  readonly table: Table<Node>;
  private readonly type = el("select", { "aria-label": "Type of module" });
  private readonly status = el("select", { "aria-label": "Status of module" });
  private readonly depth = el("select", { "aria-label": "Depth of module" });
  private readonly branches: Branches;
  private counted: readonly [number, number] = [0, 0];
  private readonly lower = new Map<number, string>();

  constructor(private readonly options: ModulesOptions) {
    const { section, tree, page, run, metric, digits, selected } = options;
    this.branches = new Branches(tree);
    offerTypes(this.type, tree);
    offer(this.status, STATUSES);
    offerDepths(this.depth, tree);
    for (const select of [this.type, this.status, this.depth]) {
      select.addEventListener("change", () => this.table.arrange());
    }
    const all = (label: string, open: boolean): HTMLElement => {
      const press = (): void => {
        this.branches.setAll(open);
        this.table.arrange();
      };
      return el("button", { type: "button", class: "button", onclick: press }, label);
    };
    const columns = moduleColumns({
      tree,
      page,
      run,
      metric,
      digits: () => digits.checked,
      paintName: (cell, node) => this.paintName(cell, node),
    });
    const exact = el("label", { class: "checkbox" }, digits, "Exact numbers");
    this.table = new Table<Node>({
      section,
      id: "modules",
      title: "Modules",
      noun: "module",
      columns,
      yielding: [...YIELDING, "memory_saved", "params", "payload_bytes", "type"],
      controls: [all("Expand", true), all("Collapse", false), this.type, this.status, this.depth, exact],
      arrange: (query, sort) => this.arrange(query, sort),
      counted: () => this.counted,
      selected: (node) => node === selected(),
      choose: options.select,
      hover: options.hover,
      expand: (node, open) => this.expand(node, open),
      changed: options.changed,
      empty: () =>
        tree.size ? "No module matches. Clear the search and the filters to see all." : "The block ran no module.",
    });
  }

  /** True if the search and the filters leave only a part of the modules. */
  get filtering(): boolean {
    return Boolean(this.query || this.type.value || this.status.value || this.depth.value);
  }

  /** True if the search and the filters leave the node. */
  matches(node: Node): boolean {
    const { tree } = this.options;
    if (tree.isBlock(node)) return false;
    if (this.type.value && tree.type(node) !== this.type.value) return false;
    if (this.depth.value && node.depth > Number(this.depth.value)) return false;
    if (!this.hasStatus(node, this.status.value as Status)) return false;
    const { query } = this;
    if (!query || tree.type(node).toLowerCase().includes(query)) return true;
    if (node.rows.some((row) => this.name(row).includes(query))) return true;
    return node.rows.length > 1 && tree.path(node).toLowerCase().includes(query);
  }

  /** The nodes in the chart that the search and the filters leave: those of the table, and those above them. */
  found(): Node[] {
    const { tree, selected, run, metric } = this.options;
    const above = tree.trail(selected()).filter((node) => node !== selected() && this.matches(node));
    return [...above, ...this.table.rows].filter((node) => Number(tree.total(node, metric(), run())));
  }

  /** Mark the row of a node, or of the nearest one above it that has a row. */
  mark(node: Node | null): void {
    let at = node;
    if (!this.flat) while (at && !this.table.has(at)) at = at.above;
    this.table.mark(at && ((row) => row === at));
  }

  /** The part of a link's view that is this table's. */
  shown(): Pick<Shown, "query" | "type" | "status" | "depth" | "sort" | "columns" | "branches"> {
    return {
      ...this.table.view,
      type: this.type.value,
      status: this.status.value,
      depth: Number(this.depth.value),
      branches: this.branches.written,
    };
  }

  /** Returns what of the view there is not, in words. */
  restore(shown: Shown, selected: Node): string[] {
    const { type, status, depth, branches } = shown;
    this.branches.read(branches, selected);
    const gone: string[] = [];
    if (!pick(this.type, type)) gone.push(`class “${type}”`);
    if (!pick(this.status, status)) gone.push(`status “${status}”`);
    if (!pick(this.depth, depth ? String(depth) : "")) gone.push(`depth ${depth}`);
    this.table.restoreView(shown);
    return gone;
  }

  /** The rows anew, from the selected node down. */
  refresh(): void {
    this.table.arrange();
  }

  private get query(): string {
    return this.table.search.value.trim().toLowerCase();
  }

  /** True while rows stand alone, so that each needs its full name. */
  private get flat(): boolean {
    return this.filtering || this.table.sort !== null;
  }

  private arrange(_query: string, sort: Sort | null): Node[] {
    const { tree, selected } = this.options;
    const modules = tree.rowsBelow(selected()).length;
    this.counted = [modules, modules];
    // On paper there is nothing to open.
    if (!sort && !this.filtering && !this.table.whole) return this.branches.visible(selected());
    const all = tree.all(selected());
    const found = this.filtering ? all.filter((node) => this.matches(node)) : all;
    if (this.filtering) this.counted = [found.reduce((sum, { rows }) => sum + rows.length, 0), modules];
    return this.table.ordered(found);
  }

  private hasStatus(node: Node, status: Status): boolean {
    const { tree, run } = this.options;
    if (status === "") return true;
    if (status === "ran") return node.rows.some((row) => run().touched[row]);
    return tree.has(node, status);
  }

  private name(row: number): string {
    let found = this.lower.get(row);
    if (found === undefined) {
      found = (this.options.tree.nameOf(row) || "(root)").toLowerCase();
      this.lower.set(row, found);
    }
    return found;
  }

  private expand(node: Node, open: boolean): void {
    if (this.flat || !this.options.tree.under(node).length) return;
    this.branches.set(node, open);
    this.table.arrange();
  }

  private paintName(cell: HTMLElement, node: Node): void {
    const { tree, page, selected, select, open } = this.options;
    paintName(cell, node, {
      tree,
      flat: this.flat,
      indent: node.depth - selected().depth,
      open: this.branches.isOpen(node, selected()),
      expand: (to) => this.expand(node, to),
      select: () => select(node),
      unfold: () => open(node),
    });
    const { memory } = page;
    if (memory && node.rows.some((row) => tree.nameOf(row) === memory.module)) {
      const title = `The most memory was in use here, at ${memory.operator || "the beginning"}`;
      cell.append(el("span", { class: "badge", title }, "peak"));
    }
    if (tree.has(node, "gap")) {
      const title = "An operator in it could not be counted";
      cell.append(el("span", { class: "badge unknown", title }, "not counted"));
    }
  }
}

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
  const depths = Array.from(
    { length: Math.min(deepest, MOST_DEPTHS) },
    (_, i) => [String(i + 1), `depth ≤ ${i + 1}`] as const,
  );
  offer(select, [["", "any depth"], ...depths]);
};
