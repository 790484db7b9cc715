/** Colours of a figure against its mean over the ranks. The tests hold the strongest ones to WCAG AA. */
import type { Theme } from "../shared/theme.ts";

/** A range of figures: those below `below` times the mean that are in no range before it. */
export interface Shade {
  below: number;
  label: string;
  fill: string;
  /** Of a mark on it. */
  ink: string;
}

const RANGES: readonly (readonly [below: number, label: string])[] = [
  [0.67, "33 % and more below the mean"],
  [0.9, "10 % below"],
  [0.98, "2 % below"],
  [1.02, "the mean"],
  [1.1, "2 % above"],
  [1.5, "10 % above"],
  [Infinity, "50 % and more above"],
];

const FILLS: Record<Theme, readonly string[]> = {
  light: ["#1d57ad", "#5c94db", "#b5d0f2", "#e3e8ef", "#f6c9a3", "#de8240", "#9c3f06"],
  dark: ["#8ab8ff", "#5584c4", "#2f4d78", "#2b333f", "#6b4326", "#bd7038", "#ffb87f"],
};
const LIGHT_INK = "#ffffff";
const DARK_INK = "#0b0e13";
/** The ranges whose fill is dark, by theme. */
const DARK_FILLS: Record<Theme, ReadonlySet<number>> = {
  light: new Set([0, 6]),
  dark: new Set([2, 3, 4]),
};

/** The ranges from the least to the most. */
export const shades = (theme: Theme): Shade[] =>
  RANGES.map(([below, label], i) => ({
    below,
    label,
    fill: FILLS[theme][i]!,
    ink: DARK_FILLS[theme].has(i) ? LIGHT_INK : DARK_INK,
  }));

/** The place of the range that a figure is in; -1 for nothing, which has no colour. */
export const shadeOf = (value: number, mean: number): number =>
  value > 0 && mean > 0 ? RANGES.findIndex(([below]) => value / mean < below) : -1;
