/** Numbers as people read them, as render/numbers.py writes them. */

/** A figure of the payload: integers that JavaScript cannot hold exactly arrive as decimal text. */
export type Raw = number | string;
export type Figure = number | bigint;
export type Kind = "count" | "bytes" | "time" | "ratio";

const UNITS: Record<Kind, string[]> = {
  count: ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"],
  bytes: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "RB", "QB"],
  time: ["ns", "µs", "ms", "s"],
  ratio: ["", "k", "M", "G", "T"],
};

/** Three digits with a decimal prefix: 4111512576 is "4.11 G". Times are in nanoseconds. */
export const human = (value: Raw | Figure, kind: Kind = "count"): string => {
  const number = Number(value);
  if (number < 0) return `−${human(-number, kind)}`;
  const units = UNITS[kind];
  let size = number;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const whole = unit === 0 && Number.isInteger(number);
  const digits = whole ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return [size.toFixed(digits), units[unit]].filter(Boolean).join(" ");
};

/** What `human` writes is no wider than this, a sign or a mark before it aside. */
export const WIDEST = "99.9 MB";

/** Every digit, in groups of three. */
export const exact = (value: Raw | Figure): string => BigInt(value).toLocaleString("en-US").replace("-", "−");

/** A part of a whole, 0 to 1; 0 of nothing. */
export const part = (value: Raw | Figure, whole: Raw | Figure): number =>
  Number(whole) ? Number(value) / Number(whole) : 0;

/** A share from 0 to 1 as percent. What is there is never shown as nothing. */
export const percent = (share: number): string => {
  if (share > 0 && share < 0.0005) return "<0.1 %";
  return `${(share * 100).toFixed(1)} %`;
};

/**
 * By how much a figure grew: "+12.5 %", "new" from nothing, "±0" where it is the same.
 *
 * A figure of millions of percent is as short, "+1.23 M %", so that columns can be measured for it.
 */
export const growth = (before: Raw | Figure, now: Raw | Figure): string => {
  if (Number(before) === Number(now)) return "±0";
  if (!Number(before)) return "new";
  const share = (Number(now) - Number(before)) / Number(before);
  const size = Math.abs(share * 100);
  const text = size < 0.1 ? "<0.1" : size < 999.95 ? size.toFixed(1) : human(size, "ratio");
  return `${share > 0 ? "+" : "−"}${text} %`;
};

/** "1 module", "5,003 modules". */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

/** Seconds since 1970 as a minute in UTC. */
export const minute = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

/** The same, where nothing around it says that it is UTC. */
export const date = (seconds: number): string => `${minute(seconds)} UTC`;
