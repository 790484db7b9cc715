/** The parts of the page that do not follow the selection: the two reports, what they lack, the totals. */
import type { Run } from "../model/run.ts";
import type { Tree } from "../model/tree.ts";
import { byId, chip, el } from "../shared/dom.ts";
import { date, exact, growth, human } from "../shared/numbers.ts";
import { signed } from "./figures.ts";
import type { DiffPage, Side } from "./page.ts";

const named = ({ labels, model, created }: Side): string => {
  const facts = new Map(labels);
  const shown = [facts.get("model") ?? model, facts.get("commit"), created ? date(created) : ""];
  return shown.filter(Boolean).join(", ");
};

export const showSides = ({ convention, sides }: DiffPage): void => {
  const [old, now] = sides;
  byId("labels").replaceChildren(chip("convention", convention.name), chip("old", named(old)), chip("new", named(now)));
  byId("footer").textContent = `FLOPs: ${convention.unit}. Made by dispatchcount.`;
  const lines: string[] = [];
  for (const [which, side] of [
    ["old", old],
    ["new", now],
  ] as const) {
    if (side.gap) lines.push(`Operators of the ${which} report could not be counted: its totals are too small.`);
    if (side.stopped !== null)
      lines.push(`The ${which} run stopped in ${side.stopped || "(root)"}: its figures go up to there.`);
  }
  const known = new Set(old.issues);
  const fresh = now.issues.filter((issue) => !known.has(issue));
  if (fresh.length) lines.push(`Not counted, new: ${fresh.join(", ")}`);
  const title = el("h2", { id: "issues-title" }, "Not all of it can be compared");
  byId("issues").hidden = !lines.length;
  byId("issues").replaceChildren(title, el("ul", {}, ...lines.map((line) => el("li", {}, line))));
};

/** The totals of both reports, each with its change. */
export const showTotals = (tree: Tree, old: Run, now: Run): void => {
  const titles = ["Total", "Old", "New", "Change", "%"];
  const head = titles.map((label, i) => el("th", { scope: "col", class: i ? "num" : null }, label));
  const lines = tree.metrics.map(({ key, label, kind, help }) => {
    const [before, after] = [tree.total(tree.top, key, old), tree.total(tree.top, key, now)];
    const way = after > before ? "num up" : after < before ? "num down" : "num zero";
    return el(
      "tr",
      {},
      el("th", { scope: "row", title: help }, label),
      el("td", { class: "num", title: exact(before) }, human(before, kind)),
      el("td", { class: "num", title: exact(after) }, human(after, kind)),
      el("td", { class: way }, signed(before, after, kind)),
      el("td", { class: way }, growth(before, after)),
    );
  });
  const rows = [el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines)];
  const table = el("table", { "aria-labelledby": "totals-title" }, ...rows);
  const box = el("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": "Table of totals" }, table);
  const heading = el("header", { class: "head" }, el("h2", { id: "totals-title" }, "Totals"));
  byId("totals").replaceChildren(heading, box);
};
