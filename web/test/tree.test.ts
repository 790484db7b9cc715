import { describe, expect, it } from "vitest";
import type { TreeData } from "../src/model/payload.ts";
import { Tree, type Node } from "../src/model/tree.ts";

/** root → layers (a list) → 0, 1, 2 that are alike → mlp; and a head. Own FLOPs: 5 in each mlp, 7 in the head. */
const data = (big = 0n): TreeData => ({
  metrics: [
    { key: "flops", label: "FLOPs", kind: "count", help: "", estimable: true, elementwise: false, additive: true },
    { key: "params", label: "Params", kind: "count", help: "", estimable: false, elementwise: false, additive: false },
  ],
  rows: {
    name: ["", "layers", "0", "mlp", "1", "mlp", "2", "mlp", "head"],
    parent: [-1, 0, 1, 2, 1, 4, 1, 6, 0],
    type: [0, 1, 2, 3, 2, 3, 2, 3, 4],
    types: ["Net", "ModuleList", "Layer", "MLP", "Linear"],
    extra: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    extras: [""],
    role: [1, 1, 1, 0, 1, 0, 1, 0, 1],
    roles: ["MLP", "other"],
    aliases: {},
    whole: [0],
    uncalled: [8],
    estimate: [],
    gap: [],
    container: [1],
    folds: { members: [[2, 4, 6]], label: ["0–2"], merged: [1] },
  },
  figures: { calls: [1, 2], flops: [5, big ? String(big) : 7] },
  operators: { name: ["aten.mm"], status: ["counted"] },
  collectives: null,
  runs: [
    {
      label: "Whole block",
      kind: "block",
      base: null,
      modules: {
        row: [0, 1, 2, 3, 4, 5, 6, 7, 8],
        calls: [0, 0, 0, 1, 0, 1, 0, 1, 1],
        held: { params: [0, 0, 0, 2, 0, 2, 0, 2, 3] },
      },
      done: { runs: [1, 2] },
      collectives: null,
    },
    {
      label: "forward",
      kind: "phase",
      base: 0,
      modules: null,
      done: { row: [3], line: [0], operator: [0] },
      collectives: null,
    },
    {
      label: "backward",
      kind: "phase",
      base: 0,
      modules: null,
      done: { row: [5, 7, 8], line: [0, 0, 1], operator: [0, 0, 0] },
      collectives: null,
    },
  ],
});

describe("a folded tree", () => {
  const tree = new Tree(data());
  const [run] = tree.runs;
  const [layers, head] = tree.under(tree.top);

  it("shows equal siblings as one, under one name with a container of nothing else", () => {
    expect([layers!, head!].map((node) => tree.title(node))).toEqual(["layers.0–2 ×3", "head"]);
    expect(tree.path(layers!)).toBe("layers.0–2");
    expect(tree.under(layers!).map((node) => tree.path(node))).toEqual(["layers.0–2.mlp"]);
  });

  it("adds up what it folds", () => {
    expect(tree.total(layers!, "flops", run!)).toBe(15);
    expect(tree.total(tree.top, "flops", run!)).toBe(15 + 7);
    expect(tree.calls(tree.under(layers!)[0]!, run!)).toBe(3);
    expect(tree.operators(layers!, run!)).toEqual([
      { name: "aten.mm", status: "counted", calls: 3n, values: new Map([["flops", 15n]]) },
    ]);
  });

  it("takes what belongs to modules from the block, in every phase", () => {
    const phase = tree.runs[1]!;
    expect(tree.total(tree.top, "flops", phase)).toBe(5);
    expect(tree.total(tree.top, "params", phase)).toBe(3 * 2 + 3);
    expect([...phase.touched]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0]);
  });

  it("finds a node by the name of a module, or by the path of a fold", () => {
    expect(tree.find("layers.0–2.mlp")).toBe(tree.under(layers!)[0]);
    expect(tree.find("nothing")).toBeNull();
    expect(tree.find("layers")).toBe(layers);
  });
});

describe("a fold that opens", () => {
  it("shows its modules one by one, and folds again", () => {
    const tree = new Tree(data());
    tree.open(tree.under(tree.top)[0]!);
    const [list] = tree.under(tree.top);
    expect(tree.title(list!)).toBe("layers");
    expect(tree.under(list!).map((node) => tree.path(node))).toEqual(["layers.0", "layers.1", "layers.2"]);
    expect(tree.isOpened(tree.under(list!)[0]!)).toBe(true);
    tree.close(tree.under(list!)[1]!);
    expect(tree.under(tree.top).map((node) => tree.title(node))).toEqual(["layers.0–2 ×3", "head"]);
  });

  it("opens for a link to one of its modules", () => {
    const tree = new Tree(data());
    expect(tree.path(tree.find("layers.1.mlp")!)).toBe("layers.1.mlp");
    expect(tree.openedRows()).toEqual([2]);
  });

  it("is not there while nothing is folded", () => {
    const tree = new Tree(data());
    tree.setFolds(false);
    expect(tree.all(tree.top)).toHaveLength(9);
  });
});

it("adds up exactly what no double holds", () => {
  const big = 10n ** 30n + 1n;
  const tree = new Tree(data(big));
  expect(tree.total(tree.top, "flops", tree.runs[0]!)).toBe(big + 15n);
});

it("puts several roots below a node of their own", () => {
  const several = data();
  several.rows.parent = several.rows.parent.map((above, row) => (row === 8 ? -1 : above));
  const tree = new Tree(several);
  expect(tree.path(tree.top)).toBe("Everything");
  expect(tree.under(tree.top)).toHaveLength(2);
  expect(tree.total(tree.top, "flops", tree.runs[0]!)).toBe(22);
});

it("draws the block only where several roots have the figure", () => {
  const several = data();
  several.rows.parent = several.rows.parent.map((above, row) => (row === 8 ? -1 : above));
  const tree = new Tree(several);
  const [model, head] = tree.under(tree.top) as [Node, Node];
  const layers = tree.under(model)[0]!;
  const everywhere = (): number => 1;
  const inModel = (node: Node): number => (node === head ? 0 : 1);
  expect(tree.drawnTrail(tree.top, everywhere)).toEqual([tree.top]);
  expect(tree.drawnTrail(layers, everywhere)).toEqual([tree.top, model, layers]);
  expect(tree.drawnTrail(tree.top, inModel)).toEqual([model]);
  expect(tree.drawnTrail(layers, inModel)).toEqual([model, layers]);
  expect(tree.drawnTrail(tree.top, () => 0)).toEqual([tree.top]);
  const one = new Tree(data());
  expect(one.drawnTrail(one.top, everywhere)).toEqual([one.top]); // a model alone has no block above it
});

it("closes nothing where no fold was opened", () => {
  const tree = new Tree(data());
  expect(tree.close(tree.under(tree.top)[1]!)).toBe(false);
  expect(tree.openedRows()).toEqual([]);
});

it("shows where a row stands without opening the fold that it stands in", () => {
  const tree = new Tree(data());
  expect(tree.path(tree.shownNode(5))).toBe("layers.0–2.mlp"); // layers.1.mlp
  expect(tree.path(tree.shownNode(8))).toBe("head");
  expect(tree.openedRows()).toEqual([]);
});

it("a link finds again what its address tells", () => {
  const several = data();
  several.rows.parent = several.rows.parent.map((above, row) => (row === 8 ? -1 : above));
  for (const tree of [new Tree(data()), new Tree(several)])
    for (const node of [tree.top, ...tree.all(tree.top)]) {
      const address = tree.address(node);
      if (node === tree.top) expect(address).toBe("");
      else expect(tree.find(address)).toBe(node);
    }
  expect(new Tree(several).find("Everything")!.rows).toEqual([0, 8]);
});

it("what stands for no module has no class, no part and no figures of its own", () => {
  const several = data();
  several.rows.parent = several.rows.parent.map((above, row) => (row === 8 ? -1 : above));
  several.rows.aliases = { 8: ["tied"] };
  const tree = new Tree(several);
  const [run] = tree.runs;
  const top = tree.top;
  expect([tree.type(top), tree.extra(top), tree.role(top), tree.aliases(top)]).toEqual(["", "", "other", []]);
  expect([tree.own(top, "flops", run!), tree.calls(top, run!), tree.ownOperators(top, run!)]).toEqual([0, 0, []]);
  const head = tree.under(top)[1]!;
  expect([tree.type(head), tree.role(head), tree.aliases(head)]).toEqual(["Linear", "other", ["tied"]]);
  expect([tree.own(head, "flops", run!), tree.has(head, "uncalled")]).toEqual([7, true]);
});
