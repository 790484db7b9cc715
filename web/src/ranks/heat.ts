/** A map of modules × ranks: the colour of a cell tells how far its figure is from the mean over the ranks. */
import { answering } from "../chart/picture.ts";
import { shadeOf, shades, type Shade } from "../chart/shades.ts";
import type { Spread } from "../model/ranks.ts";
import type { Node } from "../model/tree.ts";
import { el, svg } from "../shared/dom.ts";
import { fitted, FONTS, textWidth } from "../shared/measure.ts";
import { exact, human } from "../shared/numbers.ts";
import { color, theme } from "../shared/theme.ts";
import { cellsOf, heatRows } from "./layout.ts";
import type { Spreads } from "./spreads.ts";

export interface HeatOptions {
  element: HTMLElement;
  spoken: HTMLElement;
  spreads: Spreads;
  /** The number of each rank. */
  numbers: number[];
  metric: () => string;
  selected: () => Node;
  /** The place of the rank that the page shows; -1 for none. */
  shown: () => number;
  select: (node: Node) => void;
  /** A rank was chosen, by its place. */
  choose: (place: number) => void;
  hover: (node: Node | null) => void;
  drawn: (hidden: number, ranksOfCell: number) => void;
}

const ROW = 22; // pixels
const TOP = 24;
const MOST_ROWS = 40;
const NARROWEST = 4;
const WIDEST = 64;
const INDENT = 10;
/** What stands above the figures beside the lines. */
const HEAD = "max/mean";

interface Line {
  node: Node;
  spread: Spread;
}

export class HeatMap {
  private lines: Line[] = [];
  private cells: (readonly [from: number, to: number])[] = [];
  private left = 0;
  private cell = 0;
  /** What the keyboard is on: a line, and a cell of it; cell -1 is the module's name. */
  private at: { line: number; cell: number } | null = null;
  private drawn: SVGSVGElement | null = null;
  private readonly tip: HTMLElement;
  private width = 0;

  constructor(private readonly options: HeatOptions) {
    const { element, hover } = options;
    this.tip = answering(element, {
      key: (event) => this.key(event),
      blur: () => this.mark(null),
      press: (event) => this.press(event),
      point: (event) => this.point(event),
      leave: () => hover(null),
      resized: () => {
        if (element.clientWidth && element.clientWidth !== this.width) this.draw();
      },
    });
  }

  /** The picture as it is now. */
  get picture(): SVGSVGElement | null {
    return this.drawn;
  }

  draw(): void {
    const { element, spreads, metric, selected, numbers, drawn } = this.options;
    this.width = element.clientWidth;
    if (!this.width) return;
    this.at = null;
    this.tip.hidden = true;
    const { tree } = spreads;
    const size = (node: Node): number => Number(spreads.of(node, metric()).sum);
    const from = tree.drawnTrail(selected(), size).at(-1)!;
    const { nodes, hidden } = heatRows(tree, from, size, MOST_ROWS);
    this.lines = nodes.map((node) => ({ node, spread: spreads.of(node, metric()) }));
    const narrow = this.width < 600;
    const said = this.lines.map(({ spread }) => this.slowestText(spread, narrow ? 2 : 3));
    const right = Math.max(...[HEAD, ...said].map((text) => textWidth(text, "tile"))) + 12;
    const first = from.depth;
    const wanted = Math.max(
      ...this.lines.map(({ node }) => textWidth(tree.title(node), "tile") + INDENT * (node.depth - first)),
    );
    this.left = Math.min(wanted + 12, narrow ? 120 : 260);
    const room = this.width - this.left - right;
    this.cells = cellsOf(numbers.length, Math.floor(room / NARROWEST));
    this.cell = Math.min(WIDEST, room / this.cells.length);
    const end = this.left + this.cell * this.cells.length;
    const height = TOP + ROW * this.lines.length + 4;
    const colours = shades(theme());
    this.drawn = svg(
      "svg",
      {
        width: this.width,
        height,
        viewBox: `0 0 ${this.width} ${height}`,
        "aria-hidden": "true",
        style: `font:${FONTS.tile}`,
      },
      ...this.axis(end),
      ...this.lines.flatMap((line, i) => this.row(line, i, first, end, said[i]!, colours)),
      this.frame(height),
    );
    element.replaceChildren(this.drawn);
    drawn(hidden, this.cells[0]![1] - this.cells[0]![0]);
  }

  /** Light the line of a node, in step with the tables. */
  light(node: Node | null): void {
    this.drawn?.querySelectorAll<SVGElement>("[data-line]").forEach((one) => {
      one.classList.toggle("lit", node !== null && this.lines[Number(one.dataset.line)]?.node === node);
    });
  }

  /** Numbers of ranks over the cells, as many as there is room for. */
  private axis(end: number): SVGElement[] {
    const { numbers } = this.options;
    const wide = textWidth(String(numbers[numbers.length - 1]), "tile") + 14;
    const step = Math.max(1, Math.ceil(wide / this.cell));
    const found: SVGElement[] = [];
    for (let i = 0; i < this.cells.length; i += step) {
      const x = this.left + this.cell * (i + 0.5);
      const text = String(numbers[this.cells[i]![0]]);
      found.push(svg("text", { x, y: 15, fill: color("muted"), "text-anchor": "middle" }, text));
    }
    found.push(svg("text", { x: this.left - 8, y: 15, fill: color("muted"), "text-anchor": "end" }, "rank"));
    found.push(svg("text", { x: end + 8, y: 15, fill: color("muted") }, HEAD));
    return found;
  }

  private row(
    { node, spread }: Line,
    i: number,
    first: number,
    end: number,
    said: string,
    colours: Shade[],
  ): SVGElement[] {
    const { tree } = this.options.spreads;
    const y = TOP + ROW * i;
    const indent = Math.min(INDENT * (node.depth - first), this.left / 2);
    const name = svg(
      "text",
      { x: indent, y: y + 15, fill: color("accent"), "data-line": i, class: "heat-name" },
      fitted(tree.title(node), this.left - 12 - indent, "tile"),
    );
    const text = svg("text", { x: end + 8, y: y + 15, fill: color(spread.slowest < 0 ? "muted" : "text") }, said);
    return [name, ...this.rects(spread, y, colours), text];
  }

  /** What stands beside a line: how uneven it is, and the rank that all others wait for. */
  private slowestText({ slowest, imbalance }: Spread, digits: number): string {
    return slowest < 0 ? "even" : `${imbalance!.toFixed(digits)} · rank ${this.options.numbers[slowest]!}`;
  }

  /** Neighbours of one shade are one rectangle, so that a thousand ranks that do the same cost as much as one. */
  private rects({ values, mean, slowest }: Spread, y: number, colours: Shade[]): SVGElement[] {
    const found: SVGElement[] = [];
    const shade = ([from, to]: readonly [number, number]): number => {
      let most = 0;
      for (let place = from; place < to; place += 1) most = Math.max(most, Number(values[place]));
      return shadeOf(most, mean);
    };
    let from = 0;
    const all = this.cells.map(shade);
    const gap = this.cell >= 12 ? 1 : 0;
    for (let to = 1; to <= all.length; to += 1) {
      // Cells that are wide enough are told apart by gaps.
      if (to < all.length && all[to] === all[from] && !gap) continue;
      const colour = colours[all[from]!];
      found.push(
        svg("rect", {
          x: this.left + this.cell * from,
          y: y + 1,
          width: this.cell * (to - from) - gap,
          height: ROW - 2,
          fill: colour?.fill ?? "none",
          stroke: colour ? "none" : color("line"),
        }),
      );
      from = to;
    }
    if (slowest < 0) return found;
    // The slowest rank is marked by more than a colour.
    const place = this.cells.findIndex(([a, b]) => a <= slowest && slowest < b);
    const ink = colours[all[place]!]?.ink ?? color("text");
    const cx = this.left + this.cell * (place + 0.5) - gap / 2;
    const [r, halo] = [
      Math.max(2.5, Math.min(4, this.cell / 3)),
      all[place]! >= 0 ? colours[all[place]!]!.fill : "none",
    ];
    found.push(svg("circle", { cx, cy: y + ROW / 2, r, fill: ink, stroke: halo, "stroke-width": 1, class: "slowest" }));
    return found;
  }

  /** Around the column of the rank that the page shows. */
  private frame(height: number): SVGElement {
    const shown = this.options.shown();
    const place = this.cells.findIndex(([from, to]) => from <= shown && shown < to);
    return svg("rect", {
      x: this.left + this.cell * Math.max(0, place) - 1,
      y: TOP - 1,
      width: this.cell + 1,
      height: height - TOP,
      fill: "none",
      stroke: place < 0 ? "none" : color("accent"),
      "stroke-width": 2,
    });
  }

  private placeAt(event: MouseEvent): { line: number; cell: number } | null {
    const box = this.drawn?.getBoundingClientRect();
    if (!box) return null;
    const line = Math.floor((event.clientY - box.top - TOP) / ROW);
    const cell = Math.floor((event.clientX - box.left - this.left) / this.cell);
    if (line < 0 || line >= this.lines.length || cell >= this.cells.length) return null;
    return { line, cell: Math.max(-1, cell) };
  }

  private press(event: MouseEvent): void {
    const found = this.placeAt(event);
    if (found) this.open(found);
  }

  /** A name leads into the module, or out of it again; a cell to the rank. */
  private open({ line, cell }: { line: number; cell: number }): void {
    const { select, selected, choose } = this.options;
    const { node } = this.lines[line]!;
    if (cell < 0) select(node === selected() && node.above ? node.above : node);
    else choose(this.slowestIn(line, cell));
  }

  /** The rank of a cell that has the most. */
  private slowestIn(line: number, cell: number): number {
    const [from, to] = this.cells[cell]!;
    const { values } = this.lines[line]!.spread;
    let found = from;
    for (let place = from; place < to; place += 1) if (values[place]! > values[found]!) found = place;
    return found;
  }

  private point(event: PointerEvent): void {
    const found = this.placeAt(event);
    this.options.hover(found ? this.lines[found.line]!.node : null);
    this.tip.hidden = !found || event.pointerType === "touch";
    if (!found || this.tip.hidden) return;
    this.fillTip(found.line, found.cell);
    this.placeTip(event.clientX, event.clientY);
  }

  /** Arrows move, Enter opens, Escape goes up. */
  private key(event: KeyboardEvent): void {
    const { selected, select } = this.options;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const at = this.at;
    if (step) {
      const [down, right] = step as [number, number];
      const line = at ? Math.min(this.lines.length - 1, Math.max(0, at.line + down)) : 0;
      const cell = at ? Math.min(this.cells.length - 1, Math.max(-1, at.cell + right)) : 0;
      this.mark({ line, cell });
    } else if ((event.key === "Enter" || event.key === " ") && at) this.open(at);
    else if (event.key === "Escape" && selected().above) select(selected().above!);
    else return;
    event.preventDefault();
  }

  private mark(at: { line: number; cell: number } | null): void {
    this.at = at;
    this.drawn?.querySelector(".heat-mark")?.remove();
    this.tip.hidden = !at;
    this.options.hover(at ? this.lines[at.line]!.node : null);
    if (!at || !this.drawn) return;
    const y = TOP + ROW * at.line;
    const [x, width] = at.cell < 0 ? [0, this.left - 4] : [this.left + this.cell * at.cell, this.cell];
    const shape = svg("rect", {
      class: "heat-mark",
      x,
      y,
      width,
      height: ROW,
      fill: "none",
      stroke: color("text"),
      "stroke-width": 2,
    });
    this.drawn.append(shape);
    this.fillTip(at.line, at.cell);
    const box = shape.getBoundingClientRect();
    this.placeTip(box.left, box.bottom);
    this.options.spoken.textContent = this.said(at.line, at.cell);
  }

  private said(line: number, cell: number): string {
    const { spreads, metric, numbers } = this.options;
    const { node, spread } = this.lines[line]!;
    const { kind, label } = spreads.tree.metric(metric());
    const path = spreads.tree.path(node);
    if (cell < 0) {
      const slow = spread.slowest < 0 ? "even on all ranks" : `slowest rank ${numbers[spread.slowest]}`;
      return `${path}, ${human(Math.round(spread.mean), kind)} ${label} on a rank, ${slow}`;
    }
    const place = this.slowestIn(line, cell);
    return `${path}, rank ${numbers[place]}: ${human(spread.values[place]!, kind)} ${label}, ${against(spread, place)}`;
  }

  private fillTip(line: number, cell: number): void {
    const { spreads, metric, numbers } = this.options;
    const { node, spread } = this.lines[line]!;
    const { tree } = spreads;
    const list = el("dl");
    const put = (label: string, ...values: string[]): void =>
      list.append(el("dt", {}, label), ...[...values, ""].slice(0, 2).map((value) => el("dd", {}, value)));
    const place = cell < 0 ? -1 : this.slowestIn(line, cell);
    const keys = new Set([metric(), "flops", "time_ns", "wire_bytes"]);
    for (const { key, label, kind } of tree.metrics) {
      if (!keys.has(key) || !spreads.has(key)) continue;
      const found = spreads.of(node, key);
      if (place < 0) put(`${label}, mean`, human(Math.round(found.mean), kind));
      else put(label, human(found.values[place]!, kind), against(found, place));
    }
    put("max/mean", spread.imbalance === null ? "–" : spread.imbalance.toFixed(3));
    if (spread.slowest >= 0) put("slowest", `rank ${numbers[spread.slowest]}`);
    const ranks = cell < 0 ? "" : `rank ${numbers[place]}${this.others(cell)}`;
    this.tip.replaceChildren(el("b", {}, tree.path(node)), el("p", { class: "muted" }, ranks), list);
  }

  private others(cell: number): string {
    const [from, to] = this.cells[cell]!;
    const { numbers } = this.options;
    return to - from > 1 ? `, the most of ranks ${exact(numbers[from]!)} to ${exact(numbers[to - 1]!)}` : "";
  }

  private placeTip(x: number, y: number): void {
    const { offsetWidth, offsetHeight } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - offsetWidth - 8))}px`;
    this.tip.style.top = `${y + 18 + offsetHeight > innerHeight ? Math.max(4, y - offsetHeight - 12) : y + 18}px`;
  }
}

/** How far a rank is from the mean: "+18.8 %", "the mean". */
export const against = ({ values, mean }: Spread, place: number): string => {
  if (!mean) return "";
  const share = (Number(values[place]) / mean - 1) * 100;
  if (Math.abs(share) < 0.05) return "the mean";
  return `${share > 0 ? "+" : "−"}${Math.abs(share).toFixed(1)} %`;
};
