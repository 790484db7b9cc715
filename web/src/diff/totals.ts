import type { Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { exact, growth, human, WIDEST, type Figure } from "../shared/numbers.ts";
import type { Metric } from "../shared/payload.ts";
import { longest, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { difference, signed } from "./figures.ts";
import { missing, ofPhase, type Pair, type Which } from "./pairs.ts";

/** The totals of what is compared, each with its change; gives a function that shows those of another pair. */
export const totals = (tree: Tree, pair: () => Pair): (() => void) => {
  const total = (which: Which, { key }: Metric): Figure => tree.total(tree.top, key, pair()[which]);
  const way = (cell: HTMLElement, metric: Metric, text: string): void => {
    const [before, after] = [total("old", metric), total("new", metric)];
    if (after !== before) cell.classList.add(after > before ? "up" : "down");
    cell.textContent = text;
  };
  const side = (which: Which, label: string): Column<Metric> => ({
    key: which,
    label,
    num: true,
    value: (metric) => total(which, metric),
    text: (metric) => human(total(which, metric), metric.kind),
    tip: (metric) => exact(total(which, metric)),
    room: () => WIDEST,
  });
  const grown = (metric: Metric): string => signed(total("old", metric), total("new", metric), metric.kind);
  const percent = (metric: Metric): string => growth(total("old", metric), total("new", metric));
  const change = (metric: Metric): Figure => difference(total("old", metric), total("new", metric));
  const note = el("span", { class: "muted small" });
  const table = new Table<Metric>({
    section: byId("totals"),
    id: "totals",
    title: "Totals",
    noun: "figure",
    few: true,
    controls: [note],
    columns: [
      {
        key: "name",
        label: "Total",
        fixed: true,
        value: ({ label }) => label,
        text: ({ label }) => label,
        tip: ({ help }) => help,
        room: () => longest(tree.metrics.map(({ label }) => label)),
      },
      side("old", "Old"),
      side("new", "New"),
      {
        key: "change",
        label: "Change",
        num: true,
        value: change,
        text: grown,
        room: () => `+${WIDEST}`,
        paint: (cell, metric) => way(cell, metric, grown(metric)),
      },
      {
        key: "percent",
        label: "%",
        num: true,
        value: (metric) => Number(change(metric)) / (Number(total("old", metric)) || Number.MIN_VALUE),
        text: percent,
        room: () => "+1000.0 %",
        paint: (cell, metric) => way(cell, metric, percent(metric)),
      },
    ],
    yielding: ["change", "old"],
  });
  return () => {
    byId("totals-title").textContent = `Totals${ofPhase(pair())}`;
    note.textContent = missing(pair());
    note.hidden = !note.textContent;
    table.show([...tree.metrics]);
  };
};
