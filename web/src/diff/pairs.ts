/** What the page of a diff compares: the whole blocks of both reports, or one phase of each. */
import type { Run } from "../model/run.ts";

/** One of the two reports. */
export type Which = "old" | "new";

export interface Pair {
  /** What a sentence calls the phase: "backward"; "" for the whole blocks. */
  phase: string;
  old: Run;
  new: Run;
}

/** The pairs among the runs of a page: an old run and its like of the new report, in turn, the whole blocks first. */
export const pairsOf = (runs: readonly Run[]): Pair[] => {
  const pairs: Pair[] = [];
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const [old, now] = [runs[i]!, runs[i + 1]!];
    pairs.push({ phase: old.data.kind === "phase" ? old.label : "", old, new: now });
  }
  return pairs;
};

/** True for the run of a phase that its report does not have. */
export const isMissing = (run: Run): boolean => run.data.kind === "phase" && !run.touched.includes(1);

/** What the switch calls a pair. It says where a phase is in one of the reports alone. */
export const choiceOf = ({ old, new: now }: Pair): string => {
  if (isMissing(old)) return `${now.label} (new only)`;
  return isMissing(now) ? `${old.label} (old only)` : now.label;
};

/** A sentence's part that says of which phase a figure is; nothing for the whole blocks. */
export const ofPhase = ({ phase }: Pair): string => (phase ? ` of ${phase}` : "");

/** A sentence that says which report does not have the phase; nothing where both have it. */
export const missing = ({ phase, old, new: now }: Pair): string => {
  if (isMissing(old)) return `The old report has no ${phase}.`;
  return isMissing(now) ? `The new report has no ${phase}.` : "";
};
