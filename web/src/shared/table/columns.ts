import { textWidth } from "../measure.ts";
import type { Figure } from "../numbers.ts";
import { visible } from "../visible.ts";

/** A column of a table: what it shows of a row, sorts by, and writes into a CSV file. */
export interface Column<Row> {
  key: string;
  label: string;
  /** What rows are sorted by, and what a CSV file holds unless `file` says other; null where there is no figure. */
  value: (row: Row) => Figure | string | null;
  text: (row: Row) => string;
  /** The header, where it changes. */
  head?: () => string;
  /** What a CSV file has above the column and in it, where that is not the label and the value. */
  file?: { label?: () => string; value?: (row: Row) => Figure | string | null };
  /** One sentence on what stands in the column. */
  help?: string;
  tip?: (row: Row) => string;
  /** True for figures: right-aligned, the biggest first. */
  num?: boolean;
  /** The widest text that may stand in it. */
  room?: () => string;
  /** Pixels beside the text: a bar, a badge. */
  extra?: number;
  /** True if the search looks at it. */
  search?: boolean;
  /** True if it is shown only when the reader chooses it. */
  hidden?: boolean;
  /** True if the reader cannot hide it. */
  fixed?: boolean;
  /** Fills the cell with more than text. */
  paint?: (cell: HTMLTableCellElement, row: Row) => void;
}

/** The first column of a table of operators: names as code, which the search looks at. */
export const nameColumn = <Row extends { name: string }>(label: string): Column<Row> => ({
  key: "name",
  label,
  fixed: true,
  value: ({ name }) => name,
  text: ({ name }) => name,
  tip: ({ name }) => name,
  search: true,
  paint: (cell, { name }) => {
    cell.classList.add("mono");
    cell.textContent = visible(name);
  },
});

export interface Sort {
  key: string;
  down: boolean;
}

const ARROW = 18;

const isNarrow = (): boolean => innerWidth <= 640;

/** Pixels of a cell beside its content, as in table.css. */
const padding = (): number => (isNarrow() ? 15 : 22);

/** The width of a column: that of its widest text. */
export const widthOf = <Row>({ room, extra, head, label }: Column<Row>): number => {
  const text = Math.max(textWidth(room?.() ?? "", "body"), extra ? 48 : 0);
  return Math.ceil(Math.max(textWidth(head?.() ?? label, "head") + ARROW, text + (extra ?? 0)) + padding());
};

/**
 * The least width of the first column, which takes what the others leave: that of its widest text where it is known
 * and short, in pixels.
 */
export const firstWidth = <Row>(column: Column<Row>): number => {
  const most = isNarrow() ? 138 : 300;
  return column.room ? Math.min(widthOf(column), most) : most;
};

/** The longest of texts: what a column has to have room for. */
export const longest = (texts: Iterable<string>): string => {
  let found = "";
  for (const text of texts) if (text.length > found.length) found = text;
  return found;
};

/**
 * Keys of the columns that are shown where the reader has not chosen: so many that they stand side by side in `room`
 * pixels.
 *
 * Those of `yielding` go first, in their order, then the others from the right. The first column always stays.
 */
export const fitting = <Row>(columns: readonly Column<Row>[], room: number, yielding: readonly string[]): string[] => {
  const shown = columns.filter(({ hidden }) => !hidden);
  const [first, ...others] = shown;
  if (!first) return [];
  const named = yielding.flatMap((key) => others.filter((column) => column.key === key));
  const order = [...new Set([...named, ...[...others].reverse()])];
  let taken = others.reduce((sum, column) => sum + widthOf(column), firstWidth(first));
  const gone = new Set<Column<Row>>();
  for (const column of order) {
    if (taken <= room) break;
    gone.add(column);
    taken -= widthOf(column);
  }
  return shown.filter((column) => !gone.has(column)).map(({ key }) => key);
};

/** Compare two values of a column: figures by size, text by letters, and what is missing last. */
const compare = (a: Figure | string | null, b: Figure | string | null): number => {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
};

/** The rows in the order of a column; rows that are equal in it stay in their order. */
export const sorted = <Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: Sort | null): Row[] => {
  const column = sort && columns.find(({ key }) => key === sort.key);
  if (!column) return [...rows];
  const keyed = rows.map((row) => [column.value(row), row] as const);
  const sign = sort.down ? -1 : 1;
  keyed.sort(([a], [b]) => (a === null || b === null ? compare(a, b) : sign * compare(a, b)));
  return keyed.map(([, row]) => row);
};

/** True if one of the searched columns holds the query, in whatever case. */
export const matches = <Row>(row: Row, columns: readonly Column<Row>[], query: string): boolean =>
  columns.some(
    (column) =>
      column.search &&
      String(column.value(row) ?? "")
        .toLowerCase()
        .includes(query),
  );

const cell = (value: Figure | string | null): string => {
  let text = value === null ? "" : String(value);
  // A spreadsheet runs text that begins like a formula. Figures are never text here.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The rows as CSV: a line of headers, then every digit of every figure. */
export const csv = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string => {
  const lines = [
    columns.map(({ label, file }) => cell(file?.label?.() ?? label)),
    ...rows.map((row) => columns.map(({ value, file }) => cell((file?.value ?? value)(row)))),
  ];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
};
