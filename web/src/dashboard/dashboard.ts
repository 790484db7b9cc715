/** The dashboard: series with their newest figures, the trends of those that are chosen, and their runs. */
import { showExport } from "../chart/files.ts";
import { Address } from "../model/address.ts";
import { byId, chip, el, options, pick } from "../shared/dom.ts";
import { date, minute, plural } from "../shared/numbers.ts";
import { Table, UNCHANGED } from "../shared/table/table.ts";
import { visible } from "../shared/visible.ts";
import { listenToFrame } from "../shared/frame.ts";
import { figures, open, status, words } from "./columns.ts";
import { readView, writeView, type View } from "./address.ts";
import { data, newest, seriesOf, type Run, type Series } from "./data.ts";
import { MOST, Trend } from "./trend.ts";

const chosen = byId<HTMLSelectElement>("metric");
const trend = new Trend(byId("trend"));

const longest = data.series.reduce((most, one) => (one.runs.length > most.runs.length ? one : most));
const usual: View = { metric: data.metrics[0]!.key, series: [longest.name], models: UNCHANGED, runs: UNCHANGED };
/** The series in the chart, in the order in which they came. */
let drawn: Series[] = [longest];

/** Draw one series alone. */
const choose = (one: Series): void => show([one]);

/** Draw one series beside the others, or leave it out. The last one stays. */
const toggle = (one: Series): void => {
  const others = drawn.filter((other) => other !== one);
  if (others.length === drawn.length) show([...drawn, one].slice(-MOST));
  else show(others.length ? others : drawn);
};

const models = new Table<Series>({
  section: byId("models"),
  id: "models",
  title: "Models",
  noun: "series",
  plural: "series",
  selected: (one) => drawn.includes(one),
  choose,
  changed: () => address.remember(),
  columns: [
    {
      key: "model",
      label: "Series",
      fixed: true,
      value: (one) => one.name,
      text: (one) => one.name,
      search: true,
      paint: (cell, one) => {
        cell.classList.add("name");
        cell.append(
          el(
            "button",
            { type: "button", title: one.name, "data-main": true, onclick: () => choose(one) },
            el("span", { class: "last" }, one.name),
          ),
        );
      },
    },
    {
      key: "drawn",
      label: "Chart",
      help: "Series in the chart below",
      value: (one) => (drawn.includes(one) ? 0 : 1),
      text: (one) => (drawn.includes(one) ? "drawn" : ""),
      room: () => "Chart",
      paint: (cell, one) => {
        cell.append(
          el("input", {
            type: "checkbox",
            checked: drawn.includes(one),
            "aria-label": `Draw ${one.name}`,
            onclick: (event: Event) => {
              event.stopPropagation(); // a click on the row draws the series alone
              toggle(one);
            },
          }),
        );
      },
    },
    ...figures(newest),
    {
      key: "count",
      label: "Runs",
      num: true,
      value: (one) => one.runs.length,
      text: (one) => String(one.runs.length),
      room: () => "1,000",
    },
    words("commit", "Newest", (one) => newest(one).commit || date(newest(one).created), "0123456789ab"),
    status(newest),
    open(newest),
  ],
  yielding: ["bytes", "activations", "commit", "params-change", "params", "count", "drawn", "status"],
});

const same = (run: Run): Run => run;

const runs = new Table<Run>({
  section: byId("runs"),
  id: "runs",
  title: "Runs",
  noun: "run",
  changed: () => address.remember(),
  columns: [
    {
      key: "when",
      label: "When (UTC)",
      fixed: true,
      value: (run) => run.created,
      text: (run) => minute(run.created),
      room: () => "2026-12-24 00:00",
      file: { value: (run) => minute(run.created) },
    },
    words("commit", "Commit", (run) => run.commit, "0123456789ab"),
    words("series", "Series", (run) => seriesOf(run).name, "resnet50, 1×3×224×224"),
    ...figures(same),
    {
      ...words<Run>(
        "labels",
        "Labels",
        (run) => run.labels.map(([key, value]) => `${key}=${value}`).join(", "),
        "machine=a, mode=train",
      ),
      hidden: data.series.every((one) => one.runs.every(({ labels }) => !labels.length)),
    },
    status(same),
    open(same),
  ],
  yielding: ["labels", "bytes", "activations", "params-change", "params", "series", "status", "commit"],
});

// The address that leads back to what is shown.

const address = new Address<View>({
  write: () =>
    writeView(
      { metric: chosen.value, series: drawn.map(({ name }) => name), models: models.view, runs: runs.view },
      usual,
    ),
  read: (hash) => readView(hash, usual),
  usual,
});

/** Show what an address tells; returns what of it there is not, in words. */
const restore = (view: View): string[] => {
  const known = pick(chosen, view.metric);
  const found = view.series.flatMap((name) => data.series.find((one) => one.name === name) ?? []);
  models.restoreView(view.models);
  runs.restoreView(view.runs);
  show(found.length ? found.slice(-MOST) : [longest]);
  const names = new Set(found.map(({ name }) => name));
  const gone = view.series.filter((name) => !names.has(name)).map((name) => `series “${name}”`);
  return known ? gone : [...gone, `figure “${view.metric}”`];
};

const draw = (): void => trend.draw(drawn, chosen.value);

function show(series: Series[]): void {
  drawn = series;
  byId("trend-title").textContent =
    series.length === 1 ? visible(series[0]!.name) : plural(series.length, "series", "series");
  runs.show(series.flatMap((one) => one.runs).sort((a, b) => b.created - a.created));
  models.paint();
  draw();
  address.remember();
}

const reports = data.series.reduce((sum, one) => sum + one.runs.length, 0);
byId("labels").replaceChildren(
  chip("reports", reports),
  chip("series", data.series.length),
  chip("convention", `${data.convention.name} (${data.convention.unit})`),
);
const alone = data.series.filter((one) => !one.labelled);
const notes = [
  ...data.bad.map(({ file, error }) => el("li", {}, el("b", { class: "mono" }, file), ` could not be read: ${error}`)),
  ...(alone.length
    ? [
        el(
          "li",
          {},
          `${plural(alone.length, "report")} without a label “model” stand alone, because models of one class may differ: ${alone.map(({ runs: [run] }) => run!.file).join(", ")}`,
        ),
      ]
    : []),
];
if (notes.length) {
  const section = byId("notes");
  section.hidden = false;
  section.replaceChildren(
    el(
      "details",
      {},
      el(
        "summary",
        { id: "notes-title" },
        `${plural(data.bad.length, "file")} left out, ${plural(alone.length, "report")} without a label`,
      ),
      el("ul", {}, ...notes),
    ),
  );
}
byId("footer").textContent = "Made by dispatchcount.";
options(
  chosen,
  data.metrics.map(({ key, label }) => [key, label] as const),
);
chosen.addEventListener("change", () => {
  draw();
  address.remember();
});
showExport({
  names: () => ["Model costs"],
  chart: "Chart",
  pictures: () => [["", trend.picture]],
  table: runs,
  remember: () => address.remember(),
});
listenToFrame(draw);
models.show(data.series);
address.follow(restore);
