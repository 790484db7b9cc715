// What both the report's page and the dashboard need: elements, numbers, the theme.
"use strict";
const ui = {};

// An element; text goes in as text, never as markup.
ui.el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

ui.byId = (id) => document.getElementById(id);

// The page's data, embedded as JSON. Integers above 2^53 arrive as decimal text: ui.number() for sizes, ui.exact() for digits.
ui.data = () => JSON.parse(ui.byId("data").textContent);
ui.number = (value) => Number(value);
ui.sum = (values) => values.reduce((total, value) => total + BigInt(value), 0n);
ui.exact = (value) => BigInt(value).toLocaleString("en-US");

const scaled = (value, units) => {
  let size = Number(value);
  let unit = 0;
  while (Math.abs(size) >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit === 0 ? 0 : Math.abs(size) < 9.995 ? 2 : Math.abs(size) < 99.95 ? 1 : 0;
  return [size.toFixed(digits), units[unit]].join(units[unit] ? " " : "");
};

// Three digits with a decimal prefix, as render/numbers.py writes them; `kind` is "count", "bytes" or "time" (nanoseconds).
const UNITS = {
  count: ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"],
  bytes: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "RB", "QB"],
  time: ["ns", "µs", "ms", "s"],
};
ui.human = (value, kind = "count") => scaled(value, UNITS[kind]);

ui.share = (part, whole) => {
  const share = Number(whole) ? Number(part) / Number(whole) : 0;
  return share > 0 && share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`;
};

ui.plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

ui.date = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;

// Light or dark: the system's choice until the reader makes one.
ui.theme = (changed) => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = ui.byId("theme");
  let chosen = null;
  const apply = () => {
    const dark = (chosen ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", dark ? "Switch to the light theme" : "Switch to the dark theme");
  };
  const change = () => {
    apply();
    changed();
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    change();
  });
  system.addEventListener("change", change);
  apply();
};

ui.color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// What ECharts is given for every tooltip: plain elements, in the page's colours.
ui.tooltip = (formatter) => ({
  appendTo: "body",
  confine: true,
  backgroundColor: ui.color("panel"),
  borderColor: ui.color("line"),
  textStyle: { color: ui.color("text"), fontSize: 13 },
  extraCssText: "max-width:min(460px,90vw);white-space:normal;overflow-wrap:anywhere;",
  formatter,
});

// A chart that follows its element's size.
ui.chart = (element) => {
  const chart = echarts.init(element, null, { renderer: "canvas" });
  new ResizeObserver(() => chart.resize()).observe(element);
  return chart;
};
