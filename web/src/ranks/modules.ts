/** The table of modules over the ranks: sum, mean, least, most, the slowest rank, and how uneven it is. */
import { csvButton } from "../chart/files.ts";
import { paintName } from "../model/name.ts";
import type { Spread } from "../model/ranks.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { exact, human, WIDEST } from "../shared/numbers.ts";
import { matches, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import type { Spreads } from "./spreads.ts";

export interface SpreadOptions {
  title: string;
  tree: Tree;
  spreads: Spreads;
  numbers: number[];
  metric: () => string;
  selected: () => Node;
  digits: HTMLInputElement;
  select: (node: Node) => void;
  choose: (place: number) => void;
  open: (node: Node) => void;
  hover: (node: Node | null) => void;
}

/** What goes first where there is no room for all; the slowest rank and how uneven a module is stay longest. */
const YIELDING = ["mean_flops", "mean_wire_bytes", "min", "sum", "max", "mean"];

export class SpreadTable {
  readonly table: Table<Node>;
  private all = 0;

  constructor(private readonly options: SpreadOptions) {
    const { tree, selected, select, hover, spreads, metric } = options;
    byId("spread").hidden = false;
    const columns = this.columns();
    this.table = new Table<Node>({
      section: byId("spread"),
      id: "spread",
      title: "Modules over the ranks",
      noun: "module",
      of: "modules over the ranks",
      columns,
      yielding: YIELDING,
      controls: [
        csvButton(
          () => [options.title, "ranks"],
          "modules over the ranks",
          () => this.table,
        ),
      ],
      arrange: (query) => this.arrange(query),
      counted: () => [this.table.rows.length, this.all],
      selected: (node) => node === selected(),
      choose: select,
      hover,
      empty: () =>
        spreads.has(metric())
          ? `No module has ${tree.metric(metric()).label}.`
          : `The page had no room for ${tree.metric(metric()).label} of single ranks.`,
    });
  }

  refresh(): void {
    this.table.arrange();
  }

  measure(): void {
    this.table.measure();
  }

  private of(node: Node): Spread {
    return this.options.spreads.of(node, this.options.metric());
  }

  private get flat(): boolean {
    return this.table.sort !== null || this.table.search.value.trim() !== "";
  }

  private arrange(query: string): Node[] {
    const { tree, selected, spreads, metric } = this.options;
    const known = spreads.has(metric()) ? tree.all(selected()) : [];
    const all = known.filter((node) => Number(this.of(node).sum) > 0);
    this.all = all.length;
    return this.table.ordered(query ? all.filter((node) => matches(node, this.table.columns, query)) : all);
  }

  private columns(): Column<Node>[] {
    const { tree, spreads, metric, selected, select, open, choose, numbers, digits } = this.options;
    const kind = (key: string): "count" | "bytes" | "time" | "ratio" => tree.metric(key).kind;
    const shown = (value: number | bigint, key: string): string =>
      digits.checked ? exact(typeof value === "number" ? Math.round(value) : value) : human(value, kind(key));
    const figure = (
      key: string,
      label: string,
      help: string,
      pick: (spread: Spread) => number | bigint,
      of: () => string = metric,
      head?: () => string,
    ): Column<Node> => {
      const value = (node: Node): number | bigint => pick(spreads.of(node, of()));
      return {
        key,
        label,
        help,
        num: true,
        value,
        text: (node) => shown(rounded(value(node)), of()),
        tip: (node) => exact(rounded(value(node))),
        room: () => (digits.checked ? exact(spreads.of(tree.top, of()).sum) : `≈ ${WIDEST}`),
        ...(head ? { head } : {}),
      };
    };
    const beside = ["flops", "wire_bytes"].filter(
      (key) => tree.metrics.some((one) => one.key === key) && spreads.has(key),
    );
    const columns: Column<Node>[] = [
      {
        key: "name",
        label: "Module",
        fixed: true,
        search: true,
        value: (node) => tree.path(node),
        text: (node) => tree.path(node),
        tip: (node) => tree.path(node),
        paint: (cell, node) =>
          paintName(cell, node, {
            tree,
            flat: this.flat,
            indent: node.depth - selected().depth,
            open: true,
            expand: null,
            select: () => select(node),
            unfold: () => open(node),
          }),
      },
      figure(
        "sum",
        "Sum",
        "Of all ranks together",
        ({ sum }) => sum,
        metric,
        () => `${tree.metric(metric()).label}, sum`,
      ),
      figure("mean", "Mean", "Of one rank", ({ mean }) => mean),
      figure("min", "Least", "The least that a rank has", ({ min }) => min),
      figure("max", "Most", "The most that a rank has", ({ max }) => max),
      {
        key: "slowest",
        label: "Slowest",
        help: "The first rank that has the most; all others wait for it",
        num: true,
        value: (node) => (this.of(node).slowest < 0 ? null : numbers[this.of(node).slowest]!),
        text: (node) => (this.of(node).slowest < 0 ? "–" : `rank ${numbers[this.of(node).slowest]!}`),
        room: () => `rank ${numbers[numbers.length - 1]!}`,
        paint: (cell, node) => {
          const { slowest } = this.of(node);
          cell.classList.remove("zero");
          if (slowest < 0) cell.textContent = "–";
          else
            cell.append(
              el(
                "button",
                { type: "button", class: "link", onclick: () => choose(slowest) },
                `rank ${numbers[slowest]!}`,
              ),
            );
        },
      },
      {
        key: "imbalance",
        label: "max/mean",
        help: "How many times as long as an even job it takes, where all wait for the slowest rank",
        num: true,
        value: (node) => this.of(node).imbalance,
        text: (node) => this.of(node).imbalance?.toFixed(3) ?? "–",
        room: () => "100.000",
      },
    ];
    if (beside.length === 2)
      for (const key of beside) {
        const { label } = tree.metric(key);
        const mean = ({ mean: one }: Spread): number => one;
        columns.push(figure(`mean_${key}`, `${label}, mean`, `${label} of one rank`, mean, () => key));
        columns.push({
          key: `imbalance_${key}`,
          label: `${label}, max/mean`,
          help: `The most ${label} of a rank over their mean`,
          hidden: true,
          num: true,
          value: (node) => spreads.of(node, key).imbalance,
          text: (node) => spreads.of(node, key).imbalance?.toFixed(3) ?? "–",
          room: () => "100.000",
        });
      }
    // Where there is room for three columns, they are the module, how uneven it is, and the slowest rank.
    if (innerWidth <= 640) {
      const at = (key: string): number => columns.findIndex((column) => column.key === key);
      columns.splice(1, 0, ...columns.splice(at("imbalance"), 1), ...columns.splice(at("slowest"), 1));
    }
    return columns;
  }
}

const rounded = (value: number | bigint): number | bigint => (typeof value === "number" ? Math.round(value) : value);
