/** Which modules a heat map has rows for, and which ranks share a cell. */
import type { Node, Tree } from "../model/tree.ts";

/**
 * The node and what is below it, level by level, as far as `most` rows go.
 *
 * A level that does not fit is left out whole, but of the first one the biggest stay. Nodes of no size have no row.
 */
export const heatRows = (
  tree: Pick<Tree, "under">,
  from: Node,
  size: (node: Node) => number,
  most: number,
): { nodes: Node[]; hidden: number } => {
  const kept = new Set([from]);
  let level = [from];
  let hidden = 0;
  for (;;) {
    const next = level.flatMap((node) => tree.under(node)).filter((node) => size(node) > 0);
    const room = most - kept.size;
    if (!next.length) break;
    if (next.length > room) {
      if (level[0] !== from) break;
      const biggest = [...next].sort((a, b) => size(b) - size(a)).slice(0, room);
      for (const node of biggest) kept.add(node);
      hidden = next.length - room;
      break;
    }
    for (const node of next) kept.add(node);
    level = next;
  }
  const nodes: Node[] = [];
  const stack = [from];
  while (stack.length) {
    const node = stack.pop()!;
    nodes.push(node);
    const under = tree.under(node).filter((one) => kept.has(one));
    for (let i = under.length - 1; i >= 0; i -= 1) stack.push(under[i]!);
  }
  return { nodes, hidden };
};

/** `count` ranks in at most `most` cells, each of as many ranks as the others but for the last: [from, to) of each. */
export const cellsOf = (count: number, most: number): (readonly [from: number, to: number])[] => {
  const each = Math.max(1, Math.ceil(count / Math.max(1, most)));
  return Array.from(
    { length: Math.ceil(count / each) },
    (_, i) => [i * each, Math.min(count, (i + 1) * each)] as const,
  );
};
