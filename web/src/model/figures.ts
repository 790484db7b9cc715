/** The columns that every table of figures has: a number for each metric, and the chosen one's share of the whole. */
import { exact, human, part, percent, WIDEST, type Figure } from "../shared/numbers.ts";
import type { Metric } from "../shared/payload.ts";
import type { Column } from "../shared/table/columns.ts";

export interface FigureOptions<Row> {
  value: (row: Row, metric: string) => Figure | null;
  /** True if the reader wants every digit. */
  digits: () => boolean;
  /** The largest figure that may stand in a column. */
  most: (metric: string) => Figure;
  mark?: (row: Row, metric: string) => string;
}

const NONE = "–";

const MAIN = new Set([
  "flops",
  "time_ns",
  "payload_bytes",
  "wire_bytes",
  "macs",
  "params",
  "activations",
  "bytes",
  "arithmetic",
  "transcendentals",
]);
/** What was measured and what was sent, in this order beside the FLOPs. */
const BESIDE = ["flops", "time_ns", "payload_bytes", "wire_bytes"];

/** True for the figures that are shown without being asked for; the others are a column that the reader may choose. */
export const isMain = (key: string): boolean => MAIN.has(key) || key.startsWith("memory_");

/** Metrics in the order of their columns: time and communication stand beside the FLOPs, work by element at the end. */
export const inOrder = (metrics: readonly Metric[]): Metric[] => {
  const rank = ({ key, elementwise }: Metric): number => {
    const beside = BESIDE.indexOf(key);
    if (beside >= 0) return beside;
    return BESIDE.length + (elementwise ? 2 : key.startsWith("memory_") ? 1 : 0);
  };
  return [...metrics].sort((a, b) => rank(a) - rank(b));
};

/** Columns that are hidden where a table is too narrow for all, the first to go first. */
export const YIELDING = [
  ...["transcendentals", "arithmetic", "intensity", "macs", "activations"],
  ...["memory_gradients", "memory_optimizer", "memory_parameters", "bytes", "calls"],
];

/** A figure in a sentence: "4.11 G FLOPs", "Time 4.96 ms". */
export const inWords = (value: Figure, { label, kind }: Pick<Metric, "label" | "kind">): string =>
  kind === "count" ? `${human(value, kind)} ${label}` : `${label} ${human(value, kind)}`;

export const figureText = (value: Figure | null, { kind }: { kind: Metric["kind"] }, digits: boolean): string => {
  if (value === null) return NONE;
  return digits ? exact(value) + (kind === "time" ? " ns" : "") : human(value, kind);
};

export const figureColumn = <Row>(metric: Metric, { value, digits, most, mark }: FigureOptions<Row>): Column<Row> => {
  const { key, label, help } = metric;
  const text = (row: Row): string => (mark?.(row, key) ?? "") + figureText(value(row, key), metric, digits());
  const tip = (row: Row): string => {
    const figure = value(row, key);
    return figure === null ? "" : `${exact(figure)} ${label}`;
  };
  return {
    key,
    label,
    help,
    num: true,
    value: (row) => value(row, key),
    text,
    tip,
    room: () => (digits() ? `≈ ${exact(most(key))} ns` : `≈ ${WIDEST}`),
  };
};

export interface ShareOptions<Row> {
  key?: string;
  help?: string;
  value: (row: Row) => Figure;
  whole: () => Figure;
  head: () => string;
}

const BAR = 64;

export const shareColumn = <Row>({
  key = "share",
  help = "Share of the whole block, of the figure that the chart is drawn of",
  value,
  whole,
  head,
}: ShareOptions<Row>): Column<Row> => ({
  key,
  label: "Share",
  help,
  head,
  num: true,
  value: (row) => part(value(row), whole()),
  text: (row) => percent(part(value(row), whole())),
  room: () => "100.0 %",
  extra: BAR - 48,
  paint: (cell, row) => {
    const share = part(value(row), whole());
    cell.classList.add("share");
    cell.textContent = percent(share);
    cell.style.backgroundSize = `calc(${Math.min(1, share)} * (100% - 12px)) 20px`;
  },
});
