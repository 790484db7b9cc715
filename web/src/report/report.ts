/** The page of a report: one run and one selected module, which the chart and all tables follow. */
import { showExport } from "../chart/files.ts";
import { Address } from "../model/address.ts";
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import { offerRuns } from "../model/switch.ts";
import { showTrail } from "../model/trail.ts";
import { Tree, type Node } from "../model/tree.ts";
import { byId, el, options } from "../shared/dom.ts";
import { listenToFrame } from "../shared/frame.ts";
import { payload } from "../shared/payload.ts";
import { CollectiveTable } from "./collectives.ts";
import { Calls, showChosen } from "./details.ts";
import { Modules } from "./modules.ts";
import { OperatorTable } from "./operators.ts";
import { showGroups, showIssues, showLabels, showTotals, showWords } from "./parts.ts";
import { Picture } from "./picture.ts";
import { showRoof } from "./roof.ts";
import { Roofline } from "./roofline.ts";
import { RankViews } from "../ranks/views.ts";
import { SampleViews, showLoads } from "./samples.ts";
import { form, USUAL, type Place, type Shown } from "../model/state.ts";

const page = payload<ReportPage>();
const tree = new Tree(page);
const usual: Shown = { ...USUAL, metric: page.metrics[0]!.key };
const digits = el("input", { type: "checkbox", id: "exact" });

// What all views follow.
let metric = usual.metric;
let runPlace = 0;
let selected: Node = tree.top;
/** The sample that was chosen; samples that are alike share a run. */
let sampleName = "";
const run = (): Run => tree.runs[runPlace]!;

const picture = new Picture({
  tree,
  page,
  run,
  metric: () => metric,
  selected: () => selected,
  select: (node) => select(node),
  toggle: (node) => toggle(node),
  hover: (tile) => {
    modules.mark(tile?.node ?? null);
    operators.mark(tile?.operator ?? null);
  },
});
const { chart } = picture;
/** Light a module's tiles while the pointer is on its row. */
const light = (node: Node | null): void => chart.light(node && ((tile) => tile.node === node));
const modules = new Modules({
  section: byId("modules"),
  tree,
  page,
  run,
  metric: () => metric,
  selected: () => selected,
  digits,
  select: (node) => select(node),
  open: (node) => toggle(node),
  hover: light,
  changed: () => {
    chart.options.found = modules.filtering ? modules.found() : null;
    chart.look();
    address.remember();
  },
});
/** Light an operator's tiles, and the modules that ran it, while the pointer is on what stands for it. */
const lightOperator = (name: string | null): void => {
  const rows = name === null ? null : run().rowsOf(name);
  chart.light(
    rows && (({ node, operator }) => (operator ? operator === name : node.rows.some((row) => rows.has(row)))),
  );
};
const operators = new OperatorTable(tree, run, () => metric, digits, lightOperator);
/** As much for a dot, of which the table has all figures. */
const lightDot = (name: string | null): void => {
  lightOperator(name);
  operators.mark(name);
};
const calls = new Calls(page, tree, digits);
const collectives = page.collectives
  ? new CollectiveTable({
      names: () => names(),
      kinds: page.collectives,
      tree,
      run,
      digits,
      select: (node) => select(node),
      hover: light,
      changed: () => address.remember(),
    })
  : null;
if (page.roof) showRoof(page.roof, lightDot);
const roofline = page.figures.time_ns ? new Roofline(tree, run, lightDot) : null;
const chosenRun = (): number => runPlace;
const samples = page.samples
  ? new SampleViews(
      page.samples,
      ({ run: place, name }) => place === runPlace && name === sampleName,
      (place, label) => setRun(place, label),
    )
  : null;

const ranks = page.ranks
  ? new RankViews({
      title: page.title,
      ranks: page.ranks,
      tree,
      metric: () => metric,
      selected: () => selected,
      digits,
      run: chosenRun,
      setMetric: (key) => setMetric(key),
      setRun: (place) => setRun(place),
      select: (node) => select(node),
      open: (node) => toggle(node),
      hover: (node) => {
        light(node);
        modules.mark(node);
      },
    })
  : null;

// The address that leads back to what is shown.

const shown = (): Shown => ({
  metric,
  run: runPlace,
  sample: run().data.kind === "sample" ? sampleName : "",
  exact: digits.checked,
  view: picture.view,
  colour: picture.colour,
  folded: tree.folded,
  opened: tree.openedRows(),
  ...(collectives?.shown() ?? { sent: "" }),
  ...modules.shown(),
});
const address = new Address(form(usual, () => ({ name: tree.address(selected), shown: shown() })));

/** Show what an address tells; returns what of it there is not, in words. */
const restore = ({ name, shown: wanted }: Place): string[] => {
  tree.setFolds(wanted.folded, wanted.opened);
  byId<HTMLInputElement>("folded").checked = wanted.folded;
  const found = name ? tree.find(name) : tree.top;
  selected = found ?? tree.top;
  setMetric(wanted.metric);
  picture.view = wanted.view;
  picture.colour = wanted.colour === "type" ? "type" : "role";
  digits.checked = wanted.exact;
  const gone = modules.restore(wanted, selected);
  if (collectives) gone.push(...collectives.restore(wanted));
  else if (wanted.sent) gone.push("what was sent");
  setRun(wanted.run, wanted.sample);
  measure();
  if (!found) gone.unshift(`module “${name}”`);
  if (metric !== wanted.metric) gone.push(`figure “${wanted.metric}”`);
  if (runPlace !== wanted.run) gone.push(`run ${wanted.run}`);
  return gone;
};

// Changes of what is shown.

const drawControls = (): void => {
  for (const one of ["icicle", "treemap"] as const)
    byId(one).setAttribute("aria-pressed", String(picture.view === one));
  byId<HTMLSelectElement>("metric").value = metric;
  byId<HTMLSelectElement>("colour").value = picture.colour;
  const fold = byId<HTMLButtonElement>("fold");
  const { times } = selected;
  fold.hidden = times < 2 && !tree.isOpened(selected);
  fold.textContent = times > 1 ? `Show the ${times.toLocaleString("en-US")} one by one` : "Fold again";
};

const draw = (): void => {
  drawControls();
  picture.draw();
};

const show = (): void => {
  showTrail(tree, selected, select);
  showChosen(tree, selected, run(), metric);
  draw();
  modules.refresh();
  operators.show(selected);
  collectives?.show(selected);
  calls.show(selected);
  ranks?.refresh();
  roofline?.show(selected);
};

const select = (node: Node): void => {
  if (node === selected) return;
  selected = node;
  address.remember(true); // before the tables write the address, which is no step
  show();
};

/** Nodes are made anew when folds change: find the one that was selected, or the one around it. */
const reselect = (node: Node): void => {
  selected = node === tree.top ? node : tree.shownNode(node.rows[0]!);
  show();
  address.remember();
};

/** Open a fold, or fold again what an opened one shows. */
const toggle = (node: Node): void => {
  if (node.times > 1) tree.open(node);
  else if (!tree.close(node)) return;
  reselect(node === selected && node.above ? node.above : selected);
};

/** What a sentence calls the run; "" for the whole block. */
const runName = (): string => {
  const { kind } = run().data;
  return kind === "block" ? "" : kind === "sample" ? `sample ${sampleName}` : run().label;
};

/** The sample of this name that a run is of; the first one of the run where there is none of the name. */
const sampleOf = (place: number, name: string): string => {
  const { label, run: of } = page.samples!;
  return label.find((one, i) => one === name && of[i] === place) ?? label[of.indexOf(place)]!;
};

/** What the page's files are called after. */
const names = (): string[] => [page.title, runName()];

const setRun = (place: number, label = ""): void => {
  runPlace = tree.runs[place] ? place : 0;
  const box = byId<HTMLSelectElement>("run");
  if (run().data.kind === "sample") {
    sampleName = sampleOf(runPlace, label);
    box.querySelector("[data-sample]")?.remove();
    box.append(el("option", { value: runPlace, "data-sample": true }, `Sample ${sampleName}`));
  }
  box.value = String(runPlace);
  showTotals(page, tree, run(), runName(), go);
  samples?.refresh();
  modules.table.measure();
  show();
  address.remember();
};

const setMetric = (key: string): void => {
  metric = page.metrics.some((one) => one.key === key) ? key : usual.metric;
  showChosen(tree, selected, run(), metric);
  draw();
  modules.table.measure();
  modules.refresh();
  ranks?.refresh();
  ranks?.measure();
  operators.measure();
  operators.arrange();
  address.remember();
};

const redraw = (): void => {
  draw();
  chart.look();
  address.remember();
};

const measure = (): void => {
  for (const table of [modules.table, operators, collectives, ranks, calls, ...groups]) table?.measure();
};

/** Select a module from another part of the page, and bring the chart into sight. */
const go = (wanted: string): void => {
  const node = tree.find(wanted);
  if (node) select(node);
  byId("chart").scrollIntoView({ block: "center" });
};

// The controls.

const offered = tree.runs.flatMap(({ label, data }, place) =>
  data.kind === "sample" ? [] : [[place, label] as const],
);
offerRuns(offered, tree.runs.length > 1, (place) => setRun(place));
options(
  byId("metric"),
  page.metrics.map(({ key, label }) => [key, label] as const),
);
byId("folded-label").hidden = !page.rows.folds.members.length;
const on = (id: string, act: (value: string) => void): void =>
  byId(id).addEventListener("change", ({ target }) => act((target as HTMLSelectElement).value));
on("metric", setMetric);
on("colour", (by) => {
  picture.colour = by === "type" ? "type" : "role";
  redraw();
});
on("folded", () => {
  tree.setFolds(byId<HTMLInputElement>("folded").checked);
  reselect(selected);
});
for (const one of ["icicle", "treemap"] as const) {
  byId(one).addEventListener("click", () => {
    picture.view = one;
    redraw();
  });
}
byId("fold").addEventListener("click", () => toggle(selected));
const groups = showGroups(page, tree, digits);
digits.addEventListener("change", () => {
  measure();
  address.remember();
});
showExport({
  names,
  chart: ranks ? "Charts" : "Chart",
  pictures: () => [["", chart.picture], ...(ranks ? ([["ranks", ranks.picture]] as const) : [])],
  table: modules.table,
  remember: () => address.remember(),
});

showLabels(page);
showIssues(page);
showLoads(page.loads, tree, go);
showWords(page, tree);
listenToFrame(() => {
  draw();
  chart.look();
  ranks?.draw();
});
address.follow(restore);
