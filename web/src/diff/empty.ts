/** Why there is nothing to draw, in words. */
import type { Node, Tree } from "../model/tree.ts";
import { visible } from "../shared/visible.ts";
import type { Changes } from "./changes.ts";
import { isMissing, missing, ofPhase, type Pair, type Which } from "./pairs.ts";

export interface Looked {
  tree: Tree;
  changes: Changes;
  pair: Pair;
  node: Node;
  /** The figure that areas stand for. */
  metric: string;
}

const nothing = ({ tree, pair, node, metric }: Looked): string =>
  `${tree.path(node)} has no ${tree.metric(metric).label}${ofPhase(pair)}`;

/** Why one side has nothing to draw, where the other side has. */
export const whyNone = (looked: Looked, which: Which): string => {
  const { tree, changes, pair, node } = looked;
  if (isMissing(pair[which])) return missing(pair);
  const report = `the ${which} report`;
  const became = tree.isBlock(node) ? "" : changes.of(node, pair);
  const there = became !== (which === "old" ? "added" : "removed");
  return visible(there ? `${nothing(looked)} in ${report}.` : `${tree.path(node)} is not in ${report}.`);
};

/** Why neither side has anything to draw, and which figure there is to draw instead: in a phase, one of its own. */
export const whyEmpty = (looked: Looked): string => {
  const { tree, pair, node } = looked;
  const other = tree.metrics.find(
    ({ key, additive }) =>
      (additive || !pair.phase) && [pair.old, pair.new].some((run) => Number(tree.total(node, key, run)) > 0),
  );
  const instead = other ? `It has ${other.label}: choose them as the area.` : "";
  return [missing(pair), visible(`${nothing(looked)} in either report.`), instead].filter(Boolean).join(" ");
};
