import { expect, it } from "vitest";
import type { Node, Tree } from "../src/model/tree.ts";
import { Branches } from "../src/report/branches.ts";

/** A tree in which every node down to `depth` has `each` nodes right below it. */
const tree = (each: number, depth: number): { tree: Tree; top: Node } => {
  let rows = 0;
  const known = new Map<Node, Node[]>();
  const make = (above: Node | null): Node => {
    const at = above ? above.depth + 1 : 0;
    const node = { rows: [rows], times: 1, label: `${rows}`, whole: false, above, depth: at };
    rows += 1;
    known.set(node, at < depth ? Array.from({ length: each }, () => make(node)) : []);
    return node;
  };
  const top = make(null);
  const part = { under: (node: Node) => known.get(node)!, isBlock: () => false };
  return { tree: part as unknown as Tree, top };
};
const labels = (nodes: Node[]): string[] => nodes.map(({ label }) => label);

it("opens as many levels as a reader can look over", () => {
  // 1 + 3 + 9 + 27 = 40 rows are fewer than 120; 81 more would be too many.
  const { tree: small, top } = tree(3, 3);
  expect(new Branches(small).visible(top)).toHaveLength(40);
  const large = tree(3, 5);
  expect(new Branches(large.tree).visible(large.top)).toHaveLength(40);
});

it("opens one level however many rows it has", () => {
  const { tree: wide, top } = tree(200, 2);
  expect(new Branches(wide).visible(top)).toHaveLength(1 + 200);
});

it("keeps what the reader opened and closed, until all are opened or closed", () => {
  const { tree: small, top } = tree(2, 2);
  const branches = new Branches(small);
  expect(labels(branches.visible(top))).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  const [first, second] = small.under(top);
  branches.set(first!, false);
  expect(labels(branches.visible(top))).toEqual(["0", "1", "4", "5", "6"]);
  branches.set(first!, true);
  branches.set(second!, false);
  expect(labels(branches.visible(top))).toEqual(["0", "1", "2", "3", "4"]);
  branches.setAll(false);
  expect(labels(branches.visible(top))).toEqual(["0", "1", "4"]);
  branches.setAll(true);
  expect(branches.visible(top)).toHaveLength(7);
});
