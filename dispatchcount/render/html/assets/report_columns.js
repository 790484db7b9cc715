"use strict";
// The columns that every table of figures has: a number for each metric, and the chosen one's share of the whole.
const figures = (metrics, value, exact) =>
  metrics.map(({ key, label, kind }) => {
    const text = (number) => (exact() ? ui.exact(number) + (kind === "time" ? " ns" : "") : ui.human(number, kind));
    return {
      key,
      label,
      num: true,
      value: (row) => ui.number(value(row, key)),
      text: (row) => text(value(row, key)),
      title: (row) => `${ui.exact(value(row, key))} ${label}`,
      room: () => text(data.whole[key]).length + (key === "flops" && data.estimate ? 2 : 0),
    };
  });

const shareColumn = (value, chosen) => ({
  key: "share",
  label: "Share",
  now: () => `of ${tree.label(chosen())}`,
  width: 146,
  num: true,
  value: (row) => ui.number(value(row, chosen())),
  cell: (row) => {
    const whole = data.whole[chosen()];
    const cell = ui.el("td", { class: "num share" }, ui.share(value(row, chosen()), whole));
    const part = ui.number(whole) ? ui.number(value(row, chosen())) / ui.number(whole) : 0;
    cell.style.backgroundSize = `calc(${Math.min(1, part)} * (100% - 12px)) 18px`;
    return cell;
  },
});
