/** The table of what operators did in the selected module and below it. */
import type { OperatorSum, Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { exact, human, type Figure } from "../shared/numbers.ts";
import { nameColumn, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { figureColumn, inOrder, isMain, shareColumn, YIELDING } from "../model/figures.ts";

export class OperatorTable {
  private readonly table: Table<OperatorSum>;

  constructor(
    private readonly tree: Tree,
    private readonly run: () => Run,
    metric: () => string,
    digits: HTMLInputElement,
    /** The pointer or the focus is on an operator, or on none. */
    hover: (name: string | null) => void,
  ) {
    const metrics = tree.metrics.filter(({ additive }) => additive);
    const whole = (key: string): Figure => tree.total(tree.top, key, run());
    // Parameters and memory belong to modules: beside those, operators are told by their FLOPs.
    const shared = (): string => (tree.metric(metric()).additive ? metric() : "flops");
    const figures = {
      value: (row: OperatorSum, key: string) => row.values.get(key) ?? null,
      digits: () => digits.checked,
      most: whole,
    };
    const columns: Column<OperatorSum>[] = [
      nameColumn("Operator"),
      shareColumn<OperatorSum>({
        value: (row) => row.values.get(shared()) ?? 0n,
        whole: () => whole(shared()),
        head: () => `of ${tree.metric(shared()).label}`,
      }),
      ...inOrder(metrics).map((one) => ({ ...figureColumn<OperatorSum>(one, figures), hidden: !isMain(one.key) })),
      {
        key: "calls",
        label: "Calls",
        num: true,
        value: ({ calls }) => calls,
        text: ({ calls }) => (digits.checked ? exact(calls) : human(calls)),
        tip: ({ calls }) => exact(calls),
        room: () => "1,000,000",
      },
      {
        key: "status",
        label: "Status",
        value: ({ status }) => status,
        text: ({ status }) => status,
        search: true,
        room: () => "counted",
        extra: 18,
        paint: (cell, { status }) => void cell.append(el("span", { class: `badge ${status}` }, status)),
      },
    ];
    this.table = new Table<OperatorSum>({
      section: byId("operators"),
      id: "operators",
      title: "Operators",
      noun: "operator",
      sort: { key: "share", down: true },
      columns,
      yielding: YIELDING,
      hover: (row) => hover(row?.name ?? null),
      empty: () => {
        if (run().hasOperators) return this.table.search.value ? "No operator matches." : "No operator ran here.";
        return run().data.kind === "rank"
          ? "The page had no room for the operators of this rank; all ranks together have them."
          : "Which operators a sample ran is not recorded; the whole block has them.";
      },
    });
  }

  show(node: Node): void {
    const bytes = ({ values }: OperatorSum): bigint => values.get("bytes") ?? 0n;
    // Those of equal FLOPs, most of which have none, stand by the bytes that they move.
    const sums = this.tree
      .operators(node, this.run())
      .sort((a, b) => (bytes(a) < bytes(b) ? 1 : bytes(a) > bytes(b) ? -1 : 0));
    this.table.show(sums);
  }

  /** Mark the row of an operator. */
  mark(name: string | null): void {
    this.table.mark(name === null ? null : (row) => row.name === name);
  }

  arrange(): void {
    this.table.arrange();
  }

  measure(): void {
    this.table.measure();
  }
}
