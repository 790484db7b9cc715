/** The parts of the page that stay as they are: the two reports, and what they lack. */
import { byId, chip, el } from "../shared/dom.ts";
import { date } from "../shared/numbers.ts";
import type { DiffPage, Side } from "./page.ts";

const named = ({ labels, model, created }: Side): string => {
  const facts = new Map(labels);
  const shown = [facts.get("model") ?? model, facts.get("commit"), created ? date(created) : ""];
  return shown.filter(Boolean).join(", ");
};

export const showSides = ({ convention, sides, uncompared }: DiffPage): void => {
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
  lines.push(...uncompared.map((sentence) => `Not compared: ${sentence}.`));
  const title = el("h2", { id: "issues-title" }, "Not all of it can be compared");
  byId("issues").hidden = !lines.length;
  byId("issues").replaceChildren(title, el("ul", {}, ...lines.map((line) => el("li", {}, line))));
};
