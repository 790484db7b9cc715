/** The parts of the page that do not follow the selection: the two reports, what they lack, the totals. */
import type { Run } from "../model/run.ts";
import type { Tree } from "../model/tree.ts";
import { byId, chip, el } from "../shared/dom.ts";
import { date, exact, growth, human, WIDEST, type Figure } from "../shared/numbers.ts";
import type { Metric } from "../shared/payload.ts";
import { longest, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { difference, signed } from "./figures.ts";
import type { DiffPage, Side } from "./page.ts";

const named = ({ labels, model, created }: Side): string => {
  const facts = new Map(labels);
  const shown = [facts.get("model") ?? model, facts.get("commit"), created ? date(created) : ""];
  return shown.filter(Boolean).join(", ");
};

export const showSides = ({ convention, sides }: DiffPage): void => {
  const [old, now] = sides;
  byId("labels").replaceChildren(chip("convention", convention.name), chip("old", named(old)), chip("new", named(now)));
  byId("footer").textContent = `FLOPs: ${convention.unit}. Made by dispatchcount.`;
  const lines: string[] = [];
  for (const [which, side] of [
    ["old", old],
    ["new", now],
  ] as const) {
    if (side.gap) lines.push(`Operators of the ${which} report could not be counted: its totals are too small.`);
    if (side.stopped !== null)
      lines.push(`The ${which} run stopped in ${side.stopped || "(root)"}: its figures go up to there.`);
  }
  const known = new Set(old.issues);
  const fresh = now.issues.filter((issue) => !known.has(issue));
  if (fresh.length) lines.push(`Not counted, new: ${fresh.join(", ")}`);
  const title = el("h2", { id: "issues-title" }, "Not all of it can be compared");
  byId("issues").hidden = !lines.length;
  byId("issues").replaceChildren(title, el("ul", {}, ...lines.map((line) => el("li", {}, line))));
};

/** The totals of both reports, each with its change. */
export const showTotals = (tree: Tree, old: Run, now: Run): void => {
  const total = (run: Run, { key }: Metric): Figure => tree.total(tree.top, key, run);
  const way = (cell: HTMLElement, metric: Metric, text: string): void => {
    const [before, after] = [total(old, metric), total(now, metric)];
    if (after !== before) cell.classList.add(after > before ? "up" : "down");
    cell.textContent = text;
  };
  const side = (key: "old" | "new", label: string, run: Run): Column<Metric> => ({
    key,
    label,
    num: true,
    value: (metric) => total(run, metric),
    text: (metric) => human(total(run, metric), metric.kind),
    tip: (metric) => exact(total(run, metric)),
    room: () => WIDEST,
  });
  const grown = (metric: Metric): string => signed(total(old, metric), total(now, metric), metric.kind);
  const percent = (metric: Metric): string => growth(total(old, metric), total(now, metric));
  const change = (metric: Metric): Figure => difference(total(old, metric), total(now, metric));
  const table = new Table<Metric>({
    section: byId("totals"),
    id: "totals",
    title: "Totals",
    noun: "figure",
    few: true,
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
      side("old", "Old", old),
      side("new", "New", now),
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
        value: (metric) => Number(change(metric)) / (Number(total(old, metric)) || Number.MIN_VALUE),
        text: percent,
        room: () => "+1000.0 %",
        paint: (cell, metric) => way(cell, metric, percent(metric)),
      },
    ],
    yielding: ["change", "old"],
  });
  table.show([...tree.metrics]);
};
