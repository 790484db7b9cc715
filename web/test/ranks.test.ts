import { describe, expect, it } from "vitest";
import { shadeOf, shades } from "../src/chart/shades.ts";
import { PANEL } from "../src/chart/colours.ts";
import type { RanksData } from "../src/model/payload.ts";
import { rankRuns, spreadOf } from "../src/model/ranks.ts";
import type { Node } from "../src/model/tree.ts";
import { cellsOf, heatRows } from "../src/ranks/layout.ts";
import { contrast } from "./contrast.ts";

describe("a figure over the ranks", () => {
  it("has the slowest rank and how uneven it is", () => {
    const { sum, mean, min, max, slowest, imbalance } = spreadOf([13, 19]);
    expect([sum, mean, min, max, slowest]).toEqual([32, 16, 13, 19, 1]);
    expect(imbalance).toBe(19 / 16);
  });

  it("has no slowest rank where all have the same, and no imbalance where none has anything", () => {
    expect(spreadOf([4, 4])).toMatchObject({ slowest: -1, imbalance: 1 });
    expect(spreadOf([0, 0])).toMatchObject({ slowest: -1, imbalance: null });
  });

  it("is exact beyond doubles, also where only some ranks are", () => {
    const big = 2n ** 60n + 1n;
    expect(spreadOf([big, 5]).sum).toBe(big + 5n);
    expect(spreadOf([5, big])).toMatchObject({ slowest: 1, max: big, min: 5 });
  });
});

it("gives each rank a run over the rows of the page", () => {
  const ranks: RanksData = {
    world: 3,
    rank: [0, 2],
    missing: [1],
    planned: false,
    own: { calls: [1, 1, 0], flops: [0, [5, 7], 3] },
    left_out: ["bytes"],
    peak: null,
    stopped: {},
    operators: [{ row: [1], operator: [0], line: [0] }],
    collectives: [{ row: [1], issuer: [0], kind: [0], group: [0], line: [0] }],
    of: [0, -1],
    groups: [[4], [5]],
  };
  const source = {
    parent: [-1, 0, 0],
    figures: { calls: [1], flops: [5], bytes: [8], time_ns: [0] },
    ofModules: new Set<string>(),
    operators: { name: ["aten.mm"], status: ["counted"] },
  };
  const [first, second] = rankRuns(ranks, source);
  expect([first!.label, second!.label]).toEqual(["rank 0", "rank 2"]);
  expect([...(first!.total("flops") as Float64Array)]).toEqual([8, 5, 3]);
  expect([...(second!.total("flops") as Float64Array)]).toEqual([10, 7, 3]);
  expect([first!.has("flops"), first!.has("bytes")]).toEqual([true, false]);
  expect([...first!.touched]).toEqual([1, 1, 1]);
  // Lists that ranks share have no times.
  expect([...first!.operators([1])[0]!.values.keys()]).toEqual(["flops", "bytes"]);
  expect(first!.collectives!.groups).toEqual([4]);
  expect([second!.hasOperators, second!.collectives]).toEqual([false, null]);
});

describe("the map", () => {
  it("puts ranks together where there is no room for a cell each", () => {
    expect(cellsOf(3, 10)).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(cellsOf(5, 3)).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    expect(cellsOf(1000, 300)).toHaveLength(250);
  });

  const made = (label: string, depth: number): Node => ({
    rows: [],
    times: 1,
    label,
    whole: false,
    above: null,
    depth,
  });
  const root = made("root", 0);
  const [a, b, c] = ["a", "b", "c"].map((label) => made(label, 1));
  const [d, e] = ["d", "e"].map((label) => made(label, 2));
  const under = new Map([
    [root, [a!, b!, c!]],
    [b!, [d!, e!]],
  ]);
  const sizes = new Map([root, a!, b!, c!, d!, e!].map((node, i) => [node, [9, 1, 6, 2, 0, 6][i]!]));
  const rows = (most: number): { names: string; hidden: number } => {
    const size = (node: Node): number => sizes.get(node)!;
    const { nodes, hidden } = heatRows({ under: (node) => under.get(node) ?? [] }, root, size, most);
    return { names: nodes.map(({ label }) => label).join(" "), hidden };
  };

  it("has rows level by level, in the model's order, without what has no size", () => {
    expect(rows(10)).toEqual({ names: "root a b e c", hidden: 0 });
    expect(rows(4)).toEqual({ names: "root a b c", hidden: 0 });
  });

  it("keeps the biggest of the first level", () => {
    expect(rows(3)).toEqual({ names: "root b c", hidden: 1 });
  });

  it("colours a figure by its distance from the mean, and nothing not at all", () => {
    expect([0, 50, 80, 95, 100, 105, 120, 150].map((value) => shadeOf(value, 100))).toEqual([-1, 0, 1, 2, 3, 4, 5, 6]);
    expect(shadeOf(0, 0)).toBe(-1);
  });

  it.each(["light", "dark"] as const)("has marks that can be seen on every shade, in the %s theme", (theme) => {
    const all = shades(theme);
    for (const { fill, ink } of all) expect(contrast(fill, ink)).toBeGreaterThanOrEqual(3);
    // What is far from the mean stands out from the panel.
    for (const place of [0, 6]) expect(contrast(all[place]!.fill, PANEL[theme])).toBeGreaterThanOrEqual(3);
  });
});
