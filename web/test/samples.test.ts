import { expect, it } from "vitest";
import { bins } from "../src/report/samples.ts";

it("every value is in one range, the largest too", () => {
  const values = [3, 1, 9, 9, 4, 1, 2];
  const found = bins(values);
  expect(found.flatMap(({ samples }) => samples).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect([found[0]!.from, found.at(-1)!.to]).toEqual([1, 9]);
  expect(found.at(-1)!.samples).toEqual([2, 3]);
});

it("equal values are one range", () => expect(bins([5, 5])).toEqual([{ from: 5, to: 5, samples: [0, 1] }]));
