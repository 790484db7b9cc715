/** The cell of a module's name in a table that is a tree, or a flat list of full names. */
import { el } from "../shared/dom.ts";
import { nameOf } from "../shared/visible.ts";
import type { Node, Tree } from "./tree.ts";

export interface NameOptions {
  tree: Tree;
  /** True where rows stand alone, so that each needs its full name. */
  flat: boolean;
  /** Levels below the first row. */
  indent: number;
  /** True or false for a branch that is open or closed. */
  open: boolean;
  expand: ((open: boolean) => void) | null;
  select: () => void;
  unfold: () => void;
}

const STEP = { wide: 14, narrow: 7 }; // pixels
const DEEPEST = 10;

export const paintName = (
  cell: HTMLElement,
  node: Node,
  { tree, flat, indent, open, expand, select, unfold }: NameOptions,
): void => {
  const path = tree.path(node);
  const label = nameOf(node.label);
  cell.classList.add("name", "mono");
  if (!flat) {
    cell.style.paddingLeft = `${6 + (innerWidth <= 640 ? STEP.narrow : STEP.wide) * Math.min(DEEPEST, indent)}px`;
    const mark = open ? "▾" : "▸";
    const turn = el(
      "button",
      {
        type: "button",
        class: "turn",
        tabindex: -1,
        "aria-expanded": String(open),
        "aria-label": `${open ? "Collapse" : "Expand"} ${path}`,
        onclick: () => expand?.(!open),
      },
      mark,
    );
    cell.append(expand && tree.under(node).length ? turn : el("span", { class: "turn", "aria-hidden": "true" }));
  }
  const before = flat && path.endsWith(label) ? path.slice(0, path.length - label.length) : "";
  const name = el("span", { class: "last" }, flat && node.times === 1 ? label : tree.title(node));
  cell.append(
    el(
      "button",
      { type: "button", "data-main": true, title: path, onclick: select },
      before ? el("span", { class: "above" }, before) : null,
      name,
    ),
  );
  if (node.times < 2) return;
  const all = `Show the ${node.times} of ${path} one by one`;
  cell.append(
    el(
      "button",
      {
        type: "button",
        class: "badge unfold",
        tabindex: -1,
        "aria-label": all,
        title: "Show them one by one",
        onclick: unfold,
      },
      "open",
    ),
  );
};
