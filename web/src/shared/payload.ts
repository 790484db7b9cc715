import { byId } from "./dom.ts";
import type { Kind } from "./numbers.ts";

/** What the pages know of a metric. */
export interface Metric {
  key: string;
  label: string;
  kind: Kind;
  help: string;
  estimable: boolean;
  elementwise: boolean;
  /** True if the figures of all operators add up to the module's. */
  additive: boolean;
}

export interface Convention {
  name: string;
  unit: string;
}

/** The page's data, which stands in it as JSON. */
export const payload = <T>(): T => JSON.parse(byId("data").textContent) as T;
