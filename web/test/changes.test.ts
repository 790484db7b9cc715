import { describe, expect, it } from "vitest";
import { Changes } from "../src/diff/changes.ts";
import { whyEmpty, whyNone } from "../src/diff/empty.ts";
import type { DiffPage } from "../src/diff/page.ts";
import { choiceOf, isMissing, missing, ofPhase, pairsOf } from "../src/diff/pairs.ts";
import type { RunData } from "../src/model/payload.ts";
import { Tree } from "../src/model/tree.ts";

/** Lines of figures: nothing, 10 FLOPs, 20 FLOPs, and 10 that took longer. */
const [NOTHING, TEN, TWENTY, SLOWER] = [0, 1, 2, 3];

/** A run; of a whole block, what has done nothing has a parameter. */
const run = (label: string, base: number | null, lines: Record<number, number>): RunData => {
  const [row, line] = [Object.keys(lines).map(Number), Object.values(lines)];
  const held = { params: line.map((one) => (one === NOTHING ? 1 : 0)) };
  return {
    label,
    kind: base === null ? "block" : "phase",
    base,
    modules: base === null ? { row, calls: row.map(() => 1), held } : null,
    done: { row, line, operator: row.map(() => 0) },
    collectives: null,
  };
};

/**
 * root → kept, frozen, added, removed, renamed, retyped, and idle.
 *
 * Forward alone is the same of all but those that one report does not have; backward doubled in `kept`.
 */
const page = (): DiffPage => ({
  title: "x",
  convention: { name: "macs", unit: "a MAC counts 1" },
  metrics: [
    { key: "flops", label: "FLOPs", kind: "count", help: "", estimable: true, elementwise: false, additive: true },
    { key: "time_ns", label: "Time", kind: "time", help: "", estimable: false, elementwise: false, additive: true },
    { key: "params", label: "Params", kind: "count", help: "", estimable: false, elementwise: false, additive: false },
  ],
  rows: {
    name: ["", "kept", "frozen", "added", "removed", "renamed", "retyped", "idle"],
    parent: [-1, 0, 0, 0, 0, 0, 0, 0],
    type: [0, 0, 0, 0, 0, 0, 0, 0],
    types: ["Linear"],
    extra: [0, 0, 0, 0, 0, 0, 0, 0],
    extras: [""],
    role: [0, 0, 0, 0, 0, 0, 0, 0],
    roles: ["other"],
    aliases: {},
    whole: [0],
    uncalled: [],
    estimate: [],
    gap: [],
    container: [],
    folds: { members: [], label: [], merged: [] },
  },
  figures: { calls: [0, 1, 1, 1], flops: [0, 10, 20, 10], time_ns: [0, 5, 5, 6] },
  operators: { name: ["aten.mm"], status: ["counted"] },
  collectives: null,
  runs: [
    run("Whole block", null, { 1: TEN, 2: TEN, 4: TEN, 5: TEN, 6: TEN, 7: NOTHING }),
    run("Whole block", null, { 1: TWENTY, 2: SLOWER, 3: TEN, 5: TEN, 6: TEN, 7: NOTHING }),
    run("forward", 0, { 1: TEN, 2: TEN, 4: TEN, 5: TEN, 6: TEN }),
    run("forward", 1, { 1: TEN, 2: SLOWER, 3: TEN, 5: TEN, 6: TEN }),
    run("backward", 0, {}),
    run("backward", 1, { 1: TEN }),
    run("optimizer", 0, { 0: TEN }),
    run("optimizer", 1, {}),
  ],
  changes: ["same", "added", "removed", "renamed", "changed"],
  change: [4, 4, 0, 1, 2, 3, 4, 0],
  retyped: [6],
  was: { 5: "called" },
  sides: [0, 0].map(() => ({ labels: [], model: "", created: 0, gap: false, issues: [], stopped: null })) as never,
  uncompared: [],
});

describe("what became of modules", () => {
  const data = page();
  const tree = new Tree(data);
  const pairs = pairsOf(tree.runs);
  const [blocks, forward, backward, optimizer] = pairs;
  const changes = new Changes(tree, data);
  const words = (pair = blocks!): Record<string, string> =>
    Object.fromEntries(tree.all(tree.top).map((node) => [tree.path(node), changes.of(node, pair)]));
  const mattering = (pair = blocks!): string[] =>
    tree
      .all(tree.top)
      .filter((node) => changes.matters(node, pair))
      .map((node) => tree.path(node));

  it("is told by the page for the whole blocks", () => {
    expect(words()).toEqual({
      "(root)": "changed",
      kept: "changed",
      frozen: "same",
      added: "added",
      removed: "removed",
      renamed: "renamed",
      retyped: "changed",
      idle: "same",
    });
    expect(mattering()).toHaveLength(8);
  });

  it("follows the figures of a phase, times and parameters aside", () => {
    // 5 × 10 FLOPs before and now: what was removed did as much as what was added.
    expect(words(forward)).toEqual({ ...words(), "(root)": "same", kept: "same" });
    expect(mattering(forward)).toEqual(["(root)", "kept", "frozen", "added", "removed", "renamed", "retyped"]);
  });

  it("is a change where one report alone has the phase", () => {
    expect(words(backward)).toEqual(words());
    expect(mattering(backward)).toEqual(["(root)", "kept"]);
    expect(words(optimizer)).toEqual({ ...words(), kept: "same" });
    expect(mattering(optimizer)).toEqual(["(root)"]);
  });
});

describe("where there is nothing to draw, the page says", () => {
  const data = page();
  const tree = new Tree(data);
  const [blocks, , backward, optimizer] = pairsOf(tree.runs);
  const changes = new Changes(tree, data);
  const looked = (name: string, pair = blocks!, metric = "flops") => ({
    tree,
    changes,
    pair,
    node: tree.find(name)!,
    metric,
  });

  it("that a module is in one report alone", () => {
    expect(whyNone(looked("added"), "old")).toBe("added is not in the old report.");
    expect(whyNone(looked("removed"), "new")).toBe("removed is not in the new report.");
  });

  it("that a phase is in one report alone", () => {
    expect(whyNone(looked("kept", backward), "old")).toBe("The old report has no backward.");
    expect(whyNone(looked("", optimizer), "new")).toBe("The new report has no optimizer.");
  });

  it("that one side has none of the figure", () => {
    expect(whyNone(looked("kept", blocks, "params"), "new")).toBe("kept has no Params in the new report.");
    expect(whyNone(looked("", backward, "params"), "new")).toBe("(root) has no Params of backward in the new report.");
  });

  it("which other figure there is", () => {
    expect(whyEmpty(looked("kept", blocks, "params"))).toBe(
      "kept has no Params in either report. It has FLOPs: choose them as the area.",
    );
    expect(whyEmpty(looked("frozen", backward))).toBe(
      "The old report has no backward. frozen has no FLOPs of backward in either report.",
    );
    expect(whyEmpty(looked("idle"))).toBe(
      "idle has no FLOPs in either report. It has Params: choose them as the area.",
    );
  });

  it("no figure of modules where a phase has none of its own", () => {
    const [, forward] = pairsOf(tree.runs);
    expect(whyEmpty(looked("idle", forward))).toBe("idle has no FLOPs of forward in either report.");
  });
});

describe("the pairs of a page", () => {
  const pairs = pairsOf(new Tree(page()).runs);

  it("say which of the reports has the phase", () => {
    expect(pairs.map(choiceOf)).toEqual(["Whole block", "forward", "backward (new only)", "optimizer (old only)"]);
    expect(pairs.map(({ old, new: now }) => [isMissing(old), isMissing(now)])).toEqual([
      [false, false],
      [false, false],
      [true, false],
      [false, true],
    ]);
  });

  it("name their phase in a sentence", () => {
    expect(pairs.map(ofPhase)).toEqual(["", " of forward", " of backward", " of optimizer"]);
    expect(pairs.map(missing)).toEqual(["", "", "The old report has no backward.", "The new report has no optimizer."]);
  });

  it("of blocks in which nothing ran are no missing phases", () => {
    const empty = page();
    empty.runs = [run("Whole block", null, {}), run("Whole block", null, {})];
    const [blocks] = pairsOf(new Tree(empty).runs);
    expect([blocks!.old, blocks!.new].map(isMissing)).toEqual([false, false]);
    expect(choiceOf(blocks!)).toBe("Whole block");
  });
});
