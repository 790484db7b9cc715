import { describe, expect, it } from "vitest";
import { changeColour, FILLS, NEUTRAL, PANEL, nthColour, type Change, type Colour } from "../src/chart/colours.ts";

const luminance = (hex: string): number => {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** The contrast of two colours by WCAG 2. */
const contrast = (a: string, b: string): number => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
};

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  const changes: Change[] = ["grew", "shrank", "added", "removed", "same"];
  const all: Colour[] = [
    ...Array.from({ length: 12 }, (_, rank) => nthColour(rank, theme)),
    ...changes.map((change) => changeColour(change, theme)),
    NEUTRAL[theme],
  ];

  it("text can be read on every tile", () => {
    for (const { fill, ink } of all) expect(contrast(fill, ink)).toBeGreaterThanOrEqual(4.5);
  });

  it("every tile stands out from the panel, by its fill or by its edge", () => {
    for (const { fill, edge } of all) expect(contrast(edge ?? fill, PANEL[theme])).toBeGreaterThanOrEqual(3);
  });

  it("no two fills are the same, and those beyond the palette are quiet", () => {
    expect(new Set(FILLS[theme]).size).toBe(FILLS[theme].length);
    expect(nthColour(FILLS[theme].length, theme)).toEqual(NEUTRAL[theme]);
    expect(nthColour(-1, theme)).toEqual(NEUTRAL[theme]);
  });
});
