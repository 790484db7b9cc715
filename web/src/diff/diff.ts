/** The page of a diff: two icicles on one scale, and the rows of both reports, the biggest change first. */
import { Chart } from "../chart/chart.ts";
import { changeColour, nthColour, type Change, type Colour } from "../chart/colours.ts";
import { showExport } from "../chart/files.ts";
import { icicle, type Tile } from "../chart/layout.ts";
import { showLegend } from "../chart/legend.ts";
import { inWords } from "../model/figures.ts";
import type { Run } from "../model/run.ts";
import { Address } from "../model/address.ts";
import { USUAL, type Shown } from "../model/state.ts";
import { showTrail } from "../model/trail.ts";
import { Tree, type Node } from "../model/tree.ts";
import { byId, el, options } from "../shared/dom.ts";
import { growth, human } from "../shared/numbers.ts";
import { listenToFrame } from "../shared/frame.ts";
import { payload } from "../shared/payload.ts";
import { theme } from "../shared/theme.ts";
import { ChangedModules } from "./modules.ts";
import { ChangedOperators } from "./operators.ts";
import type { DiffPage } from "./page.ts";
import { showSides, showTotals } from "./parts.ts";

const page = payload<DiffPage>();
const tree = new Tree(page);
const [old, now] = tree.runs as [Run, Run];
const usual: Shown = { ...USUAL, metric: page.metrics[0]!.key, colour: "change" };
let { metric, colour } = usual;
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

const roleColour = (role: string): Colour => nthColour(page.rows.roles.indexOf(role), theme());

const colourOf = ({ node, rest }: Tile): Colour => {
  if (rest) return changeColour("same", theme());
  return colour === "role" ? roleColour(tree.role(node)) : changeColour(changeOf(node), theme());
};

const tip = ({ node }: Tile): HTMLElement => {
  const list = el("dl");
  for (const { key, label, kind } of page.metrics) {
    const [before, after] = [tree.total(node, key, old), tree.total(node, key, now)];
    if (Number(before) || Number(after))
      list.append(
        el("dt", {}, label),
        el("dd", {}, `${human(before, kind)} → ${human(after, kind)}`),
        el("dd", {}, growth(before, after)),
      );
  }
  const was = page.was[String(node.rows[0])];
  return el(
    "div",
    {},
    el("b", {}, tree.path(node)),
    el("p", { class: "muted" }, tree.type(node) + (was && node.times === 1 ? `, was ${was}` : "")),
    list,
  );
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
    say: ({ node }) =>
      `${tree.path(node)}, ${id}: ${inWords(tree.total(node, metric, run), tree.metric(metric))}, ${growth(tree.total(node, metric, old), tree.total(node, metric, now))}`,
    found: null,
    select: (node) => select(node === selected && node.above ? node.above : node),
    up: () => selected.above && select(selected.above),
    top: () => select(tree.top),
    toggle: (node) => toggle(node),
    hover: (tile) => light(tile?.node ?? null),
  });
};
const charts = [side("old", old), side("new", now)];

const lightTiles = (node: Node | null): void => {
  for (const chart of charts) chart.light(node && ((tile) => tile.node === node));
};

const light = (node: Node | null): void => {
  lightTiles(node);
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
  hover: lightTiles,
  changed: () => {
    charts.forEach((chart, i) => {
      const run = tree.runs[i]!;
      chart.options.found = modules.searching ? modules.found().filter((node) => value(node, run)) : null;
      chart.look();
    });
    address.remember();
  },
});
const operators = new ChangedOperators(tree, old, now, () => metric);

const drawCharts = (): void => {
  const most = Math.max(value(selected, old), value(selected, now));
  byId("empty").hidden = most > 0;
  byId("empty").textContent =
    most > 0 ? "" : `${tree.path(selected)} has no ${tree.metric(metric).label} in either report.`;
  const words: [string, Change][] = [
    ["grew", "grew"],
    ["shrank", "shrank"],
    ["added", "added"],
    ["removed", "removed"],
    ["unchanged", "same"],
  ];
  const parts = [...new Set(page.rows.role)].map((role) => page.rows.roles[role]!);
  showLegend(
    colour === "role"
      ? parts.map((one) => [one, roleColour(one), ""])
      : words.map(([label, change]) => [label, changeColour(change, theme()), ""]),
  );
  for (const chart of charts) {
    chart.options.element.parentElement!.hidden = most === 0;
    if (most > 0) chart.draw();
    else chart.clear();
  }
};

const titles = (): void => {
  const shown = tree.metric(metric);
  const [before, after] = [tree.total(selected, metric, old), tree.total(selected, metric, now)];
  byId("old-title").replaceChildren("Old ", el("span", { class: "muted" }, inWords(before, shown)));
  byId("new-title").replaceChildren(
    "New ",
    el("span", { class: "muted" }, `${inWords(after, shown)}, ${growth(before, after)}`),
  );
};

const show = (): void => {
  byId<HTMLSelectElement>("metric").value = metric;
  byId<HTMLSelectElement>("colour").value = colour;
  byId<HTMLInputElement>("folded").checked = tree.folded;
  showTrail(tree, selected, select);
  titles();
  drawCharts();
  modules.refresh();
  operators.show(selected);
};

const select = (node: Node): void => {
  if (node === selected) return;
  selected = node;
  address.remember(true); // before the tables write the address, which is no step
  show();
};

/** Nodes are made anew when folds change: find the one that was selected, or the one around it. */
const reselect = (): void => {
  selected = selected === tree.top ? selected : tree.shownNode(selected.rows[0]!);
  show();
  address.remember();
};

const toggle = (node: Node): void => {
  if (node.times > 1) tree.open(node);
  else if (!tree.close(node)) return;
  reselect();
};

const measure = (): void => {
  modules.table.measure();
  operators.measure();
};

// The address that leads back to what is shown.

const address = new Address(usual, () => ({
  name: tree.address(selected),
  shown: { ...usual, metric, colour, folded: tree.folded, opened: tree.openedRows(), ...modules.shown() },
}));

/** Show what an address tells; returns what of it there is not, in words. */
const restore = (name: string, wanted: Shown): string[] => {
  tree.setFolds(wanted.folded, wanted.opened);
  const found = name ? tree.find(name) : tree.top;
  selected = found ?? tree.top;
  metric = page.metrics.some(({ key }) => key === wanted.metric) ? wanted.metric : usual.metric;
  colour = wanted.colour === "role" ? "role" : "change";
  const gone = modules.restore(wanted);
  if (!found) gone.unshift(`module “${name}”`);
  if (metric !== wanted.metric) gone.push(`figure “${wanted.metric}”`);
  show();
  measure();
  return gone;
};

// The controls.

options(
  byId("metric"),
  page.metrics.map(({ key, label }) => [key, label] as const),
);
byId("folded-label").hidden = !page.rows.folds.members.length;
byId("metric").addEventListener("change", () => {
  metric = byId<HTMLSelectElement>("metric").value;
  show();
  measure();
});
byId("colour").addEventListener("change", () => {
  colour = byId<HTMLSelectElement>("colour").value;
  drawCharts();
  address.remember();
});
byId("folded").addEventListener("change", () => {
  tree.setFolds(byId<HTMLInputElement>("folded").checked);
  reselect();
});
showExport({
  title: page.title,
  chart: "Charts",
  pictures: () => charts.map(({ picture }, i) => [i ? "_new" : "_old", picture]),
  table: modules.table,
  remember: () => address.remember(),
});

showSides(page);
showTotals(tree, old, now);
listenToFrame(drawCharts);
address.follow(restore);
