import { expect, test } from "vitest";
import { axis, label } from "../src/dashboard/axis.ts";
import type { Run } from "../src/dashboard/data.ts";

const run = (file: string, created: number, commit = ""): Run => ({
  file,
  page: "",
  diff: null,
  commit,
  labels: [],
  created,
  values: {},
  uncounted: [],
  stopped: null,
});

const files = (runs: (Run | null)[]): (string | null)[] => runs.map((one) => one && one.file);

test("runs of one commit share a place, at the earliest of their times", () => {
  const { places, at } = axis([
    [run("a1", 10, "x"), run("a2", 30, "y")],
    [run("b1", 20, "y"), run("b2", 40, "z")],
  ]);
  expect(places).toEqual([
    { commit: "x", created: 10 },
    { commit: "y", created: 20 },
    { commit: "z", created: 40 },
  ]);
  expect(at.map(files)).toEqual([
    ["a1", "a2", null],
    [null, "b1", "b2"],
  ]);
});

test("a series that ran twice at one commit has two places", () => {
  const { at } = axis([[run("a", 1, "x"), run("b", 2, "x")], [run("c", 3, "x")]]);
  expect(at.map(files)).toEqual([
    ["a", "b"],
    ["c", null],
  ]);
});

test("runs without a commit stand where their time is", () => {
  const { places, at } = axis([[run("a", 5)], [run("b", 4), run("c", 5)]]);
  expect(places.map(({ created }) => created)).toEqual([4, 5]);
  expect(at.map(files)).toEqual([
    [null, "a"],
    ["b", "c"],
  ]);
});

test("a place is called by its commit over its time", () => {
  expect(label({ commit: "0123456789abcdef", created: 0 })).toBe("0123456789\n01-01 00:00");
  expect(label({ commit: "", created: 86_400 })).toBe("01-02 00:00");
});
