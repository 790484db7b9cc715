/** Many inputs: a histogram whose bars open the samples in them, each sample's own run, and the load of experts. */
import { bin, extent } from "d3-array";
import { scaleLinear } from "d3-scale";
import { shareColumn } from "../model/figures.ts";
import type { Expert, Load, Samples } from "../model/payload.ts";
import type { Tree } from "../model/tree.ts";
import { byId, el, svg } from "../shared/dom.ts";
import { FONTS } from "../shared/measure.ts";
import { exact, human, plural, WIDEST, type Raw } from "../shared/numbers.ts";
import { longest, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";

interface Sample {
  place: number;
  name: string;
  flops: Raw;
  run: number | null;
}

export interface Bin {
  from: number;
  to: number;
  /** Places of the samples in it. */
  samples: number[];
}

/** Values in at most 30 ranges of equal width; the last one holds the largest value. */
export const bins = (values: number[]): Bin[] => {
  const [least = 0, most = 0] = extent(values);
  if (least === most) return [{ from: least, to: most, samples: values.map((_, i) => i) }];
  const count = Math.min(30, Math.max(6, Math.ceil(Math.sqrt(values.length))));
  const edges = Array.from({ length: count - 1 }, (_, i) => least + ((i + 1) * (most - least)) / count);
  const found = bin<number, number>()
    .value((i) => values[i]!)
    .domain([least, most])
    .thresholds(edges)(values.map((_, i) => i));
  return found.map((range) => ({ from: range.x0!, to: range.x1!, samples: [...range] }));
};

const HEIGHT = 210;
const LEFT = 44;
const BOTTOM = 38;
const TOP = 24;

export class SampleViews {
  private readonly table: Table<Sample>;
  private readonly rows: Sample[];
  private readonly picture = el("div", {
    class: "histogram",
    role: "group",
    "aria-label": "How many samples cost how many FLOPs",
  });
  private readonly all: HTMLButtonElement;
  private readonly ranges: Bin[];
  private chosen: Bin | null = null;

  constructor(
    samples: Samples,
    /** True for the sample that the page shows. */
    selected: (sample: Sample) => boolean,
    choose: (run: number, label: string) => void,
  ) {
    const { label, flops, distribution, run } = samples;
    this.rows = label.map((name, i) => ({ place: i + 1, name, flops: flops[i]!, run: run[i]! }));
    this.ranges = bins(flops.map(Number));
    const rounded = (value: Raw): Raw =>
      typeof value === "string" || Number.isInteger(value) ? value : Math.round(value);
    const facts = Object.entries({ samples: label.length, ...distribution }).map(([name, value]) =>
      el(
        "div",
        {},
        el("dt", {}, name),
        el("dd", { title: String(value) }, name === "samples" ? exact(value) : human(rounded(value))),
      ),
    );
    const section = byId("samples");
    section.hidden = false;
    const list = el("div");
    const help = el(
      "p",
      { class: "muted small" },
      "A bar lists the samples in it below; a sample's row shows it in the chart and the tables above.",
    );
    const without = run.filter((place) => place === null).length;
    const left = el(
      "p",
      { class: "small", id: "samples-left-out" },
      `The page has the modules of ${exact(label.length - without)} of the ${plural(label.length, "sample")}, those with the least, the median and the most FLOPs first. Of the other ${exact(without)} it has the FLOPs alone; report.by_sample() has all.`,
    );
    section.replaceChildren(
      el("header", { class: "head" }, el("h2", { id: "samples-title" }, "FLOPs over the samples")),
      el("dl", { class: "figures" }, ...facts),
      this.picture,
      help,
      ...(without ? [left] : []),
      list,
    );
    this.all = el(
      "button",
      { type: "button", class: "button", hidden: true, onclick: () => this.filter(null) },
      "All samples",
    );
    this.table = new Table<Sample>({
      section: list,
      id: "each",
      title: "Each sample",
      noun: "sample",
      controls: [this.all],
      selected,
      choose: (row) => row.run !== null && choose(row.run, row.name),
      columns: [
        {
          key: "name",
          label: "Sample",
          fixed: true,
          value: (row) => row.name,
          text: (row) => row.name,
          tip: (row) => row.name + (row.run === null ? ": only its FLOPs are on this page" : ""),
          search: true,
          paint: (cell, row) => {
            cell.classList.add("name");
            const text = el("span", { class: "last" }, row.name); // which an ellipsis may end
            const press = row.run === null ? null : () => choose(row.run!, row.name);
            cell.append(press ? el("button", { type: "button", "data-main": true, onclick: press }, text) : text);
          },
        },
        {
          key: "place",
          label: "Order",
          num: true,
          value: (row) => row.place,
          text: (row) => exact(row.place),
          room: () => exact(label.length),
        },
        {
          key: "flops",
          label: "FLOPs",
          num: true,
          value: (row) => Number(row.flops),
          text: (row) => human(row.flops),
          tip: (row) => exact(row.flops),
          room: () => WIDEST,
        },
      ],
    });
    this.table.show(this.rows);
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  /** The rows anew, after another run was chosen. */
  refresh(): void {
    this.table.paint();
  }

  private filter(range: Bin | null): void {
    this.chosen = range;
    this.all.hidden = !range;
    this.table.show(range ? range.samples.map((place) => this.rows[place]!) : this.rows);
    this.draw();
  }

  private draw(): void {
    const width = this.picture.clientWidth;
    if (!width) return;
    const most = Math.max(...this.ranges.map(({ samples }) => samples.length));
    const first = this.ranges[0]!;
    const last = this.ranges[this.ranges.length - 1]!;
    const x = scaleLinear([first.from, last.to === first.from ? first.from + 1 : last.to], [LEFT, width - 24]);
    const y = scaleLinear([0, most], [HEIGHT - BOTTOM, TOP]);
    const ticks = y.ticks(Math.min(4, most)).filter(Number.isInteger);
    const lines = ticks.flatMap((tick) => [
      svg("line", { class: "grid", x1: LEFT, x2: width - 24, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "axis", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, exact(tick)),
    ]);
    const marks = (
      first.from === last.to
        ? [first.from]
        : [...x.ticks(Math.max(2, Math.floor(width / 170))).slice(1, -1), first.from, last.to]
    ).map((value) => {
      const anchor = value === first.from ? "start" : value === last.to ? "end" : "middle";
      return [value, anchor, x(value)] as const;
    });
    const ends = [x(first.from), x(last.to)];
    const labels = marks
      .filter(
        ([value, , at]) => value === first.from || value === last.to || ends.every((end) => Math.abs(end - at) > 110),
      )
      .map(([value, anchor, at]) =>
        svg("text", { class: "axis", x: at, y: HEIGHT - BOTTOM + 16, "text-anchor": anchor }, human(Math.round(value))),
      );
    const bars = this.ranges.map((range) => {
      const start = this.ranges.length === 1 ? LEFT : x(range.from);
      const end = this.ranges.length === 1 ? LEFT + 60 : x(range.to);
      const text = `${human(Math.round(range.from))} to ${human(Math.round(range.to))} FLOPs: ${plural(range.samples.length, "sample")}`;
      const press = (): void => this.filter(this.chosen === range ? null : range);
      const key = (event: KeyboardEvent): void => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        press();
      };
      const shape = svg("rect", {
        class: this.chosen === range ? "bar chosen" : "bar",
        x: start + 1,
        y: y(range.samples.length),
        width: Math.max(1, end - start - 2),
        height: HEIGHT - BOTTOM - y(range.samples.length),
      });
      const area = svg("rect", {
        class: "area",
        x: start,
        y: TOP,
        width: Math.max(1, end - start),
        height: HEIGHT - BOTTOM - TOP,
      });
      if (!range.samples.length) return svg("g", {}, shape);
      return svg(
        "g",
        {
          role: "button",
          tabindex: 0,
          "aria-pressed": this.chosen === range ? "true" : "false",
          "aria-label": text,
          onclick: press,
          onkeydown: key,
        },
        svg("title", {}, text),
        area,
        shape,
      );
    });
    this.picture.replaceChildren(
      svg(
        "svg",
        { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "presentation", style: `font:${FONTS.tile}` },
        ...lines,
        ...bars,
        ...labels,
        svg("text", { class: "axis", x: 0, y: 12 }, "samples"),
        svg("text", { class: "axis", x: width - 24, y: HEIGHT - 1, "text-anchor": "end" }, "FLOPs of a sample"),
      ),
    );
  }
}

/** How evenly a router spreads its work, for each group of experts. */
export const showLoads = (loads: Load[], tree: Tree, go: (name: string) => void): void => {
  const section = byId("loads");
  section.hidden = !loads.length;
  section.replaceChildren(
    el("header", { class: "head" }, el("h2", { id: "loads-title" }, "Load of modules that inputs choose among")),
  );
  loads.forEach(({ row, imbalance, experts }, i) => {
    const name = tree.nameOf(row) || "(root)";
    const list = el("div");
    section.append(list);
    const table = new Table<Expert>({
      section: list,
      id: `load-${i}`,
      title: `${name}: the busiest has ${imbalance.toFixed(2)} times the mean`,
      noun: "module",
      of: `modules of ${name}`,
      few: true,
      columns: loadColumns(experts, go),
      yielding: ["calls", "tokens"],
    });
    table.show(experts);
  });
};

const loadColumns = (experts: Expert[], go: (name: string) => void): Column<Expert>[] => {
  const figure = (key: "calls" | "tokens", label: string): Column<Expert> => ({
    key,
    label,
    num: true,
    value: (expert) => expert[key],
    text: (expert) => (expert[key] === null ? "–" : exact(expert[key])),
    room: () => longest(experts.map((expert) => exact(expert[key] ?? 0))),
  });
  return [
    {
      key: "name",
      label: "Module",
      fixed: true,
      value: ({ name }) => name,
      text: ({ name }) => name,
      tip: ({ name }) => name,
      paint: (cell, { name }) => {
        cell.classList.add("name", "mono");
        const text = el("span", { class: "last" }, name); // which an ellipsis may end
        cell.append(el("button", { type: "button", "data-main": true, onclick: () => go(name) }, text));
      },
    },
    shareColumn<Expert>({
      help: "Share of the work of all of them",
      value: ({ share }) => share,
      whole: () => 1,
      head: () => "Share",
    }),
    {
      key: "flops",
      label: "FLOPs",
      num: true,
      value: ({ flops }) => BigInt(flops),
      text: ({ flops }) => human(flops),
      tip: ({ flops }) => exact(flops),
      room: () => WIDEST,
    },
    figure("tokens", "Tokens"),
    figure("calls", "Calls"),
  ];
};
