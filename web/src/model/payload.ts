/** The page's data as render/html/data.py writes it. */
import type { Kind, Raw } from "../shared/numbers.ts";
import type { Convention, Metric } from "../shared/payload.ts";

export interface Rows {
  /** What each module's name adds to the name of the row above. */
  name: string[];
  parent: number[];
  type: number[];
  types: string[];
  extra: number[];
  extras: string[];
  role: number[];
  roles: string[];
  aliases: Record<string, string[]>;
  /** Rows whose name is all of the module's name. */
  whole: number[];
  uncalled: number[];
  estimate: number[];
  gap: number[];
  container: number[];
  folds: { members: number[][]; label: string[]; merged: number[] };
}

/** What was done: lines of figures by row. What a row did itself is the sum of its lines. */
export interface Lines {
  row: number[];
  line: number[];
  /** The operator of each line; null where it is not recorded which operators did it. */
  operator: number[] | null;
}

/** What modules are in a run, beside what was done in them. */
export interface OfModules {
  row: number[];
  calls: Raw[];
  /** Parameters and memory, by metric. */
  held: Record<string, Raw[]>;
}

export interface RunData {
  label: string;
  kind: "block" | "phase" | "sample" | "rank";
  /** The run that has the figures of modules themselves; null for one that has them itself. */
  base: number | null;
  modules: OfModules | null;
  /** Its lines, or the numbers of the runs whose lines it has. */
  done: Lines | { runs: number[] };
  /** null where nothing was sent, or where it is not recorded. */
  collectives: Sent | null;
}

/** What was sent in a run: a place of the lists is a sum of calls. */
export interface Sent {
  /** The module whose data it is, and the one that ran; -1 for none. */
  row: number[];
  issuer: number[];
  kind: number[];
  /** A place of `groups`. */
  group: number[];
  line: number[];
  /** The numbers of the run's process groups among those of the page. */
  groups: number[];
}

/** Kinds of collectives and process groups, by number. */
export interface CollectiveKinds {
  op: string[];
  /** True where it carries no data of the model's: objects, metadata, barriers. */
  control: boolean[];
  /** What people call it: "all-reduce". */
  pattern: string[];
  /** What its payload is: what a rank hands in, or what it gets. */
  side: ("input" | "output" | "")[];
  groups: { label: string[]; size: number[]; ranks: string[] };
}

export interface TreeData {
  metrics: Metric[];
  rows: Rows;
  /** Distinct lines of figures: a column a metric. */
  figures: Record<string, Raw[]>;
  operators: { name: string[]; status: string[] };
  /** null if nothing was sent. */
  collectives: CollectiveKinds | null;
  runs: RunData[];
  /** The ranks of a job, which are runs as well; null or absent on a page of one report. */
  ranks?: RanksData | null;
}

/** The ranks of a job, by their place among those that gave a report. */
export interface RanksData {
  /** How many ranks the job has. */
  world: number;
  rank: number[];
  missing: number[];
  /** True if the reports are of plans, so that ranks without one were not asked for. */
  planned: boolean;
  /** By metric and row: what each rank has itself, or one figure that all have. */
  own: Record<string, (Raw | Raw[])[]>;
  /** Metrics for which the page had no room. */
  left_out: string[];
  /** null where memory was not followed. */
  peak: ({ peak: Raw; module: string; operator: string } | null)[] | null;
  stopped: Record<string, { module: string; error: string }>;
  /** What ranks did and sent: lists that several have alike, and for each rank the place of its own; -1 for none. */
  operators: Lines[];
  collectives: (Omit<Sent, "groups"> | null)[];
  of: number[];
  /** The process groups of each rank, by their numbers on the page. */
  groups: number[][];
}

export interface Meta {
  torch: string;
  python: string;
  dispatchcount: string;
  created: number;
  devices: string[];
  dtypes: string[];
  model: string;
  training: boolean | null;
  stopped_in: string | null;
  error: string | null;
  labels: [string, string][];
  notes: string[];
}

export interface Issue {
  op: string;
  status: string;
  calls: Raw;
  modules: string[];
  shapes: string[];
  message: string;
  nbytes: Raw;
}

export interface Expert {
  name: string;
  calls: number;
  tokens: number | null;
  macs: Raw;
  flops: Raw;
  share: number;
}

export interface Load {
  row: number;
  imbalance: number;
  experts: Expert[];
}

export interface Samples {
  label: string[];
  run: (number | null)[];
  flops: Raw[];
  distribution: Record<"mean" | "std" | "min" | "median" | "p95" | "max", Raw>;
  rate: number[];
}

export interface GroupRow {
  name: string;
  calls: Raw;
  values: Record<string, Raw>;
}

export interface Group {
  title: string;
  label: string;
  rows: GroupRow[];
}

/** The most that a device does: the slope of its memory up to the ridge, and flat from there. */
export interface Roof {
  name: string;
  /** FLOPs a second. */
  peak: number;
  /** Bytes a second. */
  bandwidth: number;
}

/** What the page is given of a device's roofline; times are nanoseconds. */
export interface RoofData {
  device: string;
  least: number;
  /** The part of the least time that is of operators that memory limits, 0 to 1. */
  memory: number;
  roofs: Roof[];
  operators: { name: string; flops: number; bytes: number; least: number; time: number; bound: string }[];
  notes: string[];
}

export interface ReportPage extends TreeData {
  title: string;
  meta: Meta;
  convention: Convention;
  estimate: boolean;
  gap: boolean;
  calls: Raw;
  samples: Samples | null;
  signatures: { row: number[]; text: number[]; calls: Raw[]; line: number[]; texts: string[] };
  loads: Load[];
  issues: Issue[];
  groups: Group[];
  memory: { peak: Raw; module: string; operator: string } | null;
  /** On the roofline of a device, if the page was made for one. */
  roof: RoofData | null;
}

export type { Kind, Metric };
