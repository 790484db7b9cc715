// The dashboard: models with their newest figures, the trend and the runs of the one that is selected.
"use strict";
{
  const data = ui.data();
  const METRICS = Object.fromEntries(data.metrics.map((metric) => [metric.key, metric]));
  const kind = (key) => METRICS[key].kind;
  const metric = ui.byId("metric");

  // Runs come sorted by model, input and time: neighbours of one model and input are a group.
  const groups = [];
  for (const run of data.runs) {
    const last = groups.at(-1);
    if (last && last.model === run.model && last.input === run.input) {
      run.before = last.runs.at(-1);
      last.runs.push(run);
    } else groups.push({ model: run.model, input: run.input, runs: [run] });
  }
  const newest = (group) => group.runs.at(-1);
  const title = (group) => (group.input ? `${group.model}, ${group.input}` : group.model);
  let selected = groups.reduce((most, group) => (group.runs.length > most.runs.length ? group : most));
  let chart = null;

  const growth = (run, key) => {
    if (!run.before) return null;
    const before = ui.number(run.before.values[key]);
    const now = ui.number(run.values[key]);
    return before ? (now - before) / before : now ? Infinity : 0;
  };
  const growthText = (share) => {
    if (share === null) return "";
    if (share === Infinity) return "new";
    if (share === 0) return "±0";
    const percent = share * 100;
    return `${percent > 0 ? "+" : "−"}${Math.abs(percent) < 0.1 ? "<0.1" : Math.abs(percent).toFixed(1)} %`;
  };

  const figure = (key, of) => {
    const text = (row) => ui.human(of(row).values[key], kind(key));
    const most = () => Math.max(...data.runs.map((run) => ui.human(run.values[key], kind(key)).length));
    return { key, label: METRICS[key].label, num: true, value: (row) => ui.number(of(row).values[key]), text, title: (row) => ui.exact(of(row).values[key]), room: most };
  };
  const change = (key, of) => ({
    key: `${key}-change`,
    label: "Change",
    num: true,
    value: (row) => growth(of(row), key) ?? -Infinity,
    cell: (row) => {
      const share = growth(of(row), key);
      return ui.el("td", { class: share > 0 ? "num up" : share < 0 ? "num down" : "num zero", title: `Change of ${METRICS[key].label} from the run before` }, growthText(share));
    },
  });
  const words = (key, label, value, width) => ({ key, label, width, value, text: value, search: value, title: value });
  const state = (run) => [...run.uncounted.map((op) => `not counted: ${op}`), ...(run.stopped === null ? [] : [`stopped in ${run.stopped || "(root)"}`])].join(", ");
  const open = (of) => ({
    key: "page",
    label: "Report",
    width: 92,
    value: (row) => of(row).file,
    search: (row) => of(row).file,
    cell: (row) => ui.el("td", {}, ui.el("a", { href: of(row).page, title: of(row).file }, "Open")),
  });
  const figures = (of) => [figure("flops", of), change("flops", of), figure("params", of), change("params", of), figure("activations", of), figure("bytes", of)];
  const status = (of) => ({
    key: "state",
    label: "Status",
    width: 116,
    value: (row) => state(of(row)),
    search: (row) => state(of(row)),
    cell: (row) => {
      const text = state(of(row));
      return ui.el("td", { title: text || "Everything was counted" }, ui.el("span", { class: text ? "badge unknown" : "badge" }, text ? "incomplete" : "complete"));
    },
  });

  const models = new Table({
    section: ui.byId("models"), id: "models", title: "Models", noun: "model", rows: groups, selected: (group) => group === selected,
    columns: [
      {
        key: "model", label: "Model", value: (group) => group.model, search: (group) => group.model,
        cell: (group) => ui.el("th", { scope: "row", class: "name" }, ui.el("button", { type: "button", title: group.model, onclick: () => choose(group) }, ui.el("span", { class: "last" }, group.model))),
      },
      words("input", "Input", (group) => group.input, 140),
      ...figures(newest),
      { key: "count", label: "Runs", num: true, value: (group) => group.runs.length, text: (group) => String(group.runs.length) },
      words("commit", "Newest", (group) => newest(group).commit || ui.date(newest(group).created), 110),
      status(newest),
      open(newest),
    ],
  });

  const same = (run) => run;
  const runs = new Table({
    section: ui.byId("runs"), id: "runs", title: "Runs", noun: "run", rows: [],
    columns: [
      { ...words("when", "When", (run) => ui.date(run.created)), value: (run) => run.created },
      words("commit", "Commit", (run) => run.commit, 110),
      ...figures(same),
      words("labels", "Labels", (run) => run.labels.map(([key, value]) => `${key}=${value}`).join(", "), 130),
      status(same),
      open(same),
    ],
  });

  const draw = () => {
    const key = metric.value;
    const line = { lineStyle: { color: ui.color("line") } };
    const text = { color: ui.color("muted") };
    chart ??= start();
    chart.setOption({
      animation: false,
      tooltip: { ...ui.tooltip(([point]) => tip(selected.runs[point.dataIndex], key)), trigger: "axis" },
      grid: { left: 72, right: 24, top: 20, bottom: 40 },
      xAxis: { type: "category", data: selected.runs.map((run, i) => String(i)), axisLabel: { ...text, hideOverlap: true, formatter: (place) => (selected.runs[place].commit || ui.date(selected.runs[place].created).slice(0, 10)).slice(0, 12) }, axisLine: line },
      yAxis: { type: "value", scale: true, axisLabel: { ...text, formatter: (value) => ui.human(Math.round(value), kind(key)) }, splitLine: line },
      series: {
        type: "line", data: selected.runs.map((run) => ui.number(run.values[key])), symbol: "circle", symbolSize: 9, step: "end",
        lineStyle: { color: ui.color("accent"), width: 2 }, itemStyle: { color: ui.color("accent") }, areaStyle: { color: ui.color("accent"), opacity: 0.08, origin: "start" },
      },
    }, { notMerge: true });
  };
  const tip = (run, key) =>
    ui.el("div", {}, ui.el("b", {}, run.commit || run.file), ui.el("br"), ui.date(run.created), ui.el("br"), `${ui.exact(run.values[key])} ${METRICS[key].label} ${growthText(growth(run, key))}`);
  const start = () => {
    const made = ui.chart(ui.byId("trend"));
    made.on("click", ({ dataIndex }) => (location.href = selected.runs[dataIndex].page));
    return made;
  };

  const choose = (group) => {
    selected = group;
    ui.byId("trend-title").textContent = title(group);
    runs.show([...group.runs].reverse());
    models.painted = null;
    models.paint();
    draw();
  };

  const chip = (label, value) => ui.el("li", { title: `${label}: ${value}` }, ui.el("b", {}, label), ` ${value}`);
  ui.byId("labels").replaceChildren(chip("reports", data.runs.length), chip("series", groups.length), chip("convention", `${data.convention.name} (${data.convention.unit})`));
  if (data.bad.length) {
    const section = ui.byId("bad");
    section.hidden = false;
    section.replaceChildren(
      ui.el("h2", { id: "bad-title" }, `${ui.plural(data.bad.length, "file")} could not be read`),
      ui.el("ul", {}, ...data.bad.map(({ file, error }) => ui.el("li", {}, ui.el("b", { class: "mono" }, file), ` ${error}`))),
    );
  }
  ui.byId("footer").textContent = "Made by dispatchcount.";
  metric.replaceChildren(...data.metrics.map(({ key, label }) => ui.el("option", { value: key }, label)));
  metric.addEventListener("change", draw);
  ui.theme(draw);
  choose(selected);
}
