// The parts of the page that do not follow the selection: what was run, problems, totals, groups, samples, words.
"use strict";
const parts = {};

parts.labels = () => {
  const { meta, convention } = data;
  const chip = (label, value) => ui.el("li", { title: `${label}: ${value}` }, ui.el("b", {}, label), ` ${value}`);
  const chips = [chip("convention", convention.name), ...meta.labels.map(([label, value]) => chip(label, value))];
  if (meta.model && meta.model !== data.title) chips.push(chip("class", meta.model));
  if (meta.training !== null) chips.push(chip("mode", meta.training ? "train" : "eval"));
  if (meta.devices.length) chips.push(chip("device", meta.devices.join(", ")));
  if (meta.dtypes.length) chips.push(chip("dtype", meta.dtypes.join(", ")));
  if (meta.created) chips.push(chip("run", ui.date(meta.created)));
  ui.byId("labels").replaceChildren(...chips);
  ui.byId("footer").textContent = `dispatchcount ${meta.dispatchcount} · torch ${meta.torch} · Python ${meta.python}`;
};

parts.issues = () => {
  const { issues, meta } = data;
  const section = ui.byId("issues");
  const lines = issues.map((issue) => {
    const where = issue.modules.map((name) => name || "(root)");
    const details = ui.el("details", {}, ui.el("summary", {}, `${ui.plural(where.length, "module")}, ${ui.plural(issue.shapes.length, "shape")}`));
    details.append(ui.el("p", {}, `In: ${where.join(", ")}`), ...issue.shapes.map((shape) => ui.el("p", { class: "mono" }, shape)));
    return ui.el("li", {}, ui.el("span", { class: `badge ${issue.status}` }, issue.status), " ", ui.el("b", { class: "mono" }, issue.op),
      ` ${ui.exact(issue.calls)} ${issue.calls === 1 ? "call" : "calls"}, ${ui.human(issue.nbytes, "bytes")} moved: ${issue.message}`, details);
  });
  if (meta.stopped_in !== null) lines.unshift(ui.el("li", {}, `The block stopped in ${meta.stopped_in || "(root)"}: ${meta.error}. The figures are those up to there.`));
  section.hidden = !lines.length;
  const title = issues.length ? `${ui.plural(issues.length, "operator")} could not be counted: the totals are too small` : "The run did not end";
  section.replaceChildren(ui.el("h2", { id: "issues-title" }, title), ui.el("ul", {}, ...lines));
};

parts.totals = () => {
  const figure = (value, label, title, first) => ui.el("div", { class: first ? "total first" : "total", title }, ui.el("b", {}, value), ui.el("span", {}, label));
  const cards = data.metrics.map(({ key, label, kind, help, estimable }, i) => {
    const unit = key === "flops" ? `FLOPs (${data.convention.name}): ${data.convention.unit}` : label;
    const mark = !estimable ? "" : data.gap ? "≥ " : data.estimate ? "≈ " : "";
    return figure(mark + ui.human(data.whole[key], kind), unit, `${ui.exact(data.whole[key])}: ${help}`, i === 0);
  });
  cards.push(figure(ui.human(data.calls), "Operator calls", ui.exact(data.calls), false));
  if (data.memory) cards.push(figure(ui.human(data.memory.peak, "bytes"), `Peak memory, in ${data.memory.peak_module || "(root)"}`, `${ui.exact(data.memory.peak)} bytes at ${data.memory.peak_op}`, false));
  ui.byId("totals").replaceChildren(cards[0], ui.el("div", { class: "rest" }, ...cards.slice(1)));
};

parts.groups = () => {
  const shown = data.groups.filter((group) => group.rows.length > 1);
  const metrics = data.metrics.filter(({ key, additive }) => additive && key !== "macs");
  ui.byId("groups").replaceChildren(...shown.map(({ title, label, rows }) => {
    const head = [ui.el("th", { scope: "col" }, label), ui.el("th", { scope: "col", class: "num" }, "Share of FLOPs")];
    head.push(...metrics.map((metric) => ui.el("th", { scope: "col", class: "num" }, metric.label)));
    const lines = rows.map((row) => {
      const share = shareColumn((one, key) => one.values[key], () => "flops").cell(row);
      return ui.el("tr", {}, ui.el("th", { scope: "row" }, row.name || "(none)"), share,
        ...metrics.map(({ key, kind }) => ui.el("td", { class: "num", title: ui.exact(row.values[key]) }, ui.human(row.values[key], kind))));
    });
    const id = `group-${title.toLowerCase()}`;
    const table = ui.el("table", { "aria-labelledby": id }, ui.el("thead", {}, ui.el("tr", {}, ...head)), ui.el("tbody", {}, ...lines));
    return ui.el("section", { class: "panel", "aria-labelledby": id }, ui.el("header", { class: "head" }, ui.el("h2", { id }, title)), ui.el("div", { class: "table-box" }, table));
  }));
};

parts.bins = (values) => {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const count = least === most ? 1 : Math.min(24, Math.max(6, Math.ceil(Math.sqrt(values.length))));
  const width = (most - least) / count;
  const bins = Array.from({ length: count }, (_, i) => ({ from: least + i * width, to: least + (i + 1) * width, samples: 0 }));
  for (const value of values) bins[width ? Math.min(count - 1, Math.floor((value - least) / width)) : 0].samples += 1;
  return bins;
};

parts.samples = () => {
  if (!data.samples) return;
  const { label, flops, distribution } = data.samples;
  const section = ui.byId("samples");
  section.hidden = false;
  const facts = Object.entries({ samples: label.length, ...distribution }).map(([name, value]) =>
    ui.el("div", {}, ui.el("dt", {}, name), ui.el("dd", { title: String(value) }, name === "samples" ? ui.exact(value) : ui.human(Number.isInteger(value) || typeof value === "string" ? value : Math.round(value)))));
  const chart = ui.el("div", { class: "histogram", role: "img", "aria-label": "How many samples cost how many FLOPs; the table below has each sample" });
  const list = ui.el("div");
  section.replaceChildren(ui.el("header", { class: "head" }, ui.el("h2", { id: "samples-title" }, "FLOPs over the samples")), ui.el("dl", { class: "figures" }, ...facts), chart, list);
  const rows = label.map((name, i) => ({ place: i + 1, name, flops: flops[i] }));
  new Table({
    section: list, id: "each", title: "Each sample", noun: "sample", rows,
    columns: [
      { key: "name", label: "Sample", value: (row) => row.name, text: (row) => row.name, search: (row) => row.name, title: (row) => row.name },
      { key: "place", label: "Order", num: true, value: (row) => row.place, text: (row) => String(row.place) },
      { key: "flops", label: "FLOPs", width: 120, num: true, value: (row) => ui.number(row.flops), text: (row) => ui.human(row.flops), title: (row) => ui.exact(row.flops) },
    ],
  });
  parts.histogram = ui.chart(chart);
  parts.bars = parts.bins(flops.map(Number));
};

parts.paint = () => {
  if (!parts.histogram) return;
  const axis = { axisLabel: { color: ui.color("muted") }, axisLine: { lineStyle: { color: ui.color("line") } }, splitLine: { lineStyle: { color: ui.color("line") } }, nameTextStyle: { color: ui.color("muted") } };
  const range = (bin) => `${ui.human(Math.round(bin.from))} – ${ui.human(Math.round(bin.to))}`;
  parts.histogram.setOption({
    animation: false,
    tooltip: ui.tooltip(({ dataIndex }) => ui.el("span", {}, `${range(parts.bars[dataIndex])} FLOPs: ${ui.plural(parts.bars[dataIndex].samples, "sample")}`)),
    grid: { left: 56, right: 12, top: 28, bottom: 44 },
    xAxis: { type: "category", data: parts.bars.map((bin) => ui.human(Math.round(bin.from))), name: "FLOPs, from", nameLocation: "middle", nameGap: 28, ...axis },
    yAxis: { type: "value", minInterval: 1, name: "samples", ...axis },
    series: { type: "bar", data: parts.bars.map((bin) => bin.samples), barCategoryGap: "6%", itemStyle: { color: ui.color("accent"), borderRadius: [3, 3, 0, 0] } },
  });
};

parts.words = () => {
  const { convention, metrics, meta, rows, operators } = data;
  const list = ui.el("dl", { class: "words" });
  const word = (name, text) => list.append(ui.el("dt", {}, name), ui.el("dd", {}, text));
  word("Convention", `${convention.name}: ${convention.unit}.`);
  for (const { label, help } of metrics) word(label, help);
  word("Share", "Of the whole block, for the figure chosen above the chart. A module's figures include those of the modules below it.");
  if (data.gap) word("≥", "Operators that could not be counted are missing from the total.");
  if (data.estimate) word("≈", "The figure contains a published estimate of an iterative or data-dependent operator.");
  const zero = operators.name.filter((_, i) => operators.status[i] === "zero");
  if (zero.length) word("Zero by definition", zero.join(", "));
  if (rows.uncalled.length) word("Never called", rows.uncalled.slice(0, 200).map((row) => rows.name[row]).join(", ") + (rows.uncalled.length > 200 ? ` and ${rows.uncalled.length - 200} more` : ""));
  for (const note of meta.notes) word("Note", note);
  ui.byId("words").replaceChildren(ui.el("header", { class: "head" }, ui.el("h2", { id: "words-title" }, "What the words mean")), list);
};
