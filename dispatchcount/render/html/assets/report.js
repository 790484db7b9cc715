// Puts the page together: one selected module, which the chart, the trail and both tables follow.
"use strict";
{
  const digits = ui.el("input", { type: "checkbox", id: "exact" });
  const exact = () => digits.checked;
  const chosen = () => map.metric;
  const elementwise = data.metrics.filter((metric) => metric.elementwise);
  const main = data.metrics.filter((metric) => !elementwise.includes(metric));

  const trail = () => {
    const all = tree.trail(map.selected);
    const rows = all.length > 10 ? [all[0], ...all.slice(-8)] : all;
    const crumbs = rows.flatMap((row, i) => {
      const here = row === map.selected;
      const button = ui.el("button", { type: "button", title: tree.name(row), "aria-current": here ? "true" : null, onclick: () => map.select(row) }, tree.short(row));
      return i ? [ui.el("span", { "aria-hidden": "true" }, i === 1 && rows.length < all.length ? "› … ›" : "›"), button] : [button];
    });
    ui.byId("trail").replaceChildren(...crumbs);
    const row = map.selected;
    const extra = row === tree.block ? "" : data.rows.extra[row];
    const aliases = row === tree.block ? [] : data.rows.aliases[row];
    const figure = `${ui.human(tree.total(row, map.metric), tree.kind(map.metric))} ${tree.label(map.metric)}, ${ui.share(tree.total(row, map.metric), data.whole[map.metric])} of the whole`;
    const also = aliases.length ? ` Also called ${aliases.join(", ")}.` : "";
    const calls = row === tree.block ? "" : tree.uncalled.has(row) ? " Never called." : ` Called ${ui.exact(tree.calls(row))} ${String(tree.calls(row)) === "1" ? "time" : "times"}.`;
    ui.byId("chosen").replaceChildren(ui.el("b", {}, tree.type(row) + (extra ? `(${extra})` : "")), ` ${figure}.${calls}${also}`);
  };

  const calls = (value) => {
    const text = (number) => (exact() ? ui.exact(number) : ui.human(number));
    return { key: "calls", label: "Calls", num: true, value: (row) => Number(value(row)), text: (row) => text(value(row)), title: (row) => ui.exact(value(row)), room: () => text(data.calls).length };
  };

  const moduleColumns = () => {
    const columns = [
      {
        key: "name",
        label: "Module",
        value: (row) => tree.name(row),
        search: (row) => tree.name(row),
        cell: (row) => {
          const full = tree.name(row);
          const last = tree.short(row);
          const above = full.length > last.length ? ui.el("span", { class: "above" }, full.slice(0, full.length - last.length)) : null;
          const button = ui.el("button", { type: "button", onclick: () => map.select(row), title: full }, above, ui.el("span", { class: "last" }, last));
          const cell = ui.el("th", { scope: "row", class: "name mono" }, button);
          if (!modules.sort) cell.style.paddingLeft = `${10 + 10 * Math.min(8, tree.depth[row] - (tree.depth[map.selected] ?? 0))}px`;
          return cell;
        },
      },
      { key: "type", label: "Type", width: 120, value: (row) => tree.type(row), search: (row) => tree.type(row), cell: (row) => ui.el("td", { class: "type", title: tree.type(row) }, tree.type(row)) },
      shareColumn(tree.total, chosen),
      ...figures(main, tree.total, exact),
      calls(tree.calls),
      ...figures(elementwise, tree.total, exact),
    ];
    for (const column of columns) {
      if (column.key === "flops") {
        const text = column.text;
        column.text = (row) => (tree.estimate.has(row) ? `≈ ${text(row)}` : text(row));
      }
    }
    if (data.samples) columns.push({ key: "rate", label: "Runs in", num: true, value: (row) => data.samples.rate[row], text: (row) => ui.share(data.samples.rate[row], 1), title: () => "Share of the samples in which it ran" });
    return columns;
  };

  const ofOperator = (row, key) => row[key] ?? 0n;
  const operatorColumns = () => [
    { key: "name", label: "Operator", value: (row) => row.name, search: (row) => row.name, cell: (row) => ui.el("th", { scope: "row", class: "name mono", title: row.name }, row.name) },
    { key: "status", label: "Status", width: 120, value: (row) => row.status, search: (row) => row.status, cell: (row) => ui.el("td", {}, ui.el("span", { class: `badge ${row.status}` }, row.status)) },
    shareColumn(ofOperator, chosen),
    ...figures(main.filter(({ additive }) => additive), ofOperator, exact),
    calls((row) => row.calls),
    ...figures(elementwise, ofOperator, exact),
  ];

  let modules = { sort: null };
  let operators = null;
  const tables = () => {
    const rows = tree.below(map.selected);
    modules.show(rows);
    operators.show(tree.operators(rows));
  };

  const show = (row) => {
    map.selected = row;
    trail();
    map.draw();
    tables();
  };

  // The address names the selected module, so that it can be linked to and the browser leads back.
  map.select = (row) => {
    if (row !== map.selected) show(row);
    const hash = row === tree.top ? "" : `#${encodeURIComponent(tree.key(row))}`;
    if (hash !== location.hash) location.hash = hash || "#";
  };

  const named = () => {
    let key = "";
    try {
      key = decodeURIComponent(location.hash.slice(1));
    } catch {
      return -1; // no address of ours
    }
    return key ? tree.find(key) : tree.top;
  };

  const metric = ui.byId("metric");
  metric.replaceChildren(...data.metrics.map(({ key, label }) => ui.el("option", { value: key }, label)));
  metric.addEventListener("change", () => {
    map.metric = metric.value;
    map.prepare();
    trail();
    map.draw();
    modules.arrange();
    operators.arrange();
  });

  const colour = ui.byId("colour");
  colour.addEventListener("change", () => {
    map.colour = colour.value;
    map.draw();
  });

  modules = new Table({ section: ui.byId("modules"), id: "modules", title: "Modules", noun: "module", rows: [], columns: moduleColumns(), selected: (row) => row === map.selected });
  operators = new Table({ section: ui.byId("operators"), id: "operators", title: "Operators", noun: "operator", rows: [], columns: operatorColumns(), sort: "flops" });
  digits.addEventListener("change", () => [modules, operators].forEach((table) => table.measure()));
  modules.search.before(ui.el("label", { class: "checkbox" }, digits, "Exact numbers"));
  ui.byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    ui.byId("modules").focus();
  });

  parts.labels();
  parts.issues();
  parts.totals();
  parts.groups();
  parts.samples();
  parts.words();
  map.prepare();
  // One type that is nearly everything would leave the chart in one colour.
  if (map.types.length && map.types[0].value > 0.85 * ui.number(data.whole[map.metric])) map.colour = colour.value = "part";
  ui.theme(() => {
    map.draw();
    parts.paint();
  });
  parts.paint();
  addEventListener("hashchange", () => {
    const row = named();
    if (row >= 0 && row !== map.selected) show(row);
  });
  const first = named();
  show(first >= 0 ? first : tree.top);
}
