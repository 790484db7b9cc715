/** The dashboard: models with their newest figures, the trend and the runs of the one that is selected. */
import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type EChartsType } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { byId, chip, el, options } from "../shared/dom.ts";
import { date, exact, growth, human, plural, type Raw } from "../shared/numbers.ts";
import { payload, type Convention, type Metric } from "../shared/payload.ts";
import type { Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { color, followTheme } from "../shared/theme.ts";

use([LineChart, GridComponent, TooltipComponent, CanvasRenderer]);

interface Run {
  file: string;
  page: string;
  model: string;
  input: string;
  commit: string;
  labels: [string, string][];
  created: number;
  values: Record<string, Raw>;
  uncounted: string[];
  stopped: string | null;
}

interface Data {
  convention: Convention;
  metrics: Metric[];
  runs: Run[];
  bad: { file: string; error: string }[];
}

/** Runs of one model with one input, oldest first. */
interface Series {
  model: string;
  input: string;
  runs: Run[];
}

const data = payload<Data>();
const metrics = new Map(data.metrics.map((metric) => [metric.key, metric]));
const chosen = byId<HTMLSelectElement>("metric");
const before = new Map<Run, Run>();
const series: Series[] = [];

// Runs come sorted by model, input and time: neighbours of one model and input are a series.
for (const run of data.runs) {
  const last = series.at(-1);
  if (last && last.model === run.model && last.input === run.input) {
    before.set(run, last.runs.at(-1)!);
    last.runs.push(run);
  } else series.push({ model: run.model, input: run.input, runs: [run] });
}
const newest = (one: Series): Run => one.runs.at(-1)!;
const title = (one: Series): string => (one.input ? `${one.model}, ${one.input}` : one.model);
let selected = series.reduce((most, one) => (one.runs.length > most.runs.length ? one : most));

const change = (run: Run, key: string): number | null => {
  const earlier = before.get(run);
  if (!earlier) return null;
  const [then, now] = [Number(earlier.values[key]), Number(run.values[key])];
  return then ? (now - then) / then : now ? Infinity : 0;
};
const changeText = (run: Run, key: string): string => {
  const earlier = before.get(run);
  return earlier ? growth(earlier.values[key]!, run.values[key]!) : "";
};

type Of<Row> = (row: Row) => Run;

const figure = <Row>(key: string, of: Of<Row>): Column<Row> => {
  const { kind, label, help } = metrics.get(key)!;
  const text = (run: Run): string => human(run.values[key]!, kind);
  const widest = data.runs.map(text).reduce((most, one) => (one.length > most.length ? one : most), "");
  return { key, label, help, num: true, value: (row) => Number(of(row).values[key]), text: (row) => text(of(row)), tip: (row) => exact(of(row).values[key]!), room: () => widest };
};

const changed = <Row>(key: string, of: Of<Row>): Column<Row> => ({
  key: `${key}-change`,
  label: "Change",
  help: `Change of ${metrics.get(key)!.label} from the run before`,
  num: true,
  value: (row) => change(of(row), key),
  text: (row) => changeText(of(row), key),
  room: () => "+1,000.0 %",
  paint: (cell, row) => {
    const share = change(of(row), key) ?? 0;
    if (share) cell.classList.add(share > 0 ? "up" : "down");
    cell.textContent = changeText(of(row), key);
  },
});

const words = <Row>(key: string, label: string, value: (row: Row) => string, room: string): Column<Row> => ({ key, label, value, text: value, tip: value, search: true, room: () => room });

const state = (run: Run): string =>
  [...run.uncounted.map((op) => `not counted: ${op}`), ...(run.stopped === null ? [] : [`stopped in ${run.stopped || "(root)"}`])].join(", ");

const status = <Row>(of: Of<Row>): Column<Row> => ({
  key: "state",
  label: "Status",
  value: (row) => state(of(row)),
  text: (row) => (state(of(row)) ? "incomplete" : "complete"),
  tip: (row) => state(of(row)) || "Everything was counted",
  search: true,
  room: () => "incomplete",
  extra: 18,
  paint: (cell, row) => {
    const incomplete = state(of(row)) !== "";
    cell.append(el("span", { class: incomplete ? "badge unknown" : "badge" }, incomplete ? "incomplete" : "complete"));
  },
});

const open = <Row>(of: Of<Row>): Column<Row> => ({
  key: "page",
  label: "Report",
  value: (row) => of(row).file,
  text: () => "Open",
  search: true,
  room: () => "Open",
  paint: (cell, row) => cell.append(el("a", { href: of(row).page, title: of(row).file }, "Open")),
});

const figures = <Row>(of: Of<Row>): Column<Row>[] => [
  figure("flops", of),
  changed("flops", of),
  figure("params", of),
  changed("params", of),
  figure("activations", of),
  figure("bytes", of),
];

const models = new Table<Series>({
  section: byId("models"),
  id: "models",
  title: "Models",
  noun: "model",
  selected: (one) => one === selected,
  choose: (one) => choose(one),
  columns: [
    {
      key: "model",
      label: "Model",
      fixed: true,
      value: (one) => one.model,
      text: (one) => one.model,
      search: true,
      paint: (cell, one) => {
        cell.classList.add("name");
        cell.append(el("button", { type: "button", title: one.model, "data-main": true, onclick: () => choose(one) }, el("span", { class: "last" }, one.model)));
      },
    },
    words("input", "Input", (one) => one.input, "1×3×224×224"),
    ...figures(newest),
    { key: "count", label: "Runs", num: true, value: (one) => one.runs.length, text: (one) => String(one.runs.length), room: () => "1,000" },
    words("commit", "Newest", (one) => newest(one).commit || date(newest(one).created), "0123456789ab"),
    status(newest),
    open(newest),
  ],
});

const same = (run: Run): Run => run;
const runs = new Table<Run>({
  section: byId("runs"),
  id: "runs",
  title: "Runs",
  noun: "run",
  columns: [
    { key: "when", label: "When", fixed: true, value: (run) => run.created, text: (run) => date(run.created) },
    words("commit", "Commit", (run) => run.commit, "0123456789ab"),
    ...figures(same),
    words("labels", "Labels", (run) => run.labels.map(([key, value]) => `${key}=${value}`).join(", "), "machine=a, mode=train"),
    status(same),
    open(same),
  ],
});

let chart: EChartsType | null = null;

const start = (): EChartsType => {
  const element = byId("trend");
  const made = init(element, null, { renderer: "canvas" });
  new ResizeObserver(() => made.resize()).observe(element);
  made.on("click", ({ dataIndex }) => {
    location.href = selected.runs[dataIndex]!.page;
  });
  return made;
};

const tip = (run: Run, key: string): HTMLElement =>
  el("div", {}, el("b", {}, run.commit || run.file), el("br"), date(run.created), el("br"), `${exact(run.values[key]!)} ${metrics.get(key)!.label} ${changeText(run, key)}`);

const draw = (): void => {
  const key = chosen.value;
  const { kind } = metrics.get(key)!;
  const line = { lineStyle: { color: color("line") } };
  const text = { color: color("muted") };
  const accent = color("accent");
  const name = (run: Run): string => (run.commit || date(run.created).slice(0, 10)).slice(0, 12);
  chart ??= start();
  chart.setOption(
    {
      animation: false,
      tooltip: {
        trigger: "axis",
        appendTo: "body",
        confine: true,
        backgroundColor: color("panel"),
        borderColor: color("line"),
        textStyle: { color: color("text"), fontSize: 13 },
        extraCssText: "max-width:min(460px,90vw);white-space:normal;overflow-wrap:anywhere;",
        formatter: ([point]: { dataIndex: number }[]) => tip(selected.runs[point!.dataIndex]!, key),
      },
      grid: { left: 72, right: 24, top: 20, bottom: 40 },
      xAxis: { type: "category", data: selected.runs.map((_, i) => String(i)), axisLabel: { ...text, hideOverlap: true, formatter: (place: string) => name(selected.runs[Number(place)]!) }, axisLine: line },
      yAxis: { type: "value", min: 0, axisLabel: { ...text, formatter: (value: number) => human(Math.round(value), kind) }, splitLine: line },
      series: { type: "line", data: selected.runs.map((run) => Number(run.values[key])), symbol: "circle", symbolSize: 9, step: "end", lineStyle: { color: accent, width: 2 }, itemStyle: { color: accent } },
    },
    { notMerge: true },
  );
};

const choose = (one: Series): void => {
  selected = one;
  byId("trend-title").textContent = title(one);
  runs.show([...one.runs].reverse());
  models.paint();
  draw();
};

byId("labels").replaceChildren(chip("reports", data.runs.length), chip("series", series.length), chip("convention", `${data.convention.name} (${data.convention.unit})`));
if (data.bad.length) {
  const section = byId("bad");
  section.hidden = false;
  section.replaceChildren(
    el("h2", { id: "bad-title" }, `${plural(data.bad.length, "file")} could not be read`),
    el("ul", {}, ...data.bad.map(({ file, error }) => el("li", {}, el("b", { class: "mono" }, file), ` ${error}`))),
  );
}
byId("footer").textContent = "Made by dispatchcount.";
options(chosen, data.metrics.map(({ key, label }) => [key, label] as const));
chosen.addEventListener("change", draw);
followTheme(draw);
models.show(series);
choose(selected);
