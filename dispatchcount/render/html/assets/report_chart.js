// The treemap: area is the chosen figure, colour the type of module that most of the area is made of.
"use strict";
const map = { selected: tree.top, metric: data.metrics[0].key, colour: "type", marked: -1 };

const PALETTE = {
  light: ["#8fb8f2", "#f3b574", "#8fcb8a", "#bda6e3", "#f09a9a", "#6fc7bd", "#e9cf62", "#d0a98a"],
  dark: ["#2c5f9e", "#9a5b1b", "#3a7539", "#6850a4", "#9c4250", "#1c7470", "#7d6a12", "#755c48"],
};
const OTHER = { light: "#c5ccd6", dark: "#4b5563" };
const SMALLEST = 5; // square pixels that are still drawn
const OPENED = 2600; // square pixels from which a module shows its children
const DEEPEST = 12; // levels in one picture; a click shows more

// Types by how much of the chosen figure they hold, the same whatever is selected, so that colours stay put.
map.prepare = () => {
  const sums = new Map();
  for (let row = 0; row < tree.size; row += 1) {
    const own = ui.number(tree.own(row, map.metric));
    if (own) sums.set(tree.type(row), (sums.get(tree.type(row)) ?? 0) + own);
  }
  map.types = [...sums].sort((a, b) => b[1] - a[1]).map(([type, value]) => ({ key: type, label: type || "(no type)", value }));
  map.main = map.mains();
};

// What most of each module is made of: the type with the largest sum in it.
map.mains = () => {
  const main = new Array(tree.size + 1).fill("");
  const sums = new Array(tree.size + 1);
  const rows = tree.below(tree.top);
  if (tree.block !== null) rows.unshift(tree.block);
  for (const row of rows.reverse()) {
    const sum = new Map();
    const own = ui.number(tree.own(row, map.metric));
    if (own) sum.set(tree.type(row), own);
    for (const child of tree.children(row)) {
      for (const [type, value] of sums[child]) sum.set(type, (sum.get(type) ?? 0) + value);
      sums[child] = null;
    }
    sums[row] = sum;
    let best = -1;
    for (const [type, value] of sum) if (value > best) [main[row], best] = [type, value];
  }
  return main;
};

// Parts: the children of the selected module, or of the one module below it that is nearly all of it.
map.parts = () => {
  const value = (row) => ui.number(tree.total(row, map.metric));
  let at = map.selected;
  for (;;) {
    const biggest = tree.children(at).find((child) => value(child) > 0.9 * value(at));
    if (biggest === undefined || !tree.children(biggest).length) break;
    at = biggest;
  }
  return tree.children(at).filter(value).map((row) => ({ key: row, label: tree.short(row), value: value(row) })).sort((a, b) => b.value - a.value);
};

map.rank = () => {
  map.ranked = map.colour === "type" ? map.types : map.parts();
  // Types beyond the palette are one grey; parts only have to differ from their neighbours.
  const coloured = map.colour === "type" ? map.ranked.slice(0, PALETTE.light.length) : map.ranked;
  map.place = new Map(coloured.map(({ key }, place) => [key, place % PALETTE.light.length]));
  map.branch = new Map();
  if (map.colour === "part") for (const { key } of map.ranked) for (const row of tree.below(key)) map.branch.set(row, key);
};

map.theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
map.color = (key) => PALETTE[map.theme()][map.place.get(key)] ?? OTHER[map.theme()];
map.fill = (row, type) => map.color(map.colour === "type" ? type : map.branch.get(row));

// Rows as the treemap's nodes. A node's name is its row's number: no name of a module is ever read as anything but text.
map.nodes = (row, pixels, depth) => {
  const whole = ui.number(tree.total(row, map.metric));
  const nodes = [];
  const area = (value) => (pixels * value) / whole;
  for (const child of tree.children(row)) {
    const value = ui.number(tree.total(child, map.metric));
    if (!value || area(value) < SMALLEST) continue;
    const open = depth < DEEPEST && tree.children(child).length > 0 && area(value) > OPENED && tree.children(child).some((one) => ui.number(tree.total(one, map.metric)));
    const node = { name: String(child), value, itemStyle: { color: map.fill(child, map.main[child]) } };
    if (open) {
      node.children = map.nodes(child, area(value), depth + 1);
      node.itemStyle = { borderColor: depth % 2 ? ui.color("line") : ui.color("soft"), borderColorSaturation: null };
    }
    nodes.push(node);
  }
  const own = ui.number(tree.own(row, map.metric));
  if (own && area(own) >= SMALLEST) nodes.push(...map.ownNodes(row, own, depth));
  return nodes.reverse(); // of equals, ECharts puts the last one first
};

// What the selected module does itself, by operator; of one that is not selected, in one piece.
map.ownNodes = (row, own, depth) => {
  const itemStyle = { color: map.fill(row, tree.type(row)) };
  const parts = depth === 0 && tree.metric(map.metric).additive ? tree.operators([row]).filter((part) => part[map.metric] > 0n) : [];
  if (parts.length < 2) return [{ name: `${row} own`, value: own, itemStyle, operator: parts[0]?.name ?? null }];
  return parts.map((part, i) => ({ name: `${row} op ${i}`, value: Number(part[map.metric]), itemStyle, operator: part.name, digits: part }));
};

map.row = (node) => Number.parseInt(node.name, 10);

map.text = (node) => {
  const full = node.operator ?? (node.name.endsWith(" own") ? "own" : tree.short(map.row(node)));
  const name = full.replace(/\p{Cc}/gu, " ");
  return name.length > 60 ? `${name.slice(0, 57)}…` : name;
};

// A block's name and figure. A name may be cut, a figure not: "15" must never stand for 151 k.
const LETTER = 7; // pixels, about
map.label = (node, dataIndex) => {
  const { width } = map.chart.getModel().getSeriesByIndex(0).getData().getItemLayout(dataIndex);
  const fits = Math.floor((width - 8) / LETTER);
  const name = map.text(node);
  const figure = ui.human(node.value, tree.kind(map.metric));
  const shown = name.length <= fits ? name : fits > 2 ? `${name.slice(0, fits - 1)}…` : "";
  return figure.length <= fits ? `${shown}\n${figure}` : shown;
};

map.tip = (node) => {
  const row = map.row(node);
  if (!(row >= 0)) return null;
  const part = !/^\d+$/.test(node.name);
  const list = ui.el("dl");
  for (const { key, label, kind } of data.metrics) {
    const value = node.digits ? node.digits[key] : part ? tree.own(row, key) : tree.total(row, key);
    if (value === undefined) continue;
    list.append(ui.el("dt", {}, label), ui.el("dd", {}, ui.human(value, kind)), ui.el("dd", {}, ui.share(value, data.whole[key])));
  }
  const title = part ? `${tree.name(row)}: ${node.operator ?? "its own part"}` : tree.name(row);
  return ui.el("div", { class: "tip" }, ui.el("b", {}, title), ui.el("span", { class: "muted" }, tree.type(row)), list);
};

map.draw = () => {
  const element = ui.byId("chart");
  map.chart ??= map.start(element);
  const whole = ui.number(tree.total(map.selected, map.metric));
  const empty = ui.byId("empty");
  empty.hidden = whole > 0;
  empty.textContent = whole > 0 ? "" : `${tree.name(map.selected)} has no ${tree.label(map.metric).toLowerCase()} to draw.`;
  element.hidden = !(whole > 0);
  map.marked = -1;
  map.rank();
  map.legend();
  if (!(whole > 0)) return;
  map.chart.resize();
  const nodes = map.nodes(map.selected, element.clientWidth * element.clientHeight, 0);
  map.shown = nodes.filter((node) => /^\d+$/.test(node.name)).reverse().sort((a, b) => b.value - a.value).map(map.row);
  map.chart.clear(); // else labels of the last picture fly through this one
  map.chart.setOption(map.option(nodes));
};

map.option = (nodes) => {
  const ink = map.theme() === "dark" ? "#ffffff" : "#12161d";
  const label = { show: true, color: ink, fontSize: 12, lineHeight: 15, overflow: "truncate", ellipsis: "…", padding: 4, position: [2, 2] };
  const level = (gapWidth, borderWidth, height) => ({
    itemStyle: { gapWidth, borderWidth, borderColor: ui.color("panel") },
    upperLabel: { show: height > 0, height, color: ui.color("text"), fontSize: 12, fontWeight: 600, overflow: "truncate", padding: [0, 6], formatter: caption },
  });
  const caption = ({ data: node }) => (node?.name ? `${map.text(node)}   ${ui.human(node.value, tree.kind(map.metric))}` : "");
  return {
    animationDuration: 250,
    animationDurationUpdate: 250,
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    tooltip: ui.tooltip(({ data: node }) => map.tip(node)),
    series: {
      type: "treemap",
      data: nodes,
      left: 0, right: 0, top: 0, bottom: 0,
      roam: false,
      nodeClick: false,
      breadcrumb: { show: false },
      visibleMin: SMALLEST,
      childrenVisibleMin: OPENED / 2,
      label: { ...label, formatter: ({ data: node, dataIndex }) => map.label(node, dataIndex) },
      levels: [level(3, 0, 0), level(2, 3, 22), level(1, 2, 20), level(1, 2, 18), level(1, 1, 0)],
      emphasis: { itemStyle: { borderColor: ui.color("accent") }, label: { color: ink }, upperLabel: { color: ui.color("panel") } },
    },
  };
};

map.start = (element) => {
  const chart = ui.chart(element);
  chart.on("click", ({ data: node }) => {
    const row = node ? map.row(node) : -1;
    if (!(row >= 0)) return;
    const inside = tree.children(row).length > 0 || tree.parent(row) === map.selected;
    map.select(inside ? row : tree.parent(row));
  });
  element.addEventListener("keydown", map.key);
  element.addEventListener("blur", () => map.mark(-1));
  return chart;
};

map.key = (event) => {
  const shown = map.shown ?? [];
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step && shown.length) map.mark(map.marked < 0 && step < 0 ? shown.length - 1 : (map.marked + step + shown.length) % shown.length);
  else if ((event.key === "Enter" || event.key === " ") && map.marked >= 0) map.select(shown[map.marked]);
  else if ((event.key === "Escape" || event.key === "Backspace") && tree.parent(map.selected) >= 0) map.select(tree.parent(map.selected));
  else if (event.key === "Home") map.select(tree.top);
  else return;
  event.preventDefault();
};

// The keyboard's mark: lit in the chart, spoken to a screen reader.
map.mark = (place) => {
  const at = (i) => ({ seriesIndex: 0, name: String(map.shown[i]) });
  if (map.marked >= 0) map.chart.dispatchAction({ type: "downplay", ...at(map.marked) });
  map.marked = place;
  if (place < 0) return void map.chart.dispatchAction({ type: "hideTip" });
  map.chart.dispatchAction({ type: "highlight", ...at(place) });
  map.chart.dispatchAction({ type: "showTip", ...at(place) });
  const row = map.shown[place];
  const value = tree.total(row, map.metric);
  ui.byId("spoken").textContent = `${tree.name(row)}, ${tree.type(row)}, ${ui.human(value, tree.kind(map.metric))} ${tree.label(map.metric)}, ${ui.share(value, data.whole[map.metric])}`;
};

map.legend = () => {
  const whole = ui.number(map.colour === "type" ? data.whole[map.metric] : tree.total(map.selected, map.metric));
  const most = map.colour === "type" ? PALETTE.light.length : 12;
  const others = map.ranked.slice(most);
  const items = map.ranked.slice(0, most).map(({ key, label, value }) => [label, value, map.color(key)]);
  if (others.length) {
    const value = others.reduce((sum, one) => sum + one.value, 0);
    items.push([`and ${ui.plural(others.length, `other ${map.colour}`)}`, value, map.colour === "type" ? OTHER[map.theme()] : "transparent"]);
  }
  ui.byId("legend").replaceChildren(
    ...items.map(([label, value, color]) => {
      const swatch = ui.el("i");
      swatch.style.background = color;
      return ui.el("li", {}, swatch, ui.el("span", { title: label }, label), ui.el("span", { class: "muted" }, ui.share(value, whole)));
    }),
  );
};
