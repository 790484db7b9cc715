/** The columns that the tables of models and of runs share. */
import { el } from "../shared/dom.ts";
import { exact, human } from "../shared/numbers.ts";
import type { Column } from "../shared/table/columns.ts";
import { change, changeText, data, isOver, metrics, trouble, type Run } from "./data.ts";

type Of<Row> = (row: Row) => Run;

const figure = <Row>(key: string, of: Of<Row>): Column<Row> => {
  const { kind, label, help } = metrics.get(key)!;
  const text = (run: Run): string => human(run.values[key]!, kind);
  const all = data.series.flatMap(({ runs }) => runs.map(text));
  const widest = all.reduce((most, one) => (one.length > most.length ? one : most), "");
  return {
    key,
    label,
    help,
    num: true,
    value: (row) => Number(of(row).values[key]),
    text: (row) => text(of(row)),
    tip: (row) => exact(of(row).values[key]!),
    room: () => widest,
    paint: (cell, row) => {
      if (isOver(of(row), key)) cell.classList.add("up");
      cell.textContent = text(of(row));
    },
  };
};

/** The change from the run before, which leads to its page. */
const changed = <Row>(key: string, of: Of<Row>): Column<Row> => ({
  key: `${key}-change`,
  label: "Change",
  help: `Change of ${metrics.get(key)!.label} from the run before; it opens what changed`,
  num: true,
  value: (row) => change(of(row), key),
  text: (row) => changeText(of(row), key),
  room: () => "+1,000.0 %",
  paint: (cell, row) => {
    const run = of(row);
    const share = change(run, key) ?? 0;
    if (share) cell.classList.add(share > 0 ? "up" : "down");
    const text = changeText(run, key);
    cell.append(
      run.diff === null
        ? text
        : el("a", { href: run.diff, title: `What changed: ${metrics.get(key)!.label} ${text}` }, text),
    );
  },
});

export const words = <Row>(key: string, label: string, value: (row: Row) => string, room: string): Column<Row> => ({
  key,
  label,
  value,
  text: value,
  tip: value,
  search: true,
  room: () => room,
});

export const status = <Row>(of: Of<Row>): Column<Row> => ({
  key: "state",
  label: "Status",
  value: (row) => trouble(of(row)),
  text: (row) => word(of(row)),
  tip: (row) => trouble(of(row)) || "Everything was counted",
  search: true,
  room: () => "over budget",
  extra: 18,
  paint: (cell, row) => {
    cell.append(el("span", { class: trouble(of(row)) ? "badge unknown" : "badge" }, word(of(row))));
  },
});

const word = (run: Run): string => {
  if (run.uncounted.length || run.stopped !== null) return "incomplete";
  return trouble(run) ? "over budget" : "complete";
};

export const open = <Row>(of: Of<Row>): Column<Row> => ({
  key: "page",
  label: "Report",
  value: (row) => of(row).file,
  text: () => "Open",
  search: true,
  room: () => "Open",
  paint: (cell, row) => cell.append(el("a", { href: of(row).page, title: of(row).file }, "Open")),
});

export const figures = <Row>(of: Of<Row>): Column<Row>[] => [
  figure("flops", of),
  changed("flops", of),
  figure("params", of),
  changed("params", of),
  figure("activations", of),
  figure("bytes", of),
];
