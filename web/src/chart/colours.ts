/** Colours of tiles. The tests hold them to WCAG AA: text on a tile 4.5 to 1, a tile on the panel 3 to 1. */
import type { Theme } from "../shared/theme.ts";

export interface Colour {
  fill: string;
  ink: string;
  /** The line around a fill that alone would not stand out from the panel. */
  edge: string | null;
}

/** The panels that tiles lie on, as in base.css. */
export const PANEL: Record<Theme, string> = { light: "#ffffff", dark: "#1a1f28" };
const INK: Record<Theme, string> = { light: "#ffffff", dark: "#0b0e13" };

/** Distinct fills: one for each part that a module can play, but for "other", the last in report/roles.py. */
export const FILLS: Record<Theme, string[]> = {
  light: ["#2563b8", "#a8500a", "#1f7a43", "#7d47ad", "#b3324f", "#0b7276", "#7a6400", "#8c4a3c", "#4b57b5", "#9a3b8a"],
  dark: ["#7fb0f5", "#f2a65e", "#74cf95", "#c3a0ee", "#f58ea2", "#5fcdcf", "#dcc24f", "#d8a795", "#a5b1f7", "#e79ad8"],
};
/** What plays no part itself, as containers: quiet, so that what they hold stands out. */
export const NEUTRAL: Record<Theme, Colour> = {
  light: { fill: "#e9edf3", ink: "#1b1f27", edge: "#7c8798" },
  dark: { fill: "#2a323e", ink: "#e6e9ef", edge: "#727f92" },
};

export type Change = "grew" | "shrank" | "added" | "removed" | "same";

/** What changed in a diff; what did not is neutral. */
const CHANGES: Record<Theme, Partial<Record<Change, string>>> = {
  light: { grew: "#b3324f", shrank: "#1f7a43", added: "#7d47ad", removed: "#7a6400" },
  dark: { grew: "#f58ea2", shrank: "#74cf95", added: "#c3a0ee", removed: "#dcc24f" },
};

const strong = (fill: string | undefined, theme: Theme): Colour =>
  fill ? { fill, ink: INK[theme], edge: null } : NEUTRAL[theme];

/**
 * The colour of the n-th of a list: of the parts that modules play, which so have the same colour on every page, or of
 * classes by how much they have. Beyond the palette all are alike and quiet.
 */
export const nthColour = (place: number, theme: Theme): Colour => strong(FILLS[theme][place], theme);

/** The colour of a change. */
export const changeColour = (change: Change, theme: Theme): Colour => strong(CHANGES[theme][change], theme);
