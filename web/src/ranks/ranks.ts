/** The table of ranks: each one's figures, its distance from the mean, its memory, and what became of it. */
import { csvButton } from "../chart/files.ts";
import { figureColumn, inOrder, isMain } from "../model/figures.ts";
import type { RanksData } from "../model/payload.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { exact, human, WIDEST } from "../shared/numbers.ts";
import type { Metric } from "../shared/payload.ts";
import type { Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { against } from "./heat.ts";
import type { Spreads } from "./spreads.ts";

export interface RankTableOptions {
  title: string;
  tree: Tree;
  ranks: RanksData;
  spreads: Spreads;
  metric: () => string;
  selected: () => Node;
  digits: HTMLInputElement;
  /** The place of the rank that the page shows; -1 for none. */
  shown: () => number;
  choose: (place: number) => void;
}

export class RankTable {
  private readonly table: Table<number>;
  private slowest = new Map<number, number>();

  constructor(private readonly options: RankTableOptions) {
    const { shown, choose, ranks } = options;
    byId("ranks").hidden = false;
    this.table = new Table<number>({
      section: byId("ranks"),
      id: "ranks",
      title: "Ranks",
      noun: "rank",
      columns: this.columns(),
      yielding: [...this.figures.map(({ key }) => key).reverse(), "slowest", "peak_in", "peak"],
      controls: [
        csvButton(
          () => [options.title, "each_rank"],
          "the table of ranks",
          () => this.table,
        ),
      ],
      selected: (place) => place === shown(),
      choose,
    });
    this.table.show(ranks.rank.map((_, place) => place));
  }

  refresh(): void {
    const { tree, selected, spreads, metric } = this.options;
    this.slowest = new Map();
    for (const node of spreads.has(metric()) ? tree.all(selected()) : []) {
      const { slowest } = spreads.of(node, metric());
      if (slowest >= 0) this.slowest.set(slowest, (this.slowest.get(slowest) ?? 0) + node.rows.length);
    }
    this.table.arrange();
  }

  measure(): void {
    this.table.measure();
  }

  /** The metrics of which the page has the figures of single ranks. */
  private get figures(): Metric[] {
    const { tree, spreads } = this.options;
    return inOrder(tree.metrics).filter(({ key }) => spreads.has(key));
  }

  private columns(): Column<number>[] {
    const { tree, ranks, spreads, metric, selected, digits, choose } = this.options;
    const figures = {
      value: (place: number, key: string) => tree.total(selected(), key, tree.ranks[place]!),
      digits: () => digits.checked,
      most: (key: string) => spreads.of(tree.top, key).max,
    };
    const name = (place: number): string => `rank ${ranks.rank[place]!}`;
    const distance = (place: number): number => {
      const { values, mean } = spreads.of(selected(), metric());
      return mean ? Number(values[place]) / mean - 1 : 0;
    };
    const columns: Column<number>[] = [
      {
        key: "rank",
        label: "Rank",
        fixed: true,
        search: true,
        value: name,
        text: name,
        room: () => name(ranks.rank.length - 1),
        extra: 22,
        paint: (cell, place) => {
          cell.classList.add("name");
          const press = (): void => choose(place);
          cell.append(el("button", { type: "button", "data-main": true, onclick: press }, name(place)));
        },
      },
      {
        key: "distance",
        label: "Against the mean",
        help: "How far the chosen figure of the selected module is from its mean over the ranks",
        num: true,
        value: distance,
        text: (place) => against(spreads.of(selected(), metric()), place),
        room: () => "+100.0 %",
      },
      ...this.figures.map((one) => ({
        ...figureColumn<number>(one, figures),
        // What modules hold is told by the peak, and parameters are those of the whole model.
        hidden: !isMain(one.key) || one.elementwise || !one.additive || one.key === "macs",
      })),
      {
        key: "slowest",
        label: "Slowest in",
        help: "In how many modules, the selected one and those below it, it has the most",
        num: true,
        value: (place) => this.slowest.get(place) ?? 0,
        text: (place) => exact(this.slowest.get(place) ?? 0),
        room: () => "1,000",
      },
    ];
    if (ranks.peak) columns.splice(2, 0, ...peakColumns(ranks.peak, digits));
    if (Object.keys(ranks.stopped).length) {
      const state = (place: number): string => {
        const stopped = ranks.stopped[String(place)];
        return stopped ? `stopped in ${stopped.module || "(root)"}: ${stopped.error}` : "";
      };
      columns.push({ key: "state", label: "State", value: state, text: state, tip: state, room: () => "stopped in x" });
    }
    return columns;
  }
}

const peakColumns = (
  peaks: NonNullable<RanksData["peak"]>,
  digits: HTMLInputElement,
): [Column<number>, Column<number>] => {
  const where = (place: number): string => (peaks[place] ? peaks[place].module || "(root)" : "");
  return [
    {
      key: "peak",
      label: "Peak memory",
      help: "The most memory that was in use at once",
      num: true,
      value: (place) => (peaks[place] ? Number(peaks[place].peak) : null),
      text: (place) => {
        if (!peaks[place]) return "–";
        return digits.checked ? exact(peaks[place].peak) : human(peaks[place].peak, "bytes");
      },
      tip: (place) => (peaks[place] ? exact(peaks[place].peak) : ""),
      room: () => (digits.checked ? "100,000,000,000" : WIDEST),
    },
    {
      key: "peak_in",
      label: "Peak in",
      value: where,
      text: where,
      tip: (place) => (peaks[place] ? `${where(place)} at ${peaks[place].operator}` : ""),
      room: () => "layers.0.self_attn",
    },
  ];
};
