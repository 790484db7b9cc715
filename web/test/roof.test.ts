import { expect, test } from "vitest";
import type { RoofData } from "../src/model/payload.ts";
import { dots } from "../src/report/roof.ts";

const roof = (time: number): RoofData => ({
  device: "a device",
  least: 3000,
  memory: 0.5,
  roofs: [],
  operators: [
    { name: "mm", flops: 4000, bytes: 100, least: 2000, time, bound: "compute" },
    { name: "add", flops: 100, bytes: 400, least: 1000, time: 8 * time, bound: "memory" },
    { name: "view", flops: 0, bytes: 0, least: 0, time: 0, bound: "neither" },
  ],
  notes: [],
});

test("without measured times a dot lies on the roof", () => {
  // 4,000 FLOPs in 2,000 ns are 2 · 10^9 a second.
  expect(dots(roof(0)).map(({ name, rate, time }) => [name, rate, time])).toEqual([
    ["mm", 2e9, 2000],
    ["add", 1e8, 1000],
  ]);
});

test("with them it lies at the rate that was measured, the longest first", () => {
  expect(dots(roof(4000)).map(({ name, rate, time }) => [name, rate, time])).toEqual([
    ["add", 100 / 32e-6, 32000],
    ["mm", 1e9, 4000],
  ]);
});
