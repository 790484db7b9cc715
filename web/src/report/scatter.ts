/** Operators as dots: FLOPs a second against FLOPs for each byte, both axes logarithmic. */
import { scaleLog, scaleSqrt } from "d3-scale";
import type { Roof } from "../model/payload.ts";
import { el, svg } from "../shared/dom.ts";
import { FONTS, textWidth } from "../shared/measure.ts";
import { human, part, percent } from "../shared/numbers.ts";

export interface Point {
  name: string;
  /** FLOPs for each byte. */
  intensity: number;
  /** FLOPs a second. */
  rate: number;
  /** Nanoseconds, which the area of the dot stands for. */
  time: number;
  /** What is said of it beside its figures. */
  more?: string;
}

const HEIGHT = 300;
const LEFT = 78;
const RIGHT = 24;
const BOTTOM = 44;
const TOP = 14;
const MOST_NAMED = 14;
const GAP = 4; // pixels between a dot and its name
const LINE = 13;

const around = (values: number[]): [number, number] => [Math.min(...values) / 2, Math.max(...values) * 2];

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/**
 * Where names stand beside their dots: whole, and on no dot or other name. What finds no such place is left out.
 *
 * The table below the picture has all names.
 */
export const placed = (
  names: { text: string; dot: Box }[],
  dots: Box[],
  room: { left: number; right: number },
): { text: string; left: number; level: number }[] => {
  const taken = [...dots];
  return names.flatMap(({ text, dot }) => {
    const width = textWidth(text, "tile");
    const middle = (dot.top + dot.bottom) / 2;
    for (const left of [dot.right + GAP, dot.left - GAP - width]) {
      const box = { left, right: left + width, top: middle - LINE / 2, bottom: middle + LINE / 2 };
      const free = taken.every((one) => one === dot || !overlap(one, box));
      if (left < room.left || box.right > room.right || !free) continue;
      taken.push(box);
      return [{ text, left, level: middle + 4 }];
    }
    return [];
  });
};

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/**
 * The dots are a list for the keyboard: one stop of the tab key, from which arrows, Home and End go from dot to dot, the
 * longest first.
 */
export class Scatter {
  readonly picture = el("div", { class: "roofline", role: "listbox" });
  private found: Point[] = [];
  private roofs: Roof[] = [];
  private whole = 0;
  private dots: SVGElement[] = [];

  constructor(
    /** The pointer or the focus is on the dot of this name, or on none. */
    private readonly hover: (name: string | null) => void,
  ) {
    new ResizeObserver(() => this.draw()).observe(this.picture);
    this.picture.addEventListener("pointerleave", () => this.hover(null));
    this.picture.addEventListener("focusout", () => this.hover(null));
    this.picture.addEventListener("keydown", (event) => this.move(event));
  }

  /** Draw these points; `whole` is the time that their times are parts of, `said` what a reader hears. */
  show(points: Point[], whole: number, said: string, roofs: Roof[] = []): void {
    this.found = points;
    this.whole = whole;
    this.roofs = roofs;
    this.picture.setAttribute("aria-label", said);
    this.draw();
  }

  private draw(): void {
    const width = this.picture.clientWidth;
    if (!width || !this.found.length) return;
    const ridges = this.roofs.map(({ peak, bandwidth }) => peak / bandwidth);
    const rates = this.found.map(({ rate }) => rate);
    const x = scaleLog(around([...this.found.map(({ intensity }) => intensity), ...ridges]), [LEFT, width - RIGHT]);
    const y = scaleLog(around([...rates, ...this.roofs.map(({ peak }) => peak)]), [HEIGHT - BOTTOM, TOP]);
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
    const [left, right] = x.domain() as [number, number];
    const bottom = y.domain()[0]!;
    const roofs = this.roofs.map(({ name, peak, bandwidth }) => {
      const from = Math.max(left, bottom / bandwidth); // where the slope enters the picture
      const corners = [from, peak / bandwidth, right].map((at) => `${x(at)},${y(Math.min(peak, at * bandwidth))}`);
      return svg(
        "g",
        {},
        svg("title", {}, `${name}: ${human(peak, "ratio")} FLOP/s, ${human(bandwidth, "bytes")}/s`),
        svg("polyline", { class: "roof", points: corners.join(" ") }),
        svg("text", { class: "axis", x: width - RIGHT, y: y(peak) - 5, "text-anchor": "end" }, name),
      );
    });
    const held = this.dots.indexOf(document.activeElement as SVGElement);
    this.dots = this.found.map(({ name, intensity, rate, time, more }, place) => {
      const text = `${name}: ${human(intensity, "ratio")} FLOP/byte, ${human(rate, "ratio")} FLOP/s, ${human(time, "time")}, ${percent(part(time, this.whole))} of the time${more ? `, ${more}` : ""}`;
      return svg(
        "g",
        {
          role: "option",
          tabindex: place ? -1 : 0,
          "aria-label": text,
          "aria-selected": "false",
          onpointerenter: () => this.hover(name),
          onfocus: () => this.reached(place),
        },
        svg("title", {}, text),
        svg("circle", { class: "dot", cx: x(intensity), cy: y(rate), r: size(time) }),
      );
    });
    const boxes = this.found.map(({ intensity, rate, time }) => {
      const [cx, cy, r] = [x(intensity), y(rate), size(time)];
      return { left: cx - r, right: cx + r, top: cy - r, bottom: cy + r };
    });
    const names = placed(
      this.found.slice(0, MOST_NAMED).map(({ name }, i) => ({ text: name.replace(/^aten\./, ""), dot: boxes[i]! })),
      boxes,
      { left: LEFT, right: width - RIGHT },
    ).map(({ text, left, level }) => svg("text", { class: "label", x: left, y: level }, text));
    const axes = [
      svg("text", { class: "axis", x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, "FLOP/byte"),
      svg("text", { class: "axis", x: 0, y: TOP - 2 }, "FLOP/s"),
    ];
    this.picture.replaceChildren(
      svg(
        "svg",
        {
          width,
          height: HEIGHT,
          viewBox: `0 0 ${width} ${HEIGHT}`,
          role: "presentation",
          style: `font:${FONTS.tile}`,
        },
        svg("g", { "aria-hidden": "true" }, ...grid, ...roofs),
        ...this.dots,
        svg("g", { "aria-hidden": "true" }, ...names, ...axes),
      ),
    );
    this.dots[held]?.focus({ preventScroll: true }); // the picture may be drawn anew under the focus
  }

  /** The focus came to a dot: it is the one that the tab key comes back to. */
  private reached(place: number): void {
    this.dots.forEach((dot, i) => {
      dot.setAttribute("tabindex", i === place ? "0" : "-1");
      dot.setAttribute("aria-selected", String(i === place));
    });
    this.hover(this.found[place]!.name);
  }

  private move(event: KeyboardEvent): void {
    const place = this.dots.indexOf(event.target as SVGElement);
    const last = this.dots.length - 1;
    const to = new Map([
      ["ArrowRight", place + 1],
      ["ArrowDown", place + 1],
      ["ArrowLeft", place - 1],
      ["ArrowUp", place - 1],
      ["Home", 0],
      ["End", last],
    ]).get(event.key);
    if (place < 0 || to === undefined) return;
    event.preventDefault();
    this.dots[Math.min(last, Math.max(0, to))]!.focus();
  }
}
