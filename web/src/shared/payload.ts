import { byId, el } from "./dom.ts";
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

/** The text of an element that holds a page's data, as render/html/payload.py writes it: JSON, or that deflated. */
export const textOf = async ({ type, text }: { type: string; text: string }): Promise<string> => {
  if (type === "application/json") return text;
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
  const inflating = new DecompressionStream("deflate");
  const input = inflating.writable.getWriter();
  // Damaged data makes all three fail. It is told by the one that is waited for.
  void input.write(bytes).catch(() => {});
  void input.close().catch(() => {});
  return new Response(inflating.readable).text();
};

let data: unknown;

/** The page's data, once `start` has read it. */
export const payload = <T>(): T => data as T;

/** Read the page's data, then run the script that shows it. The page says so if that cannot be done. */
export const start = async (show: () => Promise<unknown>): Promise<void> => {
  try {
    data = JSON.parse(await textOf(byId<HTMLScriptElement>("data")));
  } catch (error) {
    byId("main").replaceChildren(el("p", { role: "alert" }, `${UNREADABLE} (${String(error)})`));
    return;
  }
  await show();
};

const UNREADABLE =
  "The data of this page cannot be read. The file is damaged, or the browser is older than 2023 and cannot inflate it.";
