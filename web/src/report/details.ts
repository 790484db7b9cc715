/** The selected module: what it is, how it was called. */
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { exact, part, percent, type Figure } from "../shared/numbers.ts";
import { Table } from "../shared/table/table.ts";
import { figureColumn, inOrder, inWords, isMain } from "../model/figures.ts";
import { wholeBlock } from "./words.ts";
import { visible } from "../shared/visible.ts";

export const showChosen = (tree: Tree, node: Node, run: Run, key: string): void => {
  const metric = tree.metric(key);
  const extra = tree.extra(node);
  const value = tree.total(node, key, run);
  const figure = `${inWords(value, metric)}, ${percent(part(value, tree.total(tree.top, key, run)))} of the whole`;
  const calls = tree.calls(node, run);
  const times = `${exact(calls)} ${Number(calls) === 1 ? "time" : "times"}`;
  const called =
    tree.isBlock(node) || run.data.kind === "phase"
      ? ""
      : tree.has(node, "uncalled")
        ? " Never called."
        : ` Called ${times}.`;
  const aliases = tree.aliases(node);
  const also = aliases.length ? ` Also called ${aliases.join(", ")}.` : "";
  byId("chosen").replaceChildren(
    el("b", {}, tree.type(node) + (extra ? `(${extra})` : "")),
    ` ${figure}.${called}${also}`,
  );
};

interface Call {
  text: string;
  calls: number;
  /** The lines of its figures; none where they are the module's own. */
  lines: number[];
}

/** The calls of the selected module by the shapes of its inputs. */
export class Calls {
  private readonly table: Table<Call>;
  private readonly byRow = new Map<number, number[]>();
  private node: Node;

  constructor(
    private readonly page: ReportPage,
    private readonly tree: Tree,
    digits: HTMLInputElement,
  ) {
    page.signatures.row.forEach((row, i) => {
      const found = this.byRow.get(row);
      if (found) found.push(i);
      else this.byRow.set(row, [i]);
    });
    this.node = tree.top;
    const figures = {
      value: ({ lines }: Call, key: string): Figure =>
        lines.length
          ? lines.reduce((sum, line) => sum + BigInt(page.figures[key]![line]!), 0n)
          : tree.total(this.node, key, tree.runs[0]!),
      digits: () => digits.checked,
      most: (key: string) => tree.total(tree.top, key, tree.runs[0]!),
    };
    const shown = inOrder(page.metrics).filter(
      ({ key, additive, elementwise }) => additive && isMain(key) && !elementwise && key !== "macs",
    );
    this.table = new Table<Call>({
      section: byId("calls"),
      id: "calls",
      title: `Calls${wholeBlock(tree)}`,
      noun: "shape of inputs",
      plural: "shapes of inputs",
      columns: [
        {
          key: "text",
          label: "Inputs",
          fixed: true,
          value: ({ text }) => text,
          text: ({ text }) => text || "(no tensor)",
          tip: ({ text }) => text,
          search: true,
          paint: (cell, { text }) => {
            cell.classList.add("mono");
            cell.textContent = visible(text) || "(no tensor)";
          },
        },
        {
          key: "calls",
          label: "Calls",
          num: true,
          value: ({ calls }) => calls,
          text: ({ calls }) => exact(calls),
          room: () => "1,000,000",
        },
        ...shown.map((metric) => figureColumn<Call>(metric, figures)),
      ],
    });
  }

  /** Calls of a node; those of the modules that it folds together. */
  show(node: Node): void {
    this.node = node;
    const { text, calls, line, texts } = this.page.signatures;
    const found = new Map<string, Call>();
    for (const row of this.tree.isBlock(node) ? [] : node.rows) {
      for (const i of this.byRow.get(row) ?? []) {
        const shape = texts[text[i]!]!;
        const call = found.get(shape) ?? { text: shape, calls: 0, lines: [] };
        call.calls += Number(calls[i]);
        if (line[i]! >= 0) call.lines.push(line[i]!);
        found.set(shape, call);
      }
    }
    byId("calls").hidden = !found.size;
    this.table.show([...found.values()].sort((a, b) => b.calls - a.calls));
  }

  measure(): void {
    this.table.measure();
  }
}
