import { describe, expect, it } from "vitest";
import { exact, growth, human, part, percent, plural } from "../src/shared/numbers.ts";

describe("human", () => {
  it.each([
    [0, "count", "0"],
    [999, "count", "999"],
    [4_111_512_576, "count", "4.11 G"],
    [999_500, "count", "1.00 M"],
    [1_572_864, "bytes", "1.57 MB"],
    [1500, "time", "1.50 µs"],
    ["149280000000000000000000000000", "count", "149 R"],
    [-1500, "count", "−1.50 k"],
    [0.5, "ratio", "0.50"],
  ] as const)("writes %s %s as %s", (value, kind, text) => expect(human(value, kind)).toBe(text));
});

it("keeps every digit of what no double holds", () =>
  expect(exact("149280000000000000000000000001")).toBe("149,280,000,000,000,000,000,000,000,001"));

it("never shows a share as nothing that is there", () => {
  expect(percent(part(1, 1_000_000))).toBe("<0.1 %");
  expect(percent(part(0, 10))).toBe("0.0 %");
  expect(percent(part(5, 0))).toBe("0.0 %");
});

it("says by how much a figure grew", () => {
  expect(growth(14928, 42736)).toBe("+186.3 %");
  expect(growth(10, 5)).toBe("−50.0 %");
  expect(growth(0, 5)).toBe("new");
  expect(growth("348", 348)).toBe("±0");
  expect(growth(1, 12_346)).toBe("+1.23 M %");
  expect(growth(1000, 10_999)).toBe("+999.9 %");
});

it("counts things", () => expect([plural(1, "module"), plural(5003, "module")]).toEqual(["1 module", "5,003 modules"]));
