/** Nodes of a tree for the tests of charts. */
import type { Node } from "../src/model/tree.ts";

export const node = (label: string, above: Node | null): Node => ({
  rows: [0],
  times: 1,
  label,
  whole: false,
  above,
  depth: above ? above.depth + 1 : 0,
});
