/** The table of modules of both reports: those that changed, the biggest change first. */
import { paintName } from "../model/name.ts";
import type { Shown } from "../model/state.ts";
import type { Node, Tree } from "../model/tree.ts";
import { isMain } from "../model/figures.ts";
import { byId, el, options as offer, pick } from "../shared/dom.ts";
import type { Column, Sort } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import type { Changes } from "./changes.ts";
import type { DiffPage } from "./page.ts";
import type { Pair } from "./pairs.ts";
import { changeColumn, changeFirst, sideColumns } from "./figures.ts";
import { visible } from "../shared/visible.ts";

export interface ChangedOptions {
  tree: Tree;
  page: DiffPage;
  pair: () => Pair;
  changes: Changes;
  metric: () => string;
  selected: () => Node;
  select: (node: Node) => void;
  open: (node: Node) => void;
  hover: (node: Node | null) => void;
  changed: () => void;
}

const KINDS = [
  ["", "what changed"],
  ["all", "all modules"],
  ["changed", "changed"],
  ["added", "added"],
  ["removed", "removed"],
  ["renamed", "renamed"],
] as const;

/** The biggest change first. */
const ORDER: Sort = { key: "change", down: true };

export class ChangedModules {
  readonly table: Table<Node>;
  private readonly kind = el("select", { "aria-label": "Which modules" });
  private counted: readonly [number, number] = [0, 0];

  constructor(private readonly options: ChangedOptions) {
    offer(this.kind, KINDS);
    this.kind.addEventListener("change", () => this.table.arrange());
    this.table = new Table<Node>({
      section: byId("modules"),
      id: "modules",
      title: "Modules",
      noun: "module",
      sort: ORDER,
      columns: this.columns(),
      controls: [this.kind],
      arrange: (query) => {
        const all = options.tree.all(options.selected());
        const found = all.filter((node) => this.isShown(node) && this.matches(node, query));
        const rows = (nodes: Node[]): number => nodes.reduce((sum, node) => sum + node.rows.length, 0);
        this.counted = [rows(found), rows(all)];
        return this.table.ordered(found);
      },
      counted: () => this.counted,
      selected: (node) => node === options.selected(),
      choose: options.select,
      hover: options.hover,
      changed: options.changed,
      empty: () => {
        if (this.kind.value !== "" || this.searching) return "No module matches.";
        const { phase } = options.pair();
        return phase ? `No module changed in ${phase}.` : "No module changed.";
      },
    });
  }

  refresh(): void {
    this.table.arrange();
  }

  /** The part of a link's view that is this table's; the usual order is left out of it. */
  shown(): Pick<Shown, "query" | "type" | "sort" | "columns"> {
    return { ...this.table.view, type: this.kind.value };
  }

  /** Returns what of the view there is not, in words. */
  restore(shown: Shown): string[] {
    const known = pick(this.kind, shown.type);
    this.table.restoreView(shown);
    return known ? [] : [`modules that are “${shown.type}”`];
  }

  get searching(): boolean {
    return this.table.search.value.trim() !== "";
  }

  /** True if the search finds the node. */
  matches(node: Node, query = this.table.search.value.trim().toLowerCase()): boolean {
    const { tree, page } = this.options;
    if (!query) return true;
    const names = node.rows.flatMap((row) => [tree.nameOf(row), page.was[String(row)] ?? ""]);
    return [tree.path(node), tree.type(node), ...names].some((text) => text.toLowerCase().includes(query));
  }

  /** The nodes of the charts that the search finds. */
  found(): Node[] {
    const { tree, selected } = this.options;
    const above = tree.trail(selected()).filter((node) => node !== selected() && !tree.isBlock(node));
    return [...above, ...tree.all(selected())].filter((node) => this.matches(node));
  }

  private change(node: Node): string {
    const { changes, pair } = this.options;
    return changes.of(node, pair());
  }

  private isShown(node: Node): boolean {
    const { changes, pair } = this.options;
    if (this.kind.value === "all") return true;
    if (!changes.matters(node, pair())) return false;
    return this.kind.value === "" ? this.change(node) !== "same" : this.change(node) === this.kind.value;
  }

  private columns(): Column<Node>[] {
    const { tree, page, pair, metric, select, open } = this.options;
    const sides = {
      old: (node: Node, key: string) => tree.total(node, key, pair().old),
      now: (node: Node, key: string) => tree.total(node, key, pair().new),
      kind: (key: string) => tree.metric(key).kind,
      label: (key: string) => tree.metric(key).label,
    };
    const longest = page.rows.types.reduce(
      (most, type) => (type.length > most.length && type.length <= 40 ? type : most),
      "",
    );
    const what: Column<Node> = {
      key: "what",
      label: "What",
      value: (node) => this.change(node),
      text: (node) => this.change(node),
      room: () => "renamed",
      extra: 18,
      paint: (cell, node) => cell.append(el("span", { class: `badge ${this.change(node)}` }, this.change(node))),
    };
    const columns: Column<Node>[] = [
      {
        key: "name",
        label: "Module",
        fixed: true,
        value: (node) => tree.path(node),
        text: (node) => tree.path(node),
        tip: (node) => tree.path(node),
        paint: (cell, node) => {
          paintName(cell, node, {
            tree,
            flat: true,
            indent: 0,
            open: false,
            expand: null,
            select: () => select(node),
            unfold: () => open(node),
          });
          const was = page.was[String(node.rows[0])];
          if (was && node.rows.length === 1) cell.append(el("span", { class: "muted" }, ` ← ${was}`));
        },
      },
      ...changeFirst([what, ...sideColumns<Node>(sides, metric)]),
      ...page.metrics
        .filter(({ key }) => key !== "flops")
        .map(({ key }) => ({
          ...changeColumn<Node>(sides, key),
          hidden: !isMain(key) || key === "macs" || tree.metric(key).elementwise,
        })),
      {
        key: "type",
        label: "Type",
        value: (node) => tree.type(node),
        text: (node) => tree.type(node),
        tip: (node) => tree.type(node),
        room: () => longest,
        paint: (cell, node) => {
          cell.classList.add("type");
          cell.textContent = visible(tree.type(node));
        },
      },
    ];
    return columns;
  }
}
