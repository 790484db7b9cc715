/** The ranks of a job as runs, and how evenly they share a figure. */
import type { Figure } from "../shared/numbers.ts";
import type { RanksData, RunData } from "./payload.ts";
import { Run, type Source } from "./run.ts";

/** A run for each rank, over the rows of the page. */
export const rankRuns = (ranks: RanksData, source: Source): Run[] => {
  const row = Uint32Array.from({ length: source.parent.length }, (_, i) => i);
  return ranks.rank.map((rank, place) => {
    const list = ranks.of[place]!;
    const sent = ranks.collectives[list];
    // What ranks did itself is told by `own`; these are the operators alone.
    const done = ranks.operators[list] ?? { row: [], line: [], operator: null };
    const data: RunData = {
      label: `rank ${rank}`,
      kind: "rank",
      base: null,
      modules: null,
      done,
      collectives: sent ? { ...sent, groups: ranks.groups[place]! } : null,
    };
    return new Run(source, data, done, null, (metric) => {
      const own = ranks.own[metric];
      if (!own) return null;
      return {
        row,
        value: (i) => {
          const held = own[i]!;
          return Array.isArray(held) ? held[place]! : held;
        },
      };
    });
  });
};

/** A figure over the ranks. */
export interface Spread {
  values: Figure[];
  sum: Figure;
  mean: number;
  min: Figure;
  max: Figure;
  /** The place of the first rank that has the most; -1 where all have the same. */
  slowest: number;
  /** The most over the mean; null where no rank has anything. */
  imbalance: number | null;
}

export const spreadOf = (values: Figure[]): Spread => {
  const wide = values.some((value) => typeof value === "bigint");
  let [min, max, most] = [values[0]!, values[0]!, 0];
  let sum: Figure = wide ? 0n : 0;
  values.forEach((value, place) => {
    sum = wide ? (sum as bigint) + BigInt(value) : (sum as number) + (value as number);
    if (value < min) min = value;
    if (value > max) [max, most] = [value, place];
  });
  const mean = Number(sum) / values.length;
  return {
    values,
    sum,
    mean,
    min,
    max,
    slowest: min < max ? most : -1,
    imbalance: mean ? Number(max) / mean : null,
  };
};
