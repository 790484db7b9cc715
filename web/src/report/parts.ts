/** The parts of the page that do not follow the selection: what was run, problems, totals, groups, words. */
import type { Run } from "../model/run.ts";
import type { Tree } from "../model/tree.ts";
import type { GroupRow, RanksData, ReportPage } from "../model/payload.ts";
import { rankTroubles } from "../ranks/views.ts";
import { byId, chip, el } from "../shared/dom.ts";
import { figureColumn, inOrder, isMain, shareColumn, YIELDING } from "../model/figures.ts";
import { date, exact, human, plural, type Figure } from "../shared/numbers.ts";
import { longest } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { wholeBlock } from "./words.ts";

export const showLabels = ({ meta, convention, title, ranks }: ReportPage): void => {
  const facts = new Map([
    ...(ranks ? [["ranks", rankCount(ranks)] as [string, string]] : []),
    ["convention", convention.name],
    ...meta.labels.filter(
      ([label, value]) => (label !== "model" || value !== title) && !(ranks && label === "world_size"),
    ),
  ]);
  // What the user says of the run goes before what was seen of it.
  const seen = (label: string, value: string): void => void (value && !facts.has(label) && facts.set(label, value));
  if (meta.model !== title) seen("class", meta.model);
  if (meta.training !== null) seen("mode", meta.training ? "train" : "eval");
  seen("device", meta.devices.join(", "));
  seen("dtype", meta.dtypes.join(", "));
  if (meta.created) seen("run", date(meta.created));
  byId("labels").replaceChildren(...[...facts].map(([label, value]) => chip(label, value)));
  byId("footer").textContent = `dispatchcount ${meta.dispatchcount} · torch ${meta.torch} · Python ${meta.python}`;
};

const rankCount = ({ rank, world }: RanksData): string =>
  rank.length === world ? exact(world) : `${exact(rank.length)} of ${exact(world)}`;

export const showIssues = ({ issues, meta, ranks }: ReportPage): void => {
  const section = byId("issues");
  const lines = issues.map((issue) => {
    const where = issue.modules.map((name) => name || "(root)");
    const details = el(
      "details",
      {},
      el("summary", {}, `${plural(where.length, "module")}, ${plural(issue.shapes.length, "shape")}`),
    );
    details.append(
      el("p", {}, `In: ${where.join(", ")}`),
      ...issue.shapes.map((shape) => el("p", { class: "mono" }, shape)),
    );
    const calls = `${exact(issue.calls)} ${Number(issue.calls) === 1 ? "call" : "calls"}`;
    return el(
      "li",
      {},
      el("span", { class: `badge ${issue.status}` }, issue.status),
      " ",
      el("b", { class: "mono" }, issue.op),
      ` ${calls}, ${human(issue.nbytes, "bytes")} moved: ${issue.message}`,
      details,
    );
  });
  if (ranks) lines.unshift(...rankTroubles(ranks).map((text) => el("li", {}, text)));
  else if (meta.stopped_in !== null)
    lines.unshift(
      el(
        "li",
        {},
        `The block stopped in ${meta.stopped_in || "(root)"}: ${meta.error}. The figures are those up to there.`,
      ),
    );
  section.hidden = !lines.length;
  const title = issues.length
    ? `${plural(issues.length, "operator")} could not be counted: the totals are too small`
    : ranks
      ? ranks.planned
        ? "Not all ranks were planned"
        : "Not all ranks are there to the end"
      : "The run did not end";
  section.replaceChildren(el("h2", { id: "issues-title" }, title), el("ul", {}, ...lines));
};

/** The figures of a run: `name` says which, "" for the whole block. */
export const showTotals = (page: ReportPage, tree: Tree, run: Run, name: string, go: (name: string) => void): void => {
  const { metrics, convention, memory } = page;
  const card = (value: string, label: string | HTMLElement, title: string, first = false): HTMLElement =>
    el("div", { class: first ? "total first" : "total", title }, el("b", {}, value), el("span", {}, label));
  const cards = metrics
    .filter(({ key }) => isMain(key) && !key.startsWith("memory_"))
    .map(({ key, label, kind, help, estimable }, i) => {
      const value = tree.total(tree.top, key, run);
      // A run that has a name is one rank, or a phase or a sample of all of them.
      const of = name || (page.ranks ? plural(page.ranks.rank.length, "rank") : "");
      const unit = key === "flops" ? `FLOPs${of && ` of ${of}`} (${convention.name}): ${convention.unit}` : label;
      const mark = !estimable ? "" : page.gap ? "≥ " : page.estimate ? "≈ " : "";
      return card(mark + human(value, kind), unit, `${exact(value)}: ${help}`, i === 0);
    });
  if (!name) cards.push(card(human(page.calls), "Operator calls", exact(page.calls)));
  if (memory && !name) {
    const place = el(
      "button",
      { type: "button", class: "link", onclick: () => go(memory.module) },
      memory.module || "(root)",
    );
    cards.push(
      card(
        human(memory.peak, "bytes"),
        el("span", {}, "Peak memory, in ", place),
        `${exact(memory.peak)} bytes${memory.operator ? ` at ${memory.operator}` : ""}`,
      ),
    );
  }
  const rest = el("div", { class: "rest" }, ...cards.slice(1));
  byId("totals").replaceChildren(cards[0]!, rest);
  balance(rest);
};

const CARD = { width: 126, gap: 12 }; // pixels: the least width, and what lies between two, as in report.css

/** As many cards in each row as the last row can nearly fill, so that none stands there alone. */
const balance = (rest: HTMLElement): void => {
  const fill = (): void => {
    const room = Math.max(1, Math.floor((rest.clientWidth + CARD.gap) / (CARD.width + CARD.gap)));
    const rows = Math.ceil(rest.childElementCount / room);
    rest.style.setProperty("--columns", String(Math.ceil(rest.childElementCount / rows)));
  };
  fill();
  new ResizeObserver(fill).observe(rest);
};

/** Tables of what phases, dtypes and devices did, where there are several. */
export const showGroups = (
  { groups, metrics }: ReportPage,
  tree: Tree,
  digits: HTMLInputElement,
): Table<GroupRow>[] => {
  const shown = inOrder(metrics).filter(({ key, additive }) => additive && isMain(key) && key !== "macs");
  return groups
    .filter((group) => group.rows.length > 1)
    .map(({ title, label, rows }) => {
      const id = `group-${title.toLowerCase()}`;
      const section = el("section", { class: "panel", "aria-labelledby": `${id}-title` });
      byId("groups").append(section);
      const value = (row: GroupRow, key: string): Figure => BigInt(row.values[key]!);
      const most = (key: string): Figure => rows.reduce((sum, row) => sum + BigInt(row.values[key]!), 0n);
      const whole = most("flops");
      const figures = { value, digits: () => digits.checked, most };
      const share = shareColumn<GroupRow>({
        help: "Share of the whole block's FLOPs",
        value: (row) => value(row, "flops"),
        whole: () => whole,
        head: () => "of FLOPs",
      });
      const table = new Table<GroupRow>({
        section,
        id,
        title: title + wholeBlock(tree),
        noun: "row",
        of: title.toLowerCase(),
        few: true,
        columns: [
          {
            key: "name",
            label,
            fixed: true,
            value: ({ name }) => name,
            text: ({ name }) => name || "(none)",
            tip: ({ name }) => name,
            room: () => longest(rows.map(({ name }) => name)),
          },
          share,
          ...shown.map((metric) => figureColumn<GroupRow>(metric, figures)),
        ],
        yielding: YIELDING,
      });
      table.show(rows);
      return table;
    });
};

const MOST_NAMES = 200;

export const showWords = (page: ReportPage, tree: Tree): void => {
  const { convention, metrics, meta, rows, operators } = page;
  const list = el("dl", { class: "words" });
  const word = (name: string, text: string): void => list.append(el("dt", {}, name), el("dd", {}, text));
  word("Convention", `${convention.name}: ${convention.unit}.`);
  for (const { label, help } of metrics) word(label, help);
  word(
    "Share",
    "Of the whole block, for the figure chosen above the chart. A module's figures include those of the modules below it.",
  );
  if (rows.folds.members.length)
    word("×", "Equal siblings stand as one, with the sum of their figures. “open” in the table shows them one by one.");
  word(
    "Colours",
    "By part: what a module is for, as far as its name and class tell. What a part holds has its colour.",
  );
  if (page.gap) word("≥", "Operators that could not be counted are missing from the total.");
  if (page.estimate) word("≈", "The figure contains a published estimate of an iterative or data-dependent operator.");
  const zero = operators.name.filter((_, i) => operators.status[i] === "zero");
  if (zero.length) word("Zero by definition", zero.join(", "));
  const { uncalled } = rows;
  if (uncalled.length)
    word(
      "Never called",
      uncalled
        .slice(0, MOST_NAMES)
        .map((row) => tree.nameOf(row))
        .join(", ") + (uncalled.length > MOST_NAMES ? ` and ${uncalled.length - MOST_NAMES} more` : ""),
    );
  for (const note of meta.notes) word("Note", note);
  byId("words").replaceChildren(
    el("header", { class: "head" }, el("h2", { id: "words-title" }, "What the words mean")),
    list,
  );
};
