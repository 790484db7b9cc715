/** Columns of two figures and what became of them. */
import { exact, growth, human, WIDEST, type Figure, type Kind } from "../shared/numbers.ts";
import type { Column } from "../shared/table/columns.ts";

/** New minus old. */
export const difference = (before: Figure, after: Figure): Figure =>
  typeof before === "number" && typeof after === "number" ? after - before : BigInt(after) - BigInt(before);

/** The difference with its sign; "0" where there is none. */
export const signed = (before: Figure, after: Figure, kind: Kind): string => {
  const grown = difference(before, after);
  return grown > 0 ? `+${human(grown, kind)}` : human(grown, kind);
};

const size = (value: Figure): Figure => (value < 0 ? -value : value);

export interface Sides<Row> {
  old: (row: Row, metric: string) => Figure;
  now: (row: Row, metric: string) => Figure;
  /** How a metric is written. */
  kind: (metric: string) => Kind;
  label: (metric: string) => string;
}

/** Old, new and the change of the metric that `metric` gives now; sorted by how much it changed, either way. */
export const sideColumns = <Row>({ old, now, kind, label }: Sides<Row>, metric: () => string): Column<Row>[] => {
  const grown = (row: Row): Figure => difference(old(row, metric()), now(row, metric()));
  const colour = (cell: HTMLElement, row: Row, text: string): void => {
    const change = grown(row);
    if (change) cell.classList.add(change > 0 ? "up" : "down");
    cell.textContent = text;
  };
  const percent = (row: Row): string => growth(old(row, metric()), now(row, metric()));
  const way = (row: Row): string => signed(old(row, metric()), now(row, metric()), kind(metric()));
  return [
    {
      key: "old",
      label: "Old",
      num: true,
      head: () => `Old ${label(metric())}`,
      file: { label: () => `Old ${label(metric())}` },
      value: (row) => old(row, metric()),
      text: (row) => human(old(row, metric()), kind(metric())),
      tip: (row) => exact(old(row, metric())),
      room: () => WIDEST,
    },
    {
      key: "new",
      label: "New",
      num: true,
      head: () => `New ${label(metric())}`,
      file: { label: () => `New ${label(metric())}` },
      value: (row) => now(row, metric()),
      text: (row) => human(now(row, metric()), kind(metric())),
      tip: (row) => exact(now(row, metric())),
      room: () => WIDEST,
    },
    {
      key: "change",
      label: "Change",
      help: "New minus old; sorted by size, whatever the sign",
      num: true,
      value: (row) => size(grown(row)),
      file: { label: () => `Change of ${label(metric())}`, value: grown },
      text: way,
      tip: (row) => exact(grown(row)),
      room: () => `+${WIDEST}`,
      paint: (cell, row) => colour(cell, row, way(row)),
    },
    {
      key: "percent",
      label: "%",
      num: true,
      value: (row) => Number(size(grown(row))) / (Number(old(row, metric())) || Number.MIN_VALUE),
      file: {
        value: (row) => {
          const before = Number(old(row, metric()));
          return before ? (100 * Number(grown(row))) / before : null;
        },
      },
      text: percent,
      room: () => "+1000.0 %",
      paint: (cell, row) => colour(cell, row, percent(row)),
    },
  ];
};

/** The change of another metric, beside those of the chosen one. */
export const changeColumn = <Row>({ old, now, kind, label }: Sides<Row>, metric: string): Column<Row> => {
  const text = (row: Row): string => signed(old(row, metric), now(row, metric), kind(metric));
  return {
    key: `change_${metric}`,
    label: `Δ ${label(metric)}`,
    num: true,
    value: (row) => size(difference(old(row, metric), now(row, metric))),
    file: { value: (row) => difference(old(row, metric), now(row, metric)) },
    text,
    tip: (row) => exact(difference(old(row, metric), now(row, metric))),
    room: () => `+${WIDEST}`,
    paint: (cell, row) => {
      const change = difference(old(row, metric), now(row, metric));
      if (change) cell.classList.add(change > 0 ? "up" : "down");
      cell.textContent = text(row);
    },
  };
};

/** On a narrow screen, where there is room for three columns, the change stands beside the name. */
export const changeFirst = <Row>(columns: Column<Row>[]): Column<Row>[] => {
  if (innerWidth > 640) return columns;
  const order = ["change", "percent", "old", "new"];
  const rank = ({ key }: Column<Row>): number => (order.includes(key) ? order.indexOf(key) : order.length);
  return [...columns].sort((a, b) => rank(a) - rank(b));
};
