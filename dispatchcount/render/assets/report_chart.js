// The treemap: area is the chosen figure, colour the type of module that most of the area is made of.
"use strict";
const map = { selected: tree.top, metric: data.metrics[0].key, marked: -1 };

const PALETTE = {
  light: ["#8fb8f2", "#f3b574", "#8fcb8a", "#bda6e3", "#f09a9a", "#6fc7bd", "#e9cf62", "#d0a98a"],
  dark: ["#2c5f9e", "#9a5b1b", "#3a7539", "#6850a4", "#9c4250", "#1c7470", "#7d6a12", "#755c48"],
};
const OTHER = { light: "#c5ccd6", dark: "#4b5563" };
const SMALLEST = 5; // square pixels that are still drawn
const OPENED = 2600; // square pixels from which a module shows its children

// Types that hold most of a figure, the same whatever is selected, so that colours stay put.
map.types = (metric) => {
  const sums = new Map();
  for (let row = 0; row < tree.size; row += 1) {
    const own = ui.number(tree.own(row, metric));
    if (own) sums.set(tree.type(row), (sums.get(tree.type(row)) ?? 0) + own);
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
};

map.prepare = () => {
  const ranked = map.types(map.metric);
  map.ranked = ranked;
  map.place = new Map(ranked.slice(0, PALETTE.light.length).map(([type], place) => [type, place]));
  // What most of each module is made of: the type with the largest sum in it.
  map.main = new Array(tree.size + 1).fill("");
  const sums = new Array(tree.size + 1);
  const rows = tree.below(tree.top);
  if (tree.block !== null) rows.unshift(tree.block);
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const row = rows[i];
    const sum = new Map();
    const own = ui.number(tree.own(row, map.metric));
    if (own) sum.set(tree.type(row), own);
    for (const child of tree.children(row)) {
      for (const [type, value] of sums[child]) sum.set(type, (sum.get(type) ?? 0) + value);
      sums[child] = null;
    }
    sums[row] = sum;
    let best = -1;
    for (const [type, value] of sum) if (value > best) [map.main[row], best] = [type, value];
  }
};

map.theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
map.fill = (type) => PALETTE[map.theme()][map.place.get(type)] ?? OTHER[map.theme()];

// Rows as the treemap's nodes. A node's name is its row's number: no name of a module is ever read as anything but text.
map.nodes = (row, pixels, depth) => {
  const whole = ui.number(tree.total(row, map.metric));
  const nodes = [];
  const area = (value) => (pixels * value) / whole;
  for (const child of tree.children(row)) {
    const value = ui.number(tree.total(child, map.metric));
    if (!value || area(value) < SMALLEST) continue;
    const open = tree.children(child).length > 0 && area(value) > OPENED && tree.children(child).some((one) => ui.number(tree.total(one, map.metric)));
    const node = { name: String(child), value, itemStyle: { color: map.fill(map.main[child]) } };
    if (open) {
      node.children = map.nodes(child, area(value), depth + 1);
      node.itemStyle = { borderColor: depth % 2 ? ui.color("line") : ui.color("soft"), borderColorSaturation: null };
    }
    nodes.push(node);
  }
  const own = ui.number(tree.own(row, map.metric));
  if (own && area(own) >= SMALLEST) nodes.push(...map.ownNodes(row, own, depth));
  return nodes;
};

// What the selected module does itself, by operator; of one that is not selected, in one piece.
map.ownNodes = (row, own, depth) => {
  const itemStyle = { color: map.fill(tree.type(row)) };
  const parts = depth === 0 && map.metric !== "params" ? tree.operators([row]).filter((part) => part[map.metric] > 0n) : [];
  if (parts.length < 2) return [{ name: `${row} own`, value: own, itemStyle, operator: parts[0]?.name ?? null }];
  return parts.map((part, i) => ({ name: `${row} op ${i}`, value: Number(part[map.metric]), itemStyle, operator: part.name, digits: part }));
};

map.row = (node) => Number.parseInt(node.name, 10);

map.text = (node) => {
  const name = node.operator ?? (node.name.endsWith(" own") ? "own part" : tree.short(map.row(node)));
  return name.length > 60 ? `${name.slice(0, 57)}…` : name;
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
  map.legend();
  if (!(whole > 0)) return;
  map.chart.resize();
  const nodes = map.nodes(map.selected, element.clientWidth * element.clientHeight, 0);
  map.shown = nodes.filter((node) => /^\d+$/.test(node.name)).map((node) => map.row(node));
  map.chart.setOption(map.option(nodes), { notMerge: true });
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
      label: { ...label, formatter: ({ data: node }) => `${map.text(node)}\n${ui.human(node.value, tree.kind(map.metric))}` },
      levels: [level(3, 0, 0), level(2, 3, 22), level(1, 2, 20), level(1, 2, 18), level(1, 1, 0)],
      emphasis: { itemStyle: { borderColor: ui.color("accent") }, label: { color: ink }, upperLabel: { color: ui.color("accent"), show: true } },
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
  const whole = map.ranked.reduce((sum, [, value]) => sum + value, 0);
  const items = map.ranked.slice(0, PALETTE.light.length).map(([type, value]) => [type || "(no type)", value, map.fill(type)]);
  const rest = map.ranked.slice(PALETTE.light.length).reduce((sum, [, value]) => sum + value, 0);
  if (rest) items.push(["other types", rest, OTHER[map.theme()]]);
  ui.byId("legend").replaceChildren(
    ...items.map(([type, value, color]) => {
      const swatch = ui.el("i");
      swatch.style.background = color;
      return ui.el("li", {}, swatch, ui.el("span", { title: type }, type), ui.el("span", { class: "muted" }, ui.share(value, whole)));
    }),
  );
};
