/** What the dashboard's page is given, and what follows from it. */
import { growth, type Raw } from "../shared/numbers.ts";
import { payload, type Convention, type Metric } from "../shared/payload.ts";

export interface Run {
  file: string;
  page: string;
  /** The page of the change from the run before; null for the first of a series. */
  diff: string | null;
  commit: string;
  labels: [string, string][];
  created: number;
  values: Record<string, Raw>;
  uncounted: string[];
  stopped: string | null;
}

/** Runs of one thing, oldest first. */
export interface Series {
  name: string;
  model: string;
  input: string;
  /** False if its one run has no label that says what it is. */
  labelled: boolean;
  /** What it may cost, by metric: the figure, and how it was written. */
  budgets: Record<string, [number, string]>;
  runs: Run[];
}

interface Data {
  convention: Convention;
  metrics: Metric[];
  series: Series[];
  bad: { file: string; error: string }[];
}

export const data = payload<Data>();
export const metrics = new Map(data.metrics.map((metric) => [metric.key, metric]));

const of = new Map<Run, Series>();
const earlier = new Map<Run, Run>();
for (const one of data.series) {
  one.runs.forEach((run, place) => {
    of.set(run, one);
    if (place) earlier.set(run, one.runs[place - 1]!);
  });
}

export const seriesOf = (run: Run): Series => of.get(run)!;
export const newest = (one: Series): Run => one.runs.at(-1)!;

/** The share by which a figure changed from the run before; null for the first run. */
export const change = (run: Run, key: string): number | null => {
  const before = earlier.get(run);
  if (!before) return null;
  const [then, now] = [Number(before.values[key]), Number(run.values[key])];
  return then ? (now - then) / then : now ? Infinity : 0;
};

export const changeText = (run: Run, key: string): string => {
  const before = earlier.get(run);
  return before ? growth(before.values[key]!, run.values[key]!) : "";
};

/** True if a run costs more than its series may. */
export const isOver = (run: Run, key: string): boolean => {
  const budget = seriesOf(run).budgets[key];
  return budget !== undefined && Number(run.values[key]) > budget[0];
};

/** What is wrong with a run, in words; empty if nothing is. */
export const trouble = (run: Run): string =>
  [
    ...run.uncounted.map((op) => `not counted: ${op}`),
    ...(run.stopped === null ? [] : [`stopped in ${run.stopped || "(root)"}`]),
    ...Object.entries(seriesOf(run).budgets)
      .filter(([key]) => isOver(run, key))
      .map(([key, [, text]]) => `${metrics.get(key)!.label} over the budget of ${text}`),
  ].join(", ");
