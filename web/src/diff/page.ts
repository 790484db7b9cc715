/** The data of the page of a diff, as render/html/diff_data.py writes it. */
import type { TreeData } from "../model/payload.ts";
import type { Convention } from "../shared/payload.ts";

/** What there is to know of one of the two reports. */
export interface Side {
  labels: [string, string][];
  model: string;
  created: number;
  gap: boolean;
  issues: string[];
  stopped: string | null;
}

/** Its runs are pairs, as pairs.ts takes them. */
export interface DiffPage extends TreeData {
  title: string;
  convention: Convention;
  /** What may have become of a row, and what became of each, by its place there. */
  changes: string[];
  change: number[];
  /** Rows that are of another class now. */
  retyped: number[];
  /** The old name of each row that is called otherwise now. */
  was: Record<string, string>;
  sides: [old: Side, now: Side];
  /** What one report alone has, in words. */
  uncompared: string[];
}
