import { expect, it } from "vitest";
import type { OperatorSum } from "../src/model/run.ts";
import { points } from "../src/report/roofline.ts";

const sum = (name: string, values: Record<string, bigint>): OperatorSum => ({
  ...{ name, status: "counted", calls: 1n },
  values: new Map(Object.entries(values)),
});

it("places an operator by its FLOPs for each byte and each second, the longest first", () => {
  const found = points([
    sum("aten.add", { flops: 50n, bytes: 200n, time_ns: 10n }),
    sum("aten.mm", { flops: 6000n, bytes: 300n, time_ns: 2000n }),
  ]);
  // 6000 / 300 = 20 FLOPs a byte; 6000 in 2 µs are 3 G a second. 50 / 200 = 0.25; 50 in 10 ns are 5 G a second.
  expect(found).toEqual([
    { name: "aten.mm", intensity: 20, rate: 3e9, time: 2000 },
    { name: "aten.add", intensity: 0.25, rate: 5e9, time: 10 },
  ]);
});

it("leaves out what did nothing, moved nothing or took no time", () => {
  const whole = { flops: 1n, bytes: 1n, time_ns: 1n };
  const without = Object.keys(whole).flatMap((key) => [
    sum(`0 ${key}`, { ...whole, [key]: 0n }),
    sum(`no ${key}`, Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key))),
  ]);
  expect(points(without)).toEqual([]);
});
