import { expect, it } from "vitest";
import { figureColumn, figureText, inOrder, inWords, isMain, shareColumn } from "../src/model/figures.ts";
import type { Metric } from "../src/shared/payload.ts";

const metric = (key: string, more: Partial<Metric> = {}): Metric => ({
  ...{ key, label: key.toUpperCase(), kind: "count", help: "", estimable: false, elementwise: false, additive: true },
  ...more,
});
const flops = metric("flops", { label: "FLOPs" });
const time = metric("time_ns", { label: "Time", kind: "time" });

it("time and what was sent stand beside the FLOPs, memory after the other figures, work by element at the end", () => {
  const given = [
    metric("arithmetic", { elementwise: true }),
    metric("memory_peak", { kind: "bytes" }),
    metric("params"),
    metric("wire_bytes", { kind: "bytes" }),
    time,
    flops,
  ];
  const keys = inOrder(given).map(({ key }) => key);
  expect(keys).toEqual(["flops", "time_ns", "wire_bytes", "params", "memory_peak", "arithmetic"]);
  expect(given[0]!.key).toBe("arithmetic"); // the list that was given is as it was
});

it("a figure that nobody asked for has no column at first", () => {
  expect(["flops", "memory_peak", "bops", "nonzero_macs"].map(isMain)).toEqual([true, true, false, false]);
});

it("writes a figure short or with every digit, and none as a dash", () => {
  expect(figureText(4_111_512_576, flops, false)).toBe("4.11 G");
  expect(figureText(10n ** 16n + 1n, flops, true)).toBe("10,000,000,000,000,001");
  expect(figureText(4_960_000, time, false)).toBe("4.96 ms");
  expect(figureText(4_960_000, time, true)).toBe("4,960,000 ns");
  expect(figureText(null, flops, true)).toBe("–");
});

it("a count stands before its name in a sentence, and what is measured after it", () => {
  expect(inWords(4_111_512_576, flops)).toBe("4.11 G FLOPs");
  expect(inWords(4_960_000, time)).toBe("Time 4.96 ms");
});

it("a column marks an estimate, and tells every digit of a figure that is there", () => {
  const column = figureColumn<number | null>(flops, {
    value: (row) => row,
    digits: () => false,
    most: () => 1000,
    mark: (row) => (row === 1500 ? "≈ " : ""),
  });
  expect([1500, 20, null].map(column.text)).toEqual(["≈ 1.50 k", "20", "–"]);
  expect([1500, null].map((row) => column.tip!(row))).toEqual(["1,500 FLOPs", ""]);
});

it("a share is of the whole, and of nothing it is nothing", () => {
  let whole = 400;
  const column = shareColumn<number>({ value: (row) => row, whole: () => whole, head: () => "of FLOPs" });
  expect([100, 400].map(column.text)).toEqual(["25.0 %", "100.0 %"]);
  whole = 0;
  expect(column.text(0)).toBe("0.0 %");
});
