/** The page of a report: one run and one selected module, which the chart and all tables follow. */
import { Chart } from "../chart/chart.ts";
import { NEUTRAL, rankColour, roleColour, type Colour } from "../chart/colours.ts";
import { showLegend } from "../chart/legend.ts";
import { download, fileName, pngBlob, svgText } from "../chart/export.ts";
import { icicle, nested, type Tile } from "../chart/layout.ts";
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import { showTrail } from "../model/trail.ts";
import { Tree, type Node } from "../model/tree.ts";
import { byId, el, options } from "../shared/dom.ts";
import { human, part, percent } from "../shared/numbers.ts";
import { payload } from "../shared/payload.ts";
import { csv } from "../shared/table/columns.ts";
import { followTheme, theme } from "../shared/theme.ts";
import { Calls, showChosen } from "./details.ts";
import { Modules } from "./modules.ts";
import { OperatorTable } from "./operators.ts";
import { showGroups, showIssues, showLabels, showTotals, showWords } from "./parts.ts";
import { Roofline } from "./roofline.ts";
import { SampleViews, showLoads } from "./samples.ts";
import { fromHash, toHash, USUAL, type Shown } from "./state.ts";

const page = payload<ReportPage>();
const tree = new Tree(page);
const usual: Shown = { ...USUAL, metric: page.metrics[0]!.key };
let { metric, run: runPlace, view, colour } = usual;
let selected: Node = tree.top;

const run = (): Run => tree.runs[runPlace]!;
const value = (node: Node): number => Number(tree.total(node, metric, run()));
const digits = el("input", { type: "checkbox", id: "exact" });

// The chart.

/** Types by how much of the figure they did themselves, the same whatever is selected, so that colours stay put. */
const ranks = (): Map<string, { rank: number; part: number }> => {
  const sums = new Map<string, number>();
  const own = run().own(metric);
  const { types, type, roles, role } = page.rows;
  for (let row = 0; row < tree.size; row += 1) {
    const size = Number(own[row]);
    if (!size) continue;
    const key = colour === "type" ? types[type[row]!]! : roles[role[row]!]!;
    sums.set(key, (sums.get(key) ?? 0) + size);
  }
  const whole = value(tree.top) || 1;
  return new Map([...sums].sort((a, b) => b[1] - a[1]).map(([key, size], rank) => [key, { rank, part: size / whole }]));
};
let ranked = ranks();

const colourOf = (tile: Tile): Colour => {
  const neutral = NEUTRAL[theme()];
  if (tree.isBlock(tile.node) || tile.rest) return neutral;
  const found = colour === "role" ? roleColour(tree.role(tile.node), theme()) : rankColour(ranked.get(tree.type(tile.node))?.rank ?? Infinity, theme());
  // In a treemap what holds tiles is a frame around them.
  return tile.open ? { ...neutral, edge: found.edge ?? found.fill } : found;
};

const figures = {
  value,
  under: (node: Node) => tree.under(node),
  own: (node: Node) => {
    if (!tree.metric(metric).additive || tree.isBlock(node)) return [];
    const parts = tree.ownOperators(node, run()).map(({ name, values }) => ({ operator: name, value: Number(values.get(metric) ?? 0) }));
    return parts.filter((one) => one.value > 0).sort((a, b) => b.value - a.value);
  },
};

const smaller = (rest: number): string => `${rest.toLocaleString("en-US")} smaller`;

const tileTitle = ({ node, operator, rest }: Tile): string => (rest ? smaller(rest) : operator === "" ? "own" : (operator ?? tree.title(node)));

/** What a tile stands for, in full. */
const partName = ({ node, operator, rest }: Tile): string => {
  const part = rest ? smaller(rest) : operator === "" ? "its own part" : operator;
  return part === null ? tree.path(node) : `${tree.path(node)}: ${part}`;
};

const tip = (tile: Tile): HTMLElement => {
  const { node } = tile;
  const isNode = tile.operator === null && !tile.rest;
  const list = el("dl");
  for (const { key, label, kind } of page.metrics) {
    if (!isNode && key !== metric) continue;
    const figure = isNode ? tree.total(node, key, run()) : tile.value;
    const whole = tree.total(tree.top, key, run());
    if (!Number(figure)) continue;
    list.append(el("dt", {}, label), el("dd", {}, human(figure, kind)), el("dd", {}, percent(part(figure, whole))));
  }
  const each = isNode && node.times > 1 ? ` · ${node.times.toLocaleString("en-US")} that are alike` : "";
  return el("div", {}, el("b", {}, partName(tile)), el("p", { class: "muted" }, `${tree.type(node)}${each}`), list);
};

const say = (tile: Tile): string => {
  const { label, kind } = tree.metric(metric);
  return `${partName(tile)}, ${tree.type(tile.node)}, ${human(tile.value, kind)} ${label}, ${percent(part(tile.value, value(tree.top)))}`;
};

const TREEMAP_HEIGHT = 480;

const layout = (width: number): { tiles: Tile[]; height: number } => {
  if (view === "icicle") {
    const tiles = icicle(selected, tree.trail(selected), width, figures);
    return { tiles, height: Math.max(...tiles.map(({ y, height }) => y + height)) };
  }
  const height = innerWidth <= 640 ? 380 : TREEMAP_HEIGHT;
  return { tiles: nested(selected, width, height, figures), height };
};

const chart = new Chart({
  element: byId("chart"),
  spoken: byId("spoken"),
  layout,
  colour: colourOf,
  path: partName,
  title: tileTitle,
  figure: (tile) => human(tile.value, tree.metric(metric).kind),
  tip,
  say,
  found: null,
  select: (node) => select(node === selected && node.above ? node.above : node),
  up: () => selected.above && select(selected.above),
  top: () => select(tree.top),
  toggle: (node) => toggle(node),
  hover: (node) => modules.table.mark(node && ((row) => row === node)),
});

const MOST_LEGENDS = 10;

const drawLegend = (): void => {
  const entries = [...ranked];
  const colourAt = (key: string, rank: number): Colour => (colour === "role" ? roleColour(key, theme()) : rankColour(rank, theme()));
  const items = entries.slice(0, MOST_LEGENDS).map(([key, { rank, part: share }]) => [key || "(no type)", colourAt(key, rank), percent(share)] as const);
  const rest = entries.slice(MOST_LEGENDS).reduce((sum, [, { part: share }]) => sum + share, 0);
  const others = entries.length - items.length;
  showLegend(others > 0 ? [...items, [`${others} others`, NEUTRAL[theme()], percent(rest)]] : items);
};

const drawChart = (): void => {
  const whole = value(selected);
  const empty = byId("empty");
  empty.hidden = whole > 0;
  byId("chart").hidden = !(whole > 0);
  byId("chart-help").hidden = !(whole > 0);
  empty.textContent = whole > 0 ? "" : emptyText();
  drawLegend();
  if (whole > 0) chart.draw();
};

/** Why there is nothing to draw, and what to do. */
const emptyText = (): string => {
  const label = tree.metric(metric).label;
  const name = tree.path(selected);
  if (!tree.size || (tree.size === 1 && !Number(tree.calls(selected, run())) && !page.operators.name.length)) return `Nothing ran: ${name} has no ${label} to draw. Call the model inside the with block.`;
  if (page.gap && !value(tree.top)) return `${name} has no ${label} to draw, because no operator that ran could be counted. The list on top names them; dispatchcount.register gives one a rule.`;
  const other = page.metrics.find(({ key }) => Number(tree.total(selected, key, run())) > 0);
  return `${name} has no ${label} to draw.${other ? ` It has ${other.label}: choose them as the area.` : ""}`;
};

// The tables.

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
  hover: (node) => chart.light(node),
  changed: () => filtered(),
});
const operators = new OperatorTable(tree, run, () => metric, digits);
const calls = new Calls(page, tree, digits);
const roofline = page.figures.time_ns ? new Roofline(tree, run) : null;
const samples = page.samples
  ? new SampleViews(page.samples, () => runPlace, (place, label) => setRun(place, label))
  : null;

const filtered = (): void => {
  chart.options.found = modules.filtering ? (tile) => !tree.isBlock(tile.node) && modules.matches(tile.node) : null;
  chart.look();
  remember();
};

// What is shown, and the address that leads back to it.

const name = (node: Node): string => (node === tree.top ? "" : node.rows.length === 1 && !tree.isBlock(node) ? tree.nameOf(node.rows[0]!) : tree.path(node));

const shown = (): Shown => ({
  metric,
  run: runPlace,
  view,
  colour,
  folded: tree.folded,
  opened: tree.openedRows(),
  query: modules.table.search.value,
  type: modules.type.value,
  status: modules.status.value,
  depth: Number(modules.depth.value),
  sort: modules.table.sort,
  columns: modules.chosenColumns(),
});

let ready = false;

/** Write the view into the address. A selection is a step that the browser's Back button undoes, all else is not. */
const remember = (step = false): void => {
  if (!ready) return;
  const hash = `#${toHash(name(selected), shown(), usual)}`;
  if (hash === location.hash || (hash === "#" && !location.hash)) return;
  if (step) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
};

const show = (): void => {
  showTrail(tree, selected, select);
  showChosen(tree, selected, run(), metric);
  const fold = byId<HTMLButtonElement>("fold");
  fold.hidden = selected.times < 2 && !tree.isOpened(selected);
  fold.textContent = selected.times > 1 ? `Show the ${selected.times.toLocaleString("en-US")} one by one` : "Fold again";
  drawChart();
  modules.refresh();
  operators.show(selected);
  calls.show(selected);
  roofline?.show(selected);
};

const select = (node: Node): void => {
  if (node === selected) return;
  selected = node;
  remember(true); // before the tables write the address, which is no step
  show();
};

/** Open a fold, or fold again what an opened one shows. */
const toggle = (node: Node): void => {
  const { above } = node;
  if (node.times > 1) tree.open(node);
  else if (tree.close(node) === null) return;
  // Nodes are made anew: the selected one is found again, or the one above the fold.
  const at = node === selected && above ? above : selected;
  selected = at === tree.top ? at : tree.shownNode(at.rows[0]!);
  show();
  remember();
};

const setRun = (place: number, label = ""): void => {
  runPlace = tree.runs[place] ? place : 0;
  ranked = ranks();
  const box = byId<HTMLSelectElement>("run");
  if (tree.runs[runPlace]!.data.kind === "sample") {
    box.querySelector("[data-sample]")?.remove();
    box.append(el("option", { value: runPlace, "data-sample": true }, `Sample ${label || sampleLabel(runPlace)}`));
  }
  box.value = String(runPlace);
  samples?.refresh();
  modules.table.measure();
  show();
  remember();
};

const sampleLabel = (place: number): string => page.samples?.label[page.samples.run.indexOf(place)] ?? "";

const setMetric = (key: string): void => {
  metric = page.metrics.some((one) => one.key === key) ? key : usual.metric;
  byId<HTMLSelectElement>("metric").value = metric;
  ranked = ranks();
  showChosen(tree, selected, run(), metric);
  drawChart();
  modules.table.measure();
  modules.refresh();
  operators.measure();
  operators.arrange();
  remember();
};

const setView = (to: typeof view): void => {
  view = to;
  for (const one of ["icicle", "treemap"] as const) byId(one).setAttribute("aria-pressed", String(view === one));
  drawChart();
  chart.look();
  remember();
};

const setColour = (to: typeof colour): void => {
  colour = to;
  byId<HTMLSelectElement>("colour").value = colour;
  ranked = ranks();
  drawChart();
  remember();
};

/** Show what an address says; false if it names nothing here. */
const restore = (): boolean => {
  const found = fromHash(location.hash, usual);
  if (!found) return false;
  const { shown: wanted } = found;
  const before = ready;
  ready = false;
  if (tree.folded !== wanted.folded) {
    tree.setFolded(wanted.folded);
    byId<HTMLInputElement>("folded").checked = wanted.folded;
  }
  tree.restoreOpened(wanted.opened);
  const node = found.name === "" ? tree.top : tree.find(found.name);
  selected = node ?? tree.top;
  modules.type.value = wanted.type;
  modules.status.value = wanted.status;
  modules.depth.value = wanted.depth ? String(wanted.depth) : "";
  metric = page.metrics.some(({ key }) => key === wanted.metric) ? wanted.metric : usual.metric;
  byId<HTMLSelectElement>("metric").value = metric;
  view = wanted.view;
  colour = wanted.colour;
  for (const one of ["icicle", "treemap"] as const) byId(one).setAttribute("aria-pressed", String(view === one));
  byId<HTMLSelectElement>("colour").value = colour;
  modules.table.restore(wanted.query, wanted.sort, wanted.columns);
  setRun(wanted.run);
  ready = before;
  return node !== null;
};

// The controls.

options(byId("metric"), page.metrics.map(({ key, label }) => [key, label] as const));
options(byId("run"), tree.runs.flatMap(({ label, data }, place) => (data.kind === "sample" ? [] : [[String(place), label] as const])));
byId("run-label").hidden = tree.runs.length < 2;
byId("folded-label").hidden = !page.rows.folds.members.length;
const on = (id: string, act: (value: string) => void): void => byId(id).addEventListener("change", ({ target }) => act((target as HTMLSelectElement).value));
on("metric", setMetric);
on("run", (place) => setRun(Number(place)));
on("colour", (by) => setColour(by === "type" ? "type" : "role"));
on("folded", () => {
  tree.setFolded(byId<HTMLInputElement>("folded").checked);
  selected = selected === tree.top ? selected : tree.shownNode(selected.rows[0]!);
  show();
  remember();
});
byId("icicle").addEventListener("click", () => setView("icicle"));
byId("treemap").addEventListener("click", () => setView("treemap"));
byId("fold").addEventListener("click", () => toggle(selected));
digits.addEventListener("change", () => {
  for (const table of [modules.table, operators, calls]) table.measure();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("modules").focus();
});

const go = (wanted: string): void => {
  const node = tree.find(wanted);
  if (node) select(node);
  byId("chart").scrollIntoView({ block: "center" });
};

// Files.

const said = (text: string): void => {
  byId("spoken").textContent = text;
};
byId("save-svg").addEventListener("click", () => {
  if (chart.picture) download(fileName(page.title, "svg"), new Blob([svgText(chart.picture)], { type: "image/svg+xml" }));
});
byId("save-png").addEventListener("click", () => {
  if (!chart.picture) return;
  pngBlob(chart.picture).then(
    (blob) => download(fileName(page.title, "png"), blob),
    (error: unknown) => said(String(error)),
  );
});
byId("save-csv").addEventListener("click", () => {
  const { rows, columns } = modules.table;
  download(fileName(page.title, "csv"), new Blob([csv(rows, columns)], { type: "text/csv" }));
});
byId("copy-link").addEventListener("click", () => {
  remember();
  navigator.clipboard.writeText(location.href).then(
    () => said("The link to this view was copied."),
    () => said("The browser does not let the page copy; the address in its bar leads to this view."),
  );
});

showLabels(page);
showIssues(page);
showTotals(page, tree, go);
showGroups(page);
showLoads(page.loads, tree, go);
showWords(page, tree);
followTheme(() => {
  drawChart();
  chart.look();
});
addEventListener("popstate", () => restore());
restore();
ready = true;
