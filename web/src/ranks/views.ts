/** All that a page shows of the ranks of a job: the heat map, modules over the ranks, and each rank. */
import { shades } from "../chart/shades.ts";
import type { RanksData } from "../model/payload.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el, options as offer } from "../shared/dom.ts";
import { exact } from "../shared/numbers.ts";
import { theme } from "../shared/theme.ts";
import { HeatMap } from "./heat.ts";
import { SpreadTable } from "./modules.ts";
import { RankTable } from "./ranks.ts";
import { Spreads } from "./spreads.ts";

export interface RankOptions {
  title: string;
  ranks: RanksData;
  tree: Tree;
  metric: () => string;
  selected: () => Node;
  digits: HTMLInputElement;
  /** The place of the shown run among all runs. */
  run: () => number;
  setMetric: (metric: string) => void;
  setRun: (place: number) => void;
  select: (node: Node) => void;
  open: (node: Node) => void;
  hover: (node: Node | null) => void;
}

export class RankViews {
  private readonly heat: HeatMap;
  private readonly modules: SpreadTable;
  private readonly each: RankTable;
  private readonly spreads: Spreads;

  constructor(private readonly options: RankOptions) {
    const { ranks, tree, run, setRun, setMetric, hover } = options;
    const numbers = ranks.rank;
    const spreads = new Spreads(tree);
    this.spreads = spreads;
    const first = tree.runs.length - tree.ranks.length;
    const shown = (): number => run() - first;
    const choose = (place: number): void => setRun(first + place);
    byId("heat").hidden = false;
    this.heat = new HeatMap({
      ...options,
      element: byId("heat-map"),
      spoken: byId("spoken"),
      spreads,
      numbers,
      shown,
      choose,
      drawn: (hidden, ranksOfCell) => this.say(hidden, ranksOfCell),
    });
    this.modules = new SpreadTable({
      ...options,
      spreads,
      numbers,
      choose,
      hover: (node) => {
        hover(node);
        this.heat.light(node);
      },
    });
    this.each = new RankTable({ ...options, spreads, shown, choose });
    const box = byId<HTMLSelectElement>("heat-metric");
    offer(
      box,
      tree.metrics.filter(({ key }) => spreads.has(key)).map(({ key, label }) => [key, label] as const),
    );
    box.addEventListener("change", () => setMetric(box.value));
  }

  get picture(): SVGSVGElement | null {
    return this.heat.picture;
  }

  light(node: Node | null): void {
    this.heat.light(node);
  }

  /** The map anew, in other colours perhaps. */
  draw(): void {
    const { tree, metric, selected } = this.options;
    const { label } = tree.metric(metric());
    const known = this.spreads.has(metric());
    const empty = !known || !(Number(this.spreads.of(selected(), metric()).sum) > 0);
    byId("heat-empty").hidden = !empty;
    byId("heat-empty").textContent = known
      ? `No rank has ${label} in ${tree.path(selected())}.`
      : `The page had no room for ${label} of single ranks: the file would be larger than it should be.`;
    for (const id of ["heat-map", "heat-legend", "heat-help", "heat-note"]) byId(id).hidden = empty;
    byId<HTMLSelectElement>("heat-metric").value = metric();
    byId("heat-path").textContent = selected() === tree.top ? "" : ` in ${tree.path(selected())}`;
    byId("heat-legend").replaceChildren(
      ...shades(theme()).map(({ fill, label: text }) => {
        const swatch = el("i");
        swatch.style.background = fill;
        return el("li", {}, swatch, text);
      }),
      el("li", {}, el("span", { class: "dot-mark", "aria-hidden": "true" }), "the slowest rank of a module"),
    );
    if (!empty) this.heat.draw();
  }

  /** After another module, metric, run or fold was chosen. */
  refresh(): void {
    this.draw();
    this.modules.refresh();
    this.each.refresh();
  }

  measure(): void {
    this.modules.measure();
    this.each.measure();
  }

  private say(hidden: number, ranksOfCell: number): void {
    const lines = [
      ranksOfCell > 1 ? `A cell is the most of ${exact(ranksOfCell)} ranks.` : "",
      hidden ? `${exact(hidden)} smaller modules are in the table below.` : "",
    ];
    byId("heat-note").textContent = lines.filter(Boolean).join(" ");
  }
}

/** What there is to say of ranks that gave no report or were not planned, or whose block did not end. */
export const rankTroubles = ({ missing, planned, stopped, rank, world }: RanksData): string[] => {
  const lines = Object.entries(stopped).map(
    ([place, { module, error }]) =>
      `Rank ${rank[Number(place)]} stopped in ${module || "(root)"}: ${error}. Its figures are those up to there.`,
  );
  const listed = (ranks: number[]) => ranks.slice(0, 20).join(", ") + (ranks.length > 20 ? ", …" : "");
  if (missing.length) {
    lines.unshift(
      planned
        ? `${exact(rank.length)} of ${exact(world)} ranks were planned: ${listed(rank)}. Sums and means are of these.`
        : `${exact(missing.length)} of ${exact(world)} ranks gave no report: ${listed(missing)}. Sums and means lack them.`,
    );
  }
  return lines;
};
