/** The axis that the trends of several series share. */
import type { Run } from "./data.ts";

/** A place on the axis: one commit, or one point in time where runs have no commit. */
export interface Place {
  commit: string;
  created: number;
}

export interface Axis {
  places: Place[];
  /** For each series, its run at each place, or null. */
  at: (Run | null)[][];
}

/**
 * Put the runs of several series on one axis, oldest first.
 *
 * Runs of one commit share a place, so that the series can be compared there. A series that ran twice at one commit
 * takes two places.
 */
export const axis = (series: readonly (readonly Run[])[]): Axis => {
  const keyed = new Map<string, { place: Place; runs: (Run | null)[] }>();
  series.forEach((runs, which) => {
    const seen = new Map<string, number>();
    for (const run of runs) {
      const name = run.commit ? `commit ${run.commit}` : `time ${run.created}`;
      const again = seen.get(name) ?? 0;
      seen.set(name, again + 1);
      const key = `${name} ${again}`;
      let found = keyed.get(key);
      if (!found)
        keyed.set(key, (found = { place: { commit: run.commit, created: run.created }, runs: series.map(() => null) }));
      found.place.created = Math.min(found.place.created, run.created);
      found.runs[which] = run;
    }
  });
  const ordered = [...keyed.values()].sort((a, b) => a.place.created - b.place.created);
  return {
    places: ordered.map(({ place }) => place),
    at: series.map((_, which) => ordered.map(({ runs }) => runs[which]!)),
  };
};

/** What stands below a place: the commit, if there is one, over the day and the time. */
export const label = ({ commit, created }: Place): string => {
  const time = new Date(created * 1000).toISOString().slice(5, 16).replace("T", " ");
  return commit ? `${commit.slice(0, 10)}\n${time}` : time;
};
