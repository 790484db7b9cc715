import type { Figure, Raw } from "../shared/numbers.ts";
import type { Lines, RunData, Sent } from "./payload.ts";

/** Figures by row: doubles while they hold every integer exactly, else big integers. */
export type Column = Float64Array | bigint[];

/** What the figures of a run are read from. */
export interface Source {
  /** For each row the row above, always a smaller one; -1 for a top row. */
  parent: ArrayLike<number>;
  figures: Record<string, Raw[]>;
  /** Metrics that belong to modules, not to what they did. */
  ofModules: Set<string>;
  operators: { name: string[]; status: string[] };
}

/** What an operator did in some modules together. */
export interface OperatorSum {
  name: string;
  status: string;
  calls: bigint;
  values: Map<string, bigint>;
}

/** Figures by row, as a run reads them. */
export interface Cells {
  row: ArrayLike<number>;
  value: (i: number) => Raw;
}

/** One run: what each module did itself, and with those below it. Columns are worked out when they are first read. */
export class Run {
  private readonly columns = new Map<string, { own: Column; total: Column }>();
  private pairs: Map<number, number[]> | null = null;

  constructor(
    private readonly source: Source,
    readonly data: RunData,
    private readonly done: Lines,
    private readonly base: Run | null,
    /** The figures of a run that has no lines, by metric; null for a metric that it does not have. */
    private readonly cells: ((metric: string) => Cells | null) | null = null,
  ) {}

  get label(): string {
    return this.data.label;
  }

  /** True if it is known which operators did it. */
  get hasOperators(): boolean {
    return this.done.operator !== null;
  }

  /** What was sent, and for whom; null where nothing was. */
  get collectives(): Sent | null {
    return this.data.collectives;
  }

  own(metric: string): Column {
    return this.column(metric).own;
  }

  total(metric: string): Column {
    return this.column(metric).total;
  }

  /** False if the figures of this metric were left out of the page for this run. */
  has(metric: string): boolean {
    return !this.cells || this.cells(metric) !== null;
  }

  /** True for each row that has figures: it was called, or did something. */
  get touched(): Uint8Array {
    this.seen ??= this.look();
    return this.seen;
  }
  private seen: Uint8Array | null = null;

  private look(): Uint8Array {
    const seen = new Uint8Array(this.source.parent.length);
    const { modules } = this.data;
    if (!this.cells) for (const rows of [this.done.row, modules?.row ?? []]) for (const row of rows) seen[row] = 1;
    else
      for (const metric of Object.keys(this.source.figures)) {
        const cells = this.source.ofModules.has(metric) ? null : this.cells(metric);
        for (let i = 0; cells && i < cells.row.length; i += 1) if (Number(cells.value(i))) seen[cells.row[i]!] = 1;
      }
    return seen;
  }

  /** What operators did in these rows themselves, added up exactly. */
  operators(rows: Iterable<number>): OperatorSum[] {
    const { row: ofRow, line: lines, operator: ofLine } = this.done;
    if (!ofLine) return [];
    this.pairs ??= byRow(ofRow);
    const { figures } = this.source;
    // Lists that ranks share have no times, by which ranks differ.
    const timed = this.data.kind !== "rank";
    const keys = Object.keys(figures).filter(
      (key) => key !== "calls" && !this.source.ofModules.has(key) && (timed || key !== "time_ns"),
    );
    const sums = new Map<number, OperatorSum>();
    for (const row of rows) {
      for (const pair of this.pairs.get(row) ?? []) {
        const operator = ofLine[pair]!;
        const line = lines[pair]!;
        let sum = sums.get(operator);
        if (!sum) {
          const { name, status } = this.source.operators;
          sum = {
            name: name[operator]!,
            status: status[operator]!,
            calls: 0n,
            values: new Map(keys.map((key) => [key, 0n])),
          };
          sums.set(operator, sum);
        }
        sum.calls += BigInt(figures.calls![line]!);
        for (const key of keys) sum.values.set(key, sum.values.get(key)! + BigInt(figures[key]![line]!));
      }
    }
    return [...sums.values()];
  }

  /** The rows that ran an operator themselves. */
  rowsOf(name: string): ReadonlySet<number> {
    if (this.ran?.name !== name) {
      const { row, operator } = this.done;
      const place = this.source.operators.name.indexOf(name);
      this.ran = { name, rows: new Set(operator ? row.filter((_, line) => operator[line] === place) : []) };
    }
    return this.ran.rows;
  }
  private ran: { name: string; rows: ReadonlySet<number> } | null = null;

  private column(metric: string): { own: Column; total: Column } {
    if (this.base && this.source.ofModules.has(metric)) return this.base.column(metric);
    let found = this.columns.get(metric);
    if (!found) {
      const own = this.read(metric);
      // A call of a module is no call of the modules above it.
      found = { own, total: metric === "calls" ? own : upward(own, this.source.parent) };
      this.columns.set(metric, found);
    }
    return found;
  }

  private read(metric: string): Column {
    const size = this.source.parent.length;
    const doubles = new Float64Array(size);
    const cells = this.cells ? this.cells(metric) : this.recorded(metric);
    if (!cells) return doubles;
    const { row, value } = cells;
    let whole = 0;
    for (let i = 0; i < row.length; i += 1) {
      const figure = Number(value(i));
      doubles[row[i]!]! += figure;
      whole += figure;
    }
    if (whole <= Number.MAX_SAFE_INTEGER) return doubles;
    const exact = new Array<bigint>(size).fill(0n);
    for (let i = 0; i < row.length; i += 1) exact[row[i]!]! += BigInt(value(i));
    return exact;
  }

  /** Where the run has a figure; null if it has none. A row with several has their sum. */
  private recorded(metric: string): Cells | null {
    const { modules } = this.data;
    const { row, line, operator } = this.done;
    if (modules && (metric === "calls" || this.source.ofModules.has(metric))) {
      const column = metric === "calls" ? modules.calls : modules.held[metric];
      return column ? { row: modules.row, value: (i) => column[i]! } : null;
    }
    // A call of an operator is no call of the module.
    const column = metric === "calls" && operator ? null : this.source.figures[metric];
    return column ? { row, value: (i) => column[line[i]!]! } : null;
  }
}

/** Each row with what stands below it. A row's parent has a smaller number, so one pass from the end is enough. */
const upward = (own: Column, parent: ArrayLike<number>): Column => {
  if (own instanceof Float64Array) {
    const total = own.slice();
    for (let row = total.length - 1; row >= 0; row -= 1) if (parent[row]! >= 0) total[parent[row]!]! += total[row]!;
    return total;
  }
  const total = [...own];
  for (let row = total.length - 1; row >= 0; row -= 1) if (parent[row]! >= 0) total[parent[row]!]! += total[row]!;
  return total;
};

const byRow = (rows: number[]): Map<number, number[]> => {
  const found = new Map<number, number[]>();
  rows.forEach((row, pair) => {
    const pairs = found.get(row);
    if (pairs) pairs.push(pair);
    else found.set(row, [pair]);
  });
  return found;
};

/** Figures of several rows added up. */
export const sum = (column: Column, rows: readonly number[]): Figure => {
  if (column instanceof Float64Array) {
    let whole = 0;
    for (const row of rows) whole += column[row]!;
    return whole;
  }
  return rows.reduce((whole, row) => whole + column[row]!, 0n);
};
