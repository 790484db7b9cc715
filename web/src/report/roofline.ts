/** Where time was measured: how fast operators ran, against how much they compute for each byte that they move. */
import { scaleLog, scaleSqrt } from "d3-scale";
import type { OperatorSum, Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el, svg } from "../shared/dom.ts";
import { FONTS, fitted } from "../shared/measure.ts";
import { human, part, percent } from "../shared/numbers.ts";

interface Point {
  name: string;
  /** FLOPs for each byte. */
  intensity: number;
  /** FLOPs a second. */
  rate: number;
  time: number;
}

/** Operators that did something, moved bytes and took time, the longest first. */
export const points = (sums: OperatorSum[]): Point[] =>
  sums
    .map(({ name, values }) => ({
      name,
      flops: Number(values.get("flops") ?? 0),
      bytes: Number(values.get("bytes") ?? 0),
      time: Number(values.get("time_ns") ?? 0),
    }))
    .filter(({ flops, bytes, time }) => flops > 0 && bytes > 0 && time > 0)
    .map(({ name, flops, bytes, time }) => ({ name, intensity: flops / bytes, rate: (flops * 1e9) / time, time }))
    .sort((a, b) => b.time - a.time);

const HEIGHT = 300;
const LEFT = 78;
const RIGHT = 24;
const BOTTOM = 44;
const TOP = 14;
const MOST_NAMED = 14;

const around = (values: number[]): [number, number] => [Math.min(...values) / 2, Math.max(...values) * 2];

export class Roofline {
  private found: Point[] = [];
  private whole = 0;
  private readonly picture = el("div", { class: "roofline", role: "img" });
  private readonly note = el("p", { class: "muted small" });

  constructor(
    private readonly tree: Tree,
    private readonly run: () => Run,
  ) {
    const section = byId("roofline");
    section.hidden = false;
    section.replaceChildren(
      el("header", { class: "head" }, el("h2", { id: "roofline-title" }, "Speed of operators")),
      this.note,
      this.picture,
    );
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  show(node: Node): void {
    this.found = points(this.tree.operators(node, this.run()));
    this.whole = Number(this.tree.total(node, "time_ns", this.run()));
    byId("roofline").hidden = !this.found.length;
    this.note.textContent =
      "Each operator below the selected module, by FLOPs for each byte and FLOPs a second; its area is the time that it took with the profiler on.";
    const [first] = this.found;
    this.picture.setAttribute(
      "aria-label",
      first
        ? `${this.found.length} operators. ${first.name} took longest, ${percent(part(first.time, this.whole))} of the time. The operator table has the figures.`
        : "",
    );
    this.draw();
  }

  private draw(): void {
    const width = this.picture.clientWidth;
    if (!width || !this.found.length) return;
    const x = scaleLog(around(this.found.map(({ intensity }) => intensity)), [LEFT, width - RIGHT]);
    const y = scaleLog(around(this.found.map(({ rate }) => rate)), [HEIGHT - BOTTOM, TOP]);
    const size = scaleSqrt([0, Math.max(...this.found.map(({ time }) => time))], [3, 22]);
    const tens = (scale: typeof x): number[] => {
      const all = scale.ticks().filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e6) / 1e6));
      return all.length ? all : scale.ticks(3);
    };
    const grid = [
      ...tens(x).flatMap((tick) => [
        svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: HEIGHT - BOTTOM }),
        svg(
          "text",
          { class: "axis", x: x(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" },
          human(tick, "ratio"),
        ),
      ]),
      ...tens(y).flatMap((tick) => [
        svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "axis", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, human(tick, "ratio")),
      ]),
    ];
    const dots = this.found.map(({ name, intensity, rate, time }) => {
      const text = `${name}: ${human(intensity, "ratio")} FLOP/byte, ${human(rate, "ratio")} FLOP/s, ${human(time, "time")}, ${percent(part(time, this.whole))} of the time`;
      return svg(
        "g",
        {},
        svg("title", {}, text),
        svg("circle", { class: "dot", cx: x(intensity), cy: y(rate), r: size(time) }),
      );
    });
    const names: SVGTextElement[] = [];
    const taken: [number, number][] = [];
    for (const { name, intensity, rate, time } of this.found.slice(0, MOST_NAMED)) {
      const [at, level] = [x(intensity) + size(time) + 4, y(rate) + 4];
      // A name that would lie on another is left out; the operator table has all.
      if (taken.some(([a, b]) => Math.abs(b - level) < 13 && Math.abs(a - at) < 150)) continue;
      const shown = fitted(name.replace(/^aten\./, ""), width - RIGHT - at, "tile");
      if (!shown) continue;
      taken.push([at, level]);
      names.push(svg("text", { class: "label", x: at, y: level }, shown));
    }
    const axes = [
      svg("text", { class: "axis", x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, "FLOP/byte"),
      svg("text", { class: "axis", x: 0, y: TOP - 2 }, "FLOP/s"),
    ];
    this.picture.replaceChildren(
      svg(
        "svg",
        { width, height: HEIGHT, "aria-hidden": "true", style: `font:${FONTS.tile}` },
        ...grid,
        ...dots,
        ...names,
        ...axes,
      ),
    );
  }
}
