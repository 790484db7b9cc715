/** The page of a diff: two icicles on one scale, and the rows of both reports, the biggest change first; of all or of a phase. */
import { Chart } from "../chart/chart.ts";
import { changeColour, nthColour, type Change, type Colour } from "../chart/colours.ts";
import { showExport } from "../chart/files.ts";
import { icicle, type Tile } from "../chart/layout.ts";
import { showLegend } from "../chart/legend.ts";
import { inWords } from "../model/figures.ts";
import { Address } from "../model/address.ts";
import { form, USUAL, type Place, type Shown } from "../model/state.ts";
import { offerRuns } from "../model/switch.ts";
import { showTrail } from "../model/trail.ts";
import { Tree, type Node } from "../model/tree.ts";
import { byId, el, options } from "../shared/dom.ts";
import { growth, human, type Figure } from "../shared/numbers.ts";
import { listenToFrame } from "../shared/frame.ts";
import { payload } from "../shared/payload.ts";
import { theme } from "../shared/theme.ts";
import { Changes } from "./changes.ts";
import { ChangedModules } from "./modules.ts";
import { whyEmpty, whyNone } from "./empty.ts";
import { ChangedOperators } from "./operators.ts";
import type { DiffPage } from "./page.ts";
import { choiceOf, isMissing, ofPhase, pairsOf, type Pair, type Which } from "./pairs.ts";
import { showSides } from "./parts.ts";
import { totals } from "./totals.ts";

const page = payload<DiffPage>();
const tree = new Tree(page);
const pairs = pairsOf(tree.runs);
const changes = new Changes(tree, page);
const usual: Shown = { ...USUAL, metric: page.metrics[0]!.key, colour: "change" };
let { metric, colour, run: place } = usual;
const pair = (): Pair => pairs[place]!;
let selected: Node = tree.top;

const SIDES: readonly Which[] = ["old", "new"];

/** A figure of a node before or now. */
const figure = (node: Node, key: string, which: Which): Figure => tree.total(node, key, pair()[which]);
const value = (node: Node, which: Which): number => Number(figure(node, metric, which));

/** What became of a node: of several that it folds, they are alike. */
const changeOf = (node: Node): Change => {
  const word = tree.isBlock(node) ? "changed" : changes.of(node, pair());
  if (word === "added" || word === "removed") return word;
  const [before, after] = [value(node, "old"), value(node, "new")];
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
    const [before, after] = [figure(node, key, "old"), figure(node, key, "new")];
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
const side = (which: Which): Chart => {
  const figures = { value: (node: Node) => value(node, which), under: (node: Node) => tree.under(node), own: () => [] };
  return new Chart({
    element: byId(which),
    spoken: byId("spoken"),
    layout: (width) => {
      const most = Math.max(value(selected, "old"), value(selected, "new")) || 1;
      const trail = tree.drawnTrail(selected, (node) => value(node, "old") + value(node, "new"));
      const tiles = icicle(trail.at(-1)!, trail, Math.max(1, (width * value(selected, which)) / most), figures);
      return { tiles, height: Math.max(...tiles.map(({ y, height }) => y + height)) };
    },
    colour: colourOf,
    path: ({ node, rest }) => tree.path(node) + (rest ? `: ${smaller(rest)}` : ""),
    title: ({ node, rest }) => (rest ? smaller(rest) : tree.title(node)),
    figure: (tile) => human(tile.value, tree.metric(metric).kind),
    tip,
    say: ({ node }) =>
      `${tree.path(node)}, ${which}: ${inWords(figure(node, metric, which), tree.metric(metric))}, ${growth(figure(node, metric, "old"), figure(node, metric, "new"))}`,
    found: null,
    select: (node) => select(node === selected && node.above ? node.above : node),
    up: () => selected.above && select(selected.above),
    top: () => select(tree.top),
    toggle: (node) => toggle(node),
    hover: (tile) => light(tile?.node ?? null),
  });
};
const charts = SIDES.map(side);

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
  pair,
  changes,
  metric: () => metric,
  selected: () => selected,
  select: (node) => select(node),
  open: (node) => toggle(node),
  hover: lightTiles,
  changed: () => {
    charts.forEach((chart, i) => {
      chart.options.found = modules.searching ? modules.found().filter((node) => value(node, SIDES[i]!)) : null;
      chart.look();
    });
    address.remember();
  },
});
const showTotals = totals(tree, pair);
const operators = new ChangedOperators(tree, pair, () => metric);

const drawCharts = (): void => {
  const sides = SIDES.map((which) => value(selected, which) > 0);
  const empty = !sides.includes(true);
  const looked = { tree, changes, pair: pair(), node: selected, metric };
  byId("empty").hidden = !empty;
  byId("empty").textContent = empty ? whyEmpty(looked) : "";
  byId("chart-help").hidden = empty;
  drawLegend(empty);
  charts.forEach((chart, i) => {
    const { element } = chart.options;
    element.parentElement!.hidden = empty;
    element.hidden = !sides[i];
    const none = byId(`${SIDES[i]}-none`);
    none.hidden = !element.hidden;
    none.textContent = none.hidden ? "" : whyNone(looked, SIDES[i]!);
    if (sides[i]) chart.draw();
    else chart.clear();
  });
};

const drawLegend = (empty: boolean): void => {
  const words: [string, Change][] = [
    ["grew", "grew"],
    ["shrank", "shrank"],
    ["added", "added"],
    ["removed", "removed"],
    ["unchanged", "same"],
  ];
  const parts = [...new Set(page.rows.role)].map((role) => page.rows.roles[role]!);
  if (empty) showLegend([]);
  else if (colour === "role") showLegend(parts.map((one) => [one, roleColour(one), ""]));
  else showLegend(words.map(([label, change]) => [label, changeColour(change, theme()), ""]));
};

const titles = (): void => {
  const { old, new: now } = pair();
  const [before, after] = [figure(selected, metric, "old"), figure(selected, metric, "new")];
  const words = (value: Figure): string => inWords(value, tree.metric(metric)) + ofPhase(pair());
  const title = (id: string, name: string, words: string): void =>
    byId(id).replaceChildren(`${name} `, el("span", { class: "muted" }, words));
  title("old-title", "Old", isMissing(old) ? "" : words(before));
  title("new-title", "New", isMissing(now) ? "" : `${words(after)}, ${growth(before, after)}`);
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

/** Show another phase, or the whole blocks. */
const setPair = (wanted: number): void => {
  place = pairs[wanted] ? wanted : 0;
  byId<HTMLSelectElement>("run").value = String(place);
  showTotals();
  show();
  measure();
};

// The address that leads back to what is shown.

const address = new Address(
  form(usual, () => ({
    name: tree.address(selected),
    shown: { ...usual, metric, colour, run: place, folded: tree.folded, opened: tree.openedRows(), ...modules.shown() },
  })),
);

/** Show what an address tells; returns what of it there is not, in words. */
const restore = ({ name, shown: wanted }: Place): string[] => {
  tree.setFolds(wanted.folded, wanted.opened);
  const found = name ? tree.find(name) : tree.top;
  selected = found ?? tree.top;
  metric = page.metrics.some(({ key }) => key === wanted.metric) ? wanted.metric : usual.metric;
  colour = wanted.colour === "role" ? "role" : "change";
  const gone = modules.restore(wanted);
  if (!found) gone.unshift(`module “${name}”`);
  if (metric !== wanted.metric) gone.push(`figure “${wanted.metric}”`);
  setPair(wanted.run);
  if (place !== wanted.run) gone.push(`run ${wanted.run}`);
  return gone;
};

// The controls.

offerRuns(
  pairs.map((one, i) => [i, choiceOf(one)] as const),
  pairs.length > 1,
  setPair,
);
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
  names: () => [page.title, pair().phase],
  chart: "Charts",
  pictures: () => charts.map(({ picture }, i) => [SIDES[i]!, picture]),
  table: modules.table,
  remember: () => address.remember(),
});

showSides(page);
listenToFrame(drawCharts);
address.follow(restore);
