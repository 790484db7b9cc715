import { expect, it } from "vitest";
import { icicle, nested, type Figures, type Tile } from "../src/chart/layout.ts";
import type { Node } from "../src/model/tree.ts";
import { node } from "./node.ts";

const top = node("top", null);
const [big, small] = [node("big", top), node("small", top)];
const crowd = Array.from({ length: 1000 }, (_, i) => node(`tiny${i}`, big));
const sizes = new Map<Node, number>([
  [top, 1000],
  [big, 600],
  [small, 300],
  ...crowd.map((one) => [one, 0.5] as const),
]);
const figures: Figures = {
  value: (one) => sizes.get(one) ?? 0,
  under: (one) => (one === top ? [big, small] : one === big ? crowd : []),
  own: (one) => (one === top ? [{ operator: "aten.mm", value: 100 }] : []),
};
const short = ({ node: { label }, operator, rest, x, width }: Tile): string =>
  `${rest ? `${rest} of ${label}` : (operator ?? label)} ${x}+${width}`;

it("an icicle is as wide as its figures, in the model's order, with its own operators at the end", () => {
  const tiles = icicle(top, [top], 500, figures);
  expect(tiles.filter(({ level }) => level < 2).map(short)).toEqual([
    "top 0+500",
    "big 0+300",
    "small 300+150",
    "aten.mm 450+50",
  ]);
});

it("neighbours that are too thin to be seen are one tile", () => {
  const tiles = icicle(top, [top], 500, figures);
  expect(tiles.filter(({ level }) => level === 2).map(short)).toEqual(["1000 of big 0+250"]); // 1000 of half a FLOP, half a pixel each
});

it("what stands above the selected node is as wide as the chart", () => {
  const tiles = icicle(big, [top, big], 500, figures);
  expect(tiles.slice(0, 2).map(short)).toEqual(["top 0+500", "big 0+500"]);
  expect(tiles.map(({ level }) => level).slice(0, 2)).toEqual([-1, 0]);
});

it("of a long way to the selected node the nearest levels are drawn", () => {
  const way = Array.from({ length: 50 }, (_, i) => node(`level${i}`, null));
  const tiles = icicle(way[49]!, way, 500, figures);
  expect(tiles.map((tile) => tile.node.label)).toEqual(way.slice(-7).map(({ label }) => label));
  expect(tiles[0]!.y).toBe(0);
});

it("a treemap gives every part its share of the area", () => {
  const tiles = nested(top, 400, 300, figures);
  const area = (label: string): number =>
    tiles
      .filter((tile) => tile.node.label === label && tile.operator === null && !tile.rest)
      .reduce((sum, { width, height }) => sum + width * height, 0);
  expect(area("big") / area("small")).toBeGreaterThan(1.8);
  expect(area("big") / area("small")).toBeLessThan(2.2);
  expect(tiles.some(({ operator }) => operator === "aten.mm")).toBe(true);
});
