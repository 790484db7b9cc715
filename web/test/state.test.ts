import { describe, expect, it } from "vitest";
import { fromHash, toHash, USUAL, type Shown } from "../src/model/state.ts";

const usual: Shown = { ...USUAL, metric: "flops" };

it("the address of a module is its name", () => {
  expect(toHash("layer1.0", usual, usual)).toBe("layer1.0");
  expect(fromHash("#layer1.0", usual)).toEqual({ name: "layer1.0", shown: usual });
});

describe("a link restores the view", () => {
  const views: [string, Partial<Shown>][] = [
    ["", { metric: "params", view: "treemap", colour: "type", run: 3 }],
    ["a&b=c%#?", { query: "a&sort=x", type: "</script>", status: "gap", depth: 2 }],
    [
      "layers.0–31",
      { folded: false, opened: [3, 70], sort: { key: "flops", down: true }, columns: ["name", "params"] },
    ],
    ["x", { sort: { key: "name", down: false }, sent: "modules", exact: true }],
    ["", { run: 4, sample: "image-7&run=1", branches: "none+3:1-12:32" }],
  ];
  it.each(views)("of %j", (name, part) => {
    const shown = { ...usual, ...part };
    expect(fromHash(`#${toHash(name, shown, usual)}`, usual)).toEqual({ name, shown });
  });
});

it("an address of another page is none of ours", () => {
  expect(fromHash("#%E0%A4%A", usual)).toBeNull();
  expect(fromHash("#x&run=-1&depth=1e9&open=a.b&fold=2", usual)?.shown).toEqual({ ...usual, opened: [0, 0] });
});
