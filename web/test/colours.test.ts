import { describe, expect, it } from "vitest";
import { changeColour, FILLS, NEUTRAL, PANEL, nthColour, type Change, type Colour } from "../src/chart/colours.ts";
import { contrast } from "./contrast.ts";

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
