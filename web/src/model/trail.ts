import { byId, el } from "../shared/dom.ts";
import type { Node, Tree } from "./tree.ts";

const MOST_CRUMBS = 10;

/** The way from the top to the selected node, in the element #trail. */
export const showTrail = (tree: Tree, node: Node, select: (node: Node) => void): void => {
  const all = tree.trail(node);
  const shown = all.length > MOST_CRUMBS ? [all[0]!, ...all.slice(2 - MOST_CRUMBS)] : all;
  const crumbs = shown.flatMap((one, i) => {
    const button = el(
      "button",
      {
        type: "button",
        title: tree.path(one),
        "aria-current": one === node ? "true" : null,
        onclick: () => select(one),
      },
      tree.title(one),
    );
    return i
      ? [el("span", { "aria-hidden": "true" }, i === 1 && shown.length < all.length ? "› … ›" : "›"), button]
      : [button];
  });
  byId("trail").replaceChildren(...crumbs);
};
