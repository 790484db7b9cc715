/** The page of a diff: two icicles on one scale, and the rows of both reports, the biggest change first. */
import { Chart } from "../chart/chart.ts";
import { changeColour, roleColour, type Change, type Colour } from "../chart/colours.ts";
import { download, fileName, svgText } from "../chart/export.ts";
import { icicle, type Tile } from "../chart/layout.ts";
import { showLegend } from "../chart/legend.ts";
import type { TreeData } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import { showTrail } from "../model/trail.ts";
import { Tree, type Node } from "../model/tree.ts";
import { byId, chip, el, options } from "../shared/dom.ts";
import { date, exact, growth, human } from "../shared/numbers.ts";
import { payload, type Convention } from "../shared/payload.ts";
import { csv } from "../shared/table/columns.ts";
import { followTheme, theme } from "../shared/theme.ts";
import { ChangedModules } from "./modules.ts";
import { ChangedOperators } from "./operators.ts";
import { signed } from "./figures.ts";

export interface Side {
  labels: [string, string][];
  model: string;
  created: number;
  torch: string;
  gap: boolean;
  estimate: boolean;
  issues: string[];
  stopped: string | null;
}

export interface DiffPage extends TreeData {
  title: string;
  convention: Convention;
  changes: string[];
  change: number[];
  was: Record<string, string>;
  sides: [Side, Side];
}

const page = payload<DiffPage>();
const tree = new Tree(page);
const [old, now] = tree.runs as [Run, Run];
let metric = page.metrics[0]!.key;
let colour = "change";
let selected: Node = tree.top;

const value = (node: Node, run: Run): number => Number(tree.total(node, metric, run));

/** What became of a node: of several that it folds, they are alike. */
const changeOf = (node: Node): Change => {
  const word = tree.isBlock(node) ? "changed" : page.changes[page.change[node.rows[0]!]!]!;
  if (word === "added" || word === "removed") return word;
  const [before, after] = [value(node, old), value(node, now)];
  return after > before ? "grew" : after < before ? "shrank" : "same";
};

const smaller = (rest: number): string => `${rest.toLocaleString("en-US")} smaller`;

const colourOf = ({ node, rest }: Tile): Colour => (rest ? changeColour("same", theme()) : colour === "role" ? roleColour(tree.role(node), theme()) : changeColour(changeOf(node), theme()));

const tip = ({ node }: Tile): HTMLElement => {
  const list = el("dl");
  for (const { key, label, kind } of page.metrics) {
    const [before, after] = [tree.total(node, key, old), tree.total(node, key, now)];
    if (Number(before) || Number(after)) list.append(el("dt", {}, label), el("dd", {}, `${human(before, kind)} → ${human(after, kind)}`), el("dd", {}, growth(before, after)));
  }
  const was = page.was[String(node.rows[0])];
  return el("div", {}, el("b", {}, tree.path(node)), el("p", { class: "muted" }, tree.type(node) + (was && node.times === 1 ? `, was ${was}` : "")), list);
};

/** One of the two charts. As wide as its part of the bigger one, so that lengths can be compared. */
const side = (id: "old" | "new", run: Run): Chart => {
  const figures = { value: (node: Node) => value(node, run), under: (node: Node) => tree.under(node), own: () => [] };
  return new Chart({
    element: byId(id),
    spoken: byId("spoken"),
    layout: (width) => {
      const most = Math.max(value(selected, old), value(selected, now)) || 1;
      const tiles = icicle(selected, tree.trail(selected), Math.max(1, (width * value(selected, run)) / most), figures);
      return { tiles, height: Math.max(...tiles.map(({ y, height }) => y + height)) };
    },
    colour: colourOf,
    path: ({ node, rest }) => tree.path(node) + (rest ? `: ${smaller(rest)}` : ""),
    title: ({ node, rest }) => (rest ? smaller(rest) : tree.title(node)),
    figure: (tile) => human(tile.value, tree.metric(metric).kind),
    tip,
    say: ({ node }) => `${tree.path(node)}, ${id}: ${human(tree.total(node, metric, run), tree.metric(metric).kind)} ${tree.metric(metric).label}, ${growth(tree.total(node, metric, old), tree.total(node, metric, now))}`,
    found: null,
    select: (node) => select(node === selected && node.above ? node.above : node),
    up: () => selected.above && select(selected.above),
    top: () => select(tree.top),
    toggle: (node) => toggle(node),
    hover: (node) => light(node),
  });
};
const charts = [side("old", old), side("new", now)];

const light = (node: Node | null): void => {
  for (const chart of charts) chart.light(node);
  modules.table.mark(node && ((row) => row === node));
};

const modules = new ChangedModules({
  tree,
  page,
  old,
  now,
  metric: () => metric,
  selected: () => selected,
  select: (node) => select(node),
  open: (node) => toggle(node),
  hover: (node) => {
    for (const chart of charts) chart.light(node);
  },
  changed: () => {
    for (const chart of charts) {
      chart.options.found = modules.searching ? (tile) => modules.matches(tile.node) : null;
      chart.look();
    }
  },
});
const operators = new ChangedOperators(tree, old, now, () => metric);

const drawCharts = (): void => {
  const most = Math.max(value(selected, old), value(selected, now));
  byId("empty").hidden = most > 0;
  byId("empty").textContent = most > 0 ? "" : `${tree.path(selected)} has no ${tree.metric(metric).label} in either report.`;
  const words: [string, Change][] = [["grew", "grew"], ["shrank", "shrank"], ["added", "added"], ["removed", "removed"], ["unchanged", "same"]];
  const parts = [...new Set(page.rows.role)].map((role) => page.rows.roles[role]!);
  showLegend(colour === "role" ? parts.map((one) => [one, roleColour(one, theme()), ""]) : words.map(([label, change]) => [label, changeColour(change, theme()), ""]));
  for (const chart of charts) {
    chart.options.element.parentElement!.hidden = most === 0;
    if (most > 0) chart.draw();
  }
};

const titles = (): void => {
  const { kind, label } = tree.metric(metric);
  const [before, after] = [tree.total(selected, metric, old), tree.total(selected, metric, now)];
  byId("old-title").replaceChildren("Old ", el("span", { class: "muted" }, `${human(before, kind)} ${label}`));
  byId("new-title").replaceChildren("New ", el("span", { class: "muted" }, `${human(after, kind)} ${label}, ${growth(before, after)}`));
};

const hashOf = (node: Node): string => (node === tree.top ? "#" : `#${encodeURIComponent(node.rows.length === 1 && !tree.isBlock(node) ? tree.nameOf(node.rows[0]!) : tree.path(node))}`);

const show = (): void => {
  showTrail(tree, selected, select);
  titles();
  drawCharts();
  modules.refresh();
  operators.show(selected);
};

const select = (node: Node): void => {
  if (node === selected) return;
  selected = node;
  history.pushState(null, "", hashOf(node));
  show();
};

const toggle = (node: Node): void => {
  if (node.times > 1) tree.open(node);
  else if (tree.close(node) === null) return;
  selected = selected === tree.top ? selected : tree.shownNode(selected.rows[0]!);
  show();
};

const restore = (): void => {
  let name = "";
  try {
    name = decodeURIComponent(location.hash.slice(1));
  } catch {
    // a percent sign that encodes nothing: the top is shown
  }
  selected = (name && tree.find(name)) || tree.top;
  show();
};

/** The totals of both reports, each with its change. */
const showTotals = (): void => {
  const head = ["Total", "Old", "New", "Change", "%"].map((label, i) => el("th", { scope: "col", class: i ? "num" : null }, label));
  const lines = page.metrics.map(({ key, label, kind, help }) => {
    const [before, after] = [tree.total(tree.top, key, old), tree.total(tree.top, key, now)];
    const way = Number(after) > Number(before) ? "num up" : Number(after) < Number(before) ? "num down" : "num zero";
    return el("tr", {}, el("th", { scope: "row", title: help }, label), el("td", { class: "num", title: exact(before) }, human(before, kind)), el("td", { class: "num", title: exact(after) }, human(after, kind)), el("td", { class: way }, signed(before, after, kind)), el("td", { class: way }, growth(before, after)));
  });
  const table = el("table", { "aria-labelledby": "totals-title" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines));
  byId("totals").replaceChildren(el("header", { class: "head" }, el("h2", { id: "totals-title" }, "Totals")), el("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": "Table of totals" }, table));
};

const showSides = (): void => {
  const named = ({ labels, model, created }: Side): string => {
    const facts = new Map(labels);
    return [facts.get("model") ?? model, facts.get("commit"), created ? date(created) : ""].filter(Boolean).join(", ");
  };
  byId("labels").replaceChildren(chip("convention", page.convention.name), chip("old", named(page.sides[0])), chip("new", named(page.sides[1])));
  byId("footer").textContent = `FLOPs: ${page.convention.unit}. Made by dispatchcount.`;
  const known = new Set(page.sides[0].issues);
  const fresh = page.sides[1].issues.filter((issue) => !known.has(issue));
  const lines = [
    ...page.sides.flatMap(({ gap }, i) => (gap ? [`Operators of the ${i ? "new" : "old"} report could not be counted: its totals are too small.`] : [])),
    ...(fresh.length ? [`Not counted, new: ${fresh.join(", ")}`] : []),
    ...page.sides.flatMap(({ stopped }, i) => (stopped === null ? [] : [`The ${i ? "new" : "old"} run stopped in ${stopped || "(root)"}: its figures go up to there.`])),
  ];
  byId("issues").hidden = !lines.length;
  byId("issues").replaceChildren(el("h2", { id: "issues-title" }, "Not all of it can be compared"), el("ul", {}, ...lines.map((line) => el("li", {}, line))));
};

options(byId("metric"), page.metrics.map(({ key, label }) => [key, label] as const));
byId("folded-label").hidden = !page.rows.folds.members.length;
byId("metric").addEventListener("change", () => {
  metric = byId<HTMLSelectElement>("metric").value;
  modules.table.measure();
  operators.measure();
  show();
});
byId("colour").addEventListener("change", () => {
  colour = byId<HTMLSelectElement>("colour").value;
  drawCharts();
});
byId("folded").addEventListener("change", () => {
  tree.setFolded(byId<HTMLInputElement>("folded").checked);
  selected = selected === tree.top ? selected : tree.shownNode(selected.rows[0]!);
  show();
});
byId("save-svg").addEventListener("click", () => {
  for (const [i, chart] of charts.entries()) if (chart.picture) download(fileName(`${page.title}_${i ? "new" : "old"}`, "svg"), new Blob([svgText(chart.picture)], { type: "image/svg+xml" }));
});
byId("save-csv").addEventListener("click", () => {
  const { rows, columns } = modules.table;
  download(fileName(page.title, "csv"), new Blob([csv(rows, columns)], { type: "text/csv" }));
});
byId("copy-link").addEventListener("click", () => {
  navigator.clipboard.writeText(location.href).then(
    () => (byId("spoken").textContent = "The link to this view was copied."),
    () => (byId("spoken").textContent = "The browser does not let the page copy; the address in its bar leads to this view."),
  );
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("modules").focus();
});

showSides();
showTotals();
followTheme(drawCharts);
addEventListener("popstate", restore);
restore();
modules.table.measure();
operators.measure();
