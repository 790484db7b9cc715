/** What the reader sees, and the address that leads back to it. */
import type { View } from "../chart/layout.ts";
import type { Sort } from "../shared/table/columns.ts";
import type { Form } from "./address.ts";

/** A view of one module. */
export interface Place {
  /** The selected module as a link calls it. */
  name: string;
  shown: Shown;
}

/** All that a link restores beside the selected module. Values that are the usual ones are left out of the link. */
export interface Shown {
  metric: string;
  run: number;
  /** The sample that the run is shown for; "" for none. Samples that are alike share a run. */
  sample: string;
  view: View;
  /** What tiles are coloured by; each page has ways of its own. */
  colour: string;
  folded: boolean;
  /** First rows of folds that were opened. */
  opened: number[];
  query: string;
  type: string;
  status: string;
  depth: number;
  /** What the rows of what was sent are told apart by, besides operator and group. */
  sent: string;
  sort: Sort | null;
  /** Keys of the columns of the module table; null for the usual ones. */
  columns: string[] | null;
  /** Which branches of the module table are open, as report/branches.ts writes them. */
  branches: string;
  /** True if tables show every digit. */
  exact: boolean;
}

export const USUAL: Shown = {
  metric: "",
  run: 0,
  sample: "",
  view: "icicle",
  colour: "role",
  folded: true,
  opened: [],
  query: "",
  type: "",
  status: "",
  depth: 0,
  sent: "",
  sort: null,
  columns: null,
  branches: "",
  exact: false,
};

const WORDS = ["metric", "sample", "colour", "query", "type", "status", "sent", "branches"] as const;

/**
 * The part of an address behind "#": the module's name, then what is not as usual.
 *
 * A plain "#layer1" is the address of a module: names are percent-encoded, so that "&" ends one.
 */
export const toHash = (name: string, shown: Shown, usual: Shown): string => {
  const parts: string[] = [];
  const put = (key: string, value: string): void => void parts.push(`&${key}=${encodeURIComponent(value)}`);
  for (const key of [...WORDS, "view"] as const) if (shown[key] !== usual[key]) put(key, shown[key]);
  if (shown.run !== usual.run) put("run", String(shown.run));
  if (shown.depth !== usual.depth) put("depth", String(shown.depth));
  if (!shown.folded) put("fold", "0");
  if (shown.opened.length) put("open", shown.opened.join("."));
  if (shown.sort) put("sort", `${shown.sort.down ? "-" : ""}${shown.sort.key}`);
  if (shown.columns) put("columns", shown.columns.join("."));
  if (shown.exact) put("exact", "1");
  return encodeURIComponent(name) + parts.join("");
};

/** How the pages of reports and of diffs write their views. */
export const form = (usual: Shown, now: () => Place): Form<Place> => ({
  write: () => {
    const { name, shown } = now();
    return toHash(name, shown, usual);
  },
  read: (hash) => fromHash(hash, usual),
  usual: { name: "", shown: usual },
});

/** What an address shows: null for one that is not of ours. */
export const fromHash = (hash: string, usual: Shown): Place | null => {
  const [name, ...parts] = hash.replace(/^#/, "").split("&");
  const shown: Shown = { ...usual };
  try {
    for (const part of parts) {
      const at = part.indexOf("=");
      const key = part.slice(0, at);
      const value = decodeURIComponent(part.slice(at + 1));
      if (WORDS.some((word) => word === key)) shown[key as (typeof WORDS)[number]] = value;
      else if (key === "view") shown.view = value === "treemap" ? "treemap" : "icicle";
      else if (key === "run") shown.run = whole(value);
      else if (key === "depth") shown.depth = whole(value);
      else if (key === "fold") shown.folded = value !== "0";
      else if (key === "open") shown.opened = value.split(".").map(whole);
      else if (key === "sort") shown.sort = { key: value.replace(/^-/, ""), down: value.startsWith("-") };
      else if (key === "columns") shown.columns = value.split(".");
      else if (key === "exact") shown.exact = value === "1";
    }
    return { name: decodeURIComponent(name ?? ""), shown };
  } catch {
    return null; // a percent sign that encodes nothing
  }
};

const whole = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : 0);
