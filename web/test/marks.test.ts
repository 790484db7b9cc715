import { expect, it } from "vitest";
import { icicle, type Figures, type Tile } from "../src/chart/layout.ts";
import { marksOf } from "../src/chart/marks.ts";
import type { Node } from "../src/model/tree.ts";
import { node } from "./node.ts";

const top = node("top", null);
const big = node("big", top);
const [small, smallest] = [node("small", big), node("smallest", big)];
const sizes = new Map([
  [top, 1000],
  [big, 1000],
  [small, 1],
  [smallest, 1],
]);
const below = new Map([
  [top, [big]],
  [big, [small, smallest]],
]);
const figures = (own: { operator: string; value: number }[]): Figures => ({
  value: (one) => sizes.get(one) ?? 0,
  under: (one) => below.get(one) ?? [],
  own: () => own,
});

const named = (tiles: Tile[], found: Node[]): string[] =>
  [...marksOf(tiles, found)].map(([tile, mark]) => `${mark} ${tile.node.label}${tile.rest ? "'s smaller" : ""}`);

it("a tile of a node that was found is a hit", () => {
  expect(named(icicle(top, [top], 1000, figures([])), [big])).toEqual(["hit big"]);
});

it("a node too small for a tile is marked at the tile of the smaller ones", () => {
  // 2 of 1,000 pixels: one tile together
  expect(named(icicle(top, [top], 1000, figures([])), [smallest])).toEqual(["holds big's smaller"]);
  expect(named(icicle(top, [top], 1000, figures([])), [small, big])).toEqual(["holds big's smaller", "hit big"]);
});

it("where those have no tile either, at the one around them; a hit stays a hit", () => {
  // 0.2 of 100 pixels: none
  expect(named(icicle(top, [top], 100, figures([])), [smallest])).toEqual(["holds big"]);
  expect(named(icicle(top, [top], 100, figures([])), [smallest, big])).toEqual(["hit big"]);
});

it("what the selected node did itself is found with it", () => {
  const tiles = icicle(big, [top, big], 1000, figures([{ operator: "aten.mm", value: 998 }]));
  expect(named(tiles, [big])).toEqual(["hit big", "hit big"]);
});
