// @vitest-environment jsdom
import { beforeAll, expect, it } from "vitest";
import { start } from "../src/shared/payload.ts";

const run = (flops: number | string, more: object = {}): object => ({
  ...{ file: "a.json", page: "a.html", diff: null, commit: "", labels: [], created: 0 },
  ...{ values: { flops, params: 10 }, uncounted: [], stopped: null },
  ...more,
});
const [flops, params] = ["flops", "params"].map((key) => ({ key, label: key === "flops" ? "FLOPs" : "Params" }));
const page = {
  convention: { name: "fvcore", unit: "" },
  metrics: [flops, params],
  series: [
    {
      ...{ name: "net", model: "Net", input: "", labelled: true },
      budgets: { flops: [1200, "1.2k"], params: [10, "10"] },
      runs: [run(0), run(1000), run(1250), run(1250, { uncounted: ["mylib.op"], stopped: "" })],
    },
  ],
  bad: [],
};

let data: typeof import("../src/dashboard/data.ts");
beforeAll(async () => {
  const element = document.createElement("script");
  element.id = "data";
  element.type = "application/json";
  element.textContent = JSON.stringify(page);
  document.body.append(element);
  await start(async () => {
    data = await import("../src/dashboard/data.ts"); // it reads the page's data as it loads
  });
});

it("tells a change from the run before, which the first run has none of", () => {
  const { runs } = data.data.series[0]!;
  // From nothing to 1,000, then 250 of 1,000 more, then the same.
  expect(runs.map((one) => data.change(one, "flops"))).toEqual([null, Infinity, 0.25, 0]);
  expect(runs.map((one) => data.changeText(one, "flops"))).toEqual(["", "new", "+25.0 %", "±0"]);
  expect(runs.map((one) => data.change(one, "params"))).toEqual([null, 0, 0, 0]);
});

it("a run is over its budget if it costs more, and not if it costs just as much", () => {
  const { runs } = data.data.series[0]!;
  expect(runs.map((one) => data.isOver(one, "flops"))).toEqual([false, false, true, true]);
  expect(runs.map((one) => data.isOver(one, "params"))).toEqual([false, false, false, false]);
  expect(data.isOver(runs[2]!, "activations")).toBe(false); // a budget that nobody set
});

it("says all that is wrong with a run", () => {
  const { runs } = data.data.series[0]!;
  expect(data.newest(data.seriesOf(runs[0]!))).toBe(runs[3]);
  expect(data.trouble(runs[1]!)).toBe("");
  expect(data.trouble(runs[2]!)).toBe("FLOPs over the budget of 1.2k");
  expect(data.trouble(runs[3]!)).toBe("not counted: mylib.op, stopped in (root), FLOPs over the budget of 1.2k");
});
