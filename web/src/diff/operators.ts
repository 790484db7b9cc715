/** What operators did in the selected module of both reports, the biggest change first. */
import type { OperatorSum } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId } from "../shared/dom.ts";
import { nameColumn } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { changeColumn, changeFirst, sideColumns } from "./figures.ts";
import { ofPhase, type Pair } from "./pairs.ts";

interface Row {
  name: string;
  old: OperatorSum | undefined;
  now: OperatorSum | undefined;
}

export class ChangedOperators {
  private readonly table: Table<Row>;

  constructor(
    private readonly tree: Tree,
    private readonly pair: () => Pair,
    metric: () => string,
  ) {
    const figure = (sum: OperatorSum | undefined, key: string): bigint =>
      (key === "calls" ? sum?.calls : sum?.values.get(key)) ?? 0n;
    const sides = {
      old: (row: Row, key: string) => figure(row.old, key),
      now: (row: Row, key: string) => figure(row.now, key),
      kind: (key: string) => (key === "calls" ? "count" : tree.metric(key).kind),
      label: (key: string) => (key === "calls" ? "calls" : tree.metric(key).label),
    } as const;
    // Parameters and memory belong to modules: operators are told by their FLOPs then.
    const shown = (): string => (tree.metric(metric()).additive ? metric() : "flops");
    this.table = new Table<Row>({
      section: byId("operators"),
      id: "operators",
      title: "Operators",
      noun: "operator",
      sort: { key: "change", down: true },
      columns: [
        nameColumn("Operator"),
        ...changeFirst(sideColumns<Row>(sides, shown)),
        changeColumn<Row>(sides, "calls"),
        ...tree.metrics
          .filter(({ key }) => key === "activations" || key === "bytes")
          .map(({ key }) => changeColumn<Row>(sides, key)),
      ],
      empty: () =>
        this.table.search.value ? "No operator matches." : `No operator${ofPhase(pair())} ran here in either report.`,
    });
  }

  show(node: Node): void {
    const pair = this.pair();
    const [old, now] = [pair.old, pair.new].map(
      (run) => new Map(this.tree.operators(node, run).map((sum) => [sum.name, sum])),
    ) as [Map<string, OperatorSum>, Map<string, OperatorSum>];
    const names = new Set([...now.keys(), ...old.keys()]);
    this.table.show([...names].map((name) => ({ name, old: old.get(name), now: now.get(name) })));
  }

  measure(): void {
    this.table.measure();
  }
}
