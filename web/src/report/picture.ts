/** What the chart of a report draws: which tiles, in which colours, and what is said of each. */
import { Chart } from "../chart/chart.ts";
import { NEUTRAL, nthColour, type Colour } from "../chart/colours.ts";
import { icicle, nested, type Figures, type Tile, type View } from "../chart/layout.ts";
import { showLegend } from "../chart/legend.ts";
import { inWords } from "../model/figures.ts";
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { human, part, percent } from "../shared/numbers.ts";
import { theme } from "../shared/theme.ts";
import { visible } from "../shared/visible.ts";

export type ColourBy = "role" | "type";

export interface PictureOptions {
  tree: Tree;
  page: ReportPage;
  run: () => Run;
  metric: () => string;
  selected: () => Node;
  select: (node: Node) => void;
  /** Opens a fold, or folds again. */
  toggle: (node: Node) => void;
  hover: (tile: Tile | null) => void;
}

const TREEMAP_HEIGHT = { wide: 480, narrow: 380 }; // pixels
const MOST_LEGENDS = 10;

const smaller = (rest: number): string => `${rest.toLocaleString("en-US")} smaller`;

export class Picture {
  view: View = "icicle";
  colour: ColourBy = "role";
  readonly chart: Chart;
  /** Parts or types by their share of the figure, the same whatever is selected, so that colours stay put. */
  private ranked = new Map<string, { rank: number; part: number }>();

  constructor(private readonly options: PictureOptions) {
    const { tree, selected, select, toggle, hover, metric } = options;
    this.chart = new Chart({
      element: byId("chart"),
      spoken: byId("spoken"),
      layout: (width) => this.layout(width),
      colour: (tile) => this.colourOf(tile),
      path: (tile) => this.path(tile),
      title: (tile) => this.title(tile),
      figure: (tile) => human(tile.value, tree.metric(metric()).kind),
      tip: (tile) => this.tip(tile),
      say: (tile) => this.said(tile),
      found: null,
      select: (node) => select(node === selected() && node.above ? node.above : node),
      up: () => selected().above && select(selected().above!),
      top: () => select(tree.top),
      toggle,
      hover,
    });
  }

  /** The picture, its legend, and a word where there is nothing to draw. */
  draw(): void {
    this.ranked = this.ranks();
    const empty = !(this.value(this.options.selected()) > 0);
    byId("empty").hidden = !empty;
    byId("empty").textContent = empty ? visible(this.why()) : "";
    byId("chart").hidden = empty;
    byId("chart-help").hidden = empty;
    this.drawLegend();
    if (empty) this.chart.clear();
    else this.chart.draw();
  }

  private value(node: Node): number {
    const { tree, metric, run } = this.options;
    return Number(tree.total(node, metric(), run()));
  }

  private ranks(): Map<string, { rank: number; part: number }> {
    const { tree, page, run, metric } = this.options;
    const { types, type, roles, role } = page.rows;
    const own = run().own(metric());
    const sums = new Map<string, number>();
    for (let row = 0; row < tree.size; row += 1) {
      const size = Number(own[row]);
      if (!size) continue;
      const key = this.colour === "type" ? types[type[row]!]! : roles[role[row]!]!;
      sums.set(key, (sums.get(key) ?? 0) + size);
    }
    const whole = this.value(tree.top) || 1;
    const sorted = [...sums].sort((a, b) => b[1] - a[1]);
    return new Map(sorted.map(([key, size], rank) => [key, { rank, part: size / whole }]));
  }

  private layout(width: number): { tiles: Tile[]; height: number } {
    const { tree, selected } = this.options;
    const figures: Figures = {
      value: (node) => this.value(node),
      under: (node) => tree.under(node),
      own: (node) => this.own(node),
    };
    if (this.view === "icicle") {
      const trail = tree.drawnTrail(selected(), figures.value);
      const tiles = icicle(trail.at(-1)!, trail, width, figures);
      return { tiles, height: Math.max(...tiles.map(({ y, height }) => y + height)) };
    }
    const height = innerWidth <= 640 ? TREEMAP_HEIGHT.narrow : TREEMAP_HEIGHT.wide;
    return { tiles: nested(selected(), width, height, figures), height };
  }

  /** What the node did itself, by operator. */
  private own(node: Node): { operator: string; value: number }[] {
    const { tree, metric, run } = this.options;
    if (!tree.metric(metric()).additive) return [];
    return tree
      .ownOperators(node, run())
      .map(({ name, values }) => ({ operator: name, value: Number(values.get(metric()) ?? 0) }))
      .filter((one) => one.value > 0)
      .sort((a, b) => b.value - a.value);
  }

  private colourOf(tile: Tile): Colour {
    const { tree } = this.options;
    const neutral = NEUTRAL[theme()];
    if (tree.isBlock(tile.node) || tile.rest) return neutral;
    const key = this.colour === "role" ? tree.role(tile.node) : tree.type(tile.node);
    const found = this.colourAt(key, this.ranked.get(key)?.rank ?? Infinity);
    // In a treemap what holds tiles is a frame around them.
    return tile.open ? { ...neutral, edge: found.edge ?? found.fill } : found;
  }

  private colourAt(key: string, rank: number): Colour {
    return nthColour(this.colour === "role" ? this.options.page.rows.roles.indexOf(key) : rank, theme());
  }

  private title({ node, operator, rest }: Tile): string {
    if (rest) return smaller(rest);
    return operator === "" ? "own" : (operator ?? this.options.tree.title(node));
  }

  /** What a tile stands for, in full. */
  private path({ node, operator, rest }: Tile): string {
    const path = this.options.tree.path(node);
    if (rest) return `${path}: ${smaller(rest)}`;
    return operator === null ? path : `${path}: ${operator || "its own part"}`;
  }

  private tip(tile: Tile): HTMLElement {
    const { tree, page, run, metric } = this.options;
    const { node } = tile;
    const isNode = tile.operator === null && !tile.rest;
    const list = el("dl");
    for (const { key, label, kind } of page.metrics) {
      if (!isNode && key !== metric()) continue;
      const figure = isNode ? tree.total(node, key, run()) : tile.value;
      const share = percent(part(figure, tree.total(tree.top, key, run())));
      if (Number(figure)) list.append(el("dt", {}, label), el("dd", {}, human(figure, kind)), el("dd", {}, share));
    }
    const each = isNode && node.times > 1 ? ` · ${node.times.toLocaleString("en-US")} that are alike` : "";
    return el("div", {}, el("b", {}, this.path(tile)), el("p", { class: "muted" }, tree.type(node) + each), list);
  }

  private said(tile: Tile): string {
    const { tree, metric } = this.options;
    const share = percent(part(tile.value, this.value(tree.top)));
    return `${this.path(tile)}, ${tree.type(tile.node)}, ${inWords(tile.value, tree.metric(metric()))}, ${share}`;
  }

  private drawLegend(): void {
    const entries = [...this.ranked];
    const items = entries
      .slice(0, MOST_LEGENDS)
      .map(([key, { rank, part: share }]) => [key || "(no type)", this.colourAt(key, rank), percent(share)] as const);
    const rest = entries.slice(MOST_LEGENDS).reduce((sum, [, { part: share }]) => sum + share, 0);
    const others = entries.length - items.length;
    showLegend(others > 0 ? [...items, [`${others} others`, NEUTRAL[theme()], percent(rest)]] : items);
  }

  /** Why there is nothing to draw, and what to do. */
  private why(): string {
    const { tree, page, run, metric, selected } = this.options;
    const empty = `${tree.path(selected())} has no ${tree.metric(metric()).label} to draw`;
    if (!page.operators.name.length) {
      const called = run()
        .own("calls")
        .some((calls) => Number(calls) > 0);
      return called
        ? `${empty}: modules were called, and no operator ran in them.`
        : `Nothing ran: ${empty}. Call the model inside the with block.`;
    }
    if (page.gap && !this.value(tree.top)) {
      const unknown = "because no operator that ran could be counted";
      return `${empty}, ${unknown}. The list on top names them; dispatchcount.register gives one a rule.`;
    }
    const other = page.metrics.find(({ key }) => Number(tree.total(selected(), key, run())) > 0);
    return `${empty}.${other ? ` It has ${other.label}: choose them as the area.` : ""}`;
  }
}
