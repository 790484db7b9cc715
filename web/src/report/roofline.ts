/** Where time was measured: how fast operators ran, against how much they compute for each byte that they move. */
import type { OperatorSum, Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el } from "../shared/dom.ts";
import { part, percent } from "../shared/numbers.ts";
import { Scatter, type Point } from "./scatter.ts";

/** Operators that did something, moved bytes and took time, the longest first. */
export const points = (sums: OperatorSum[]): Point[] =>
  sums
    .map(({ name, values }) => ({
      name,
      flops: Number(values.get("flops") ?? 0),
      bytes: Number(values.get("bytes") ?? 0),
      time: Number(values.get("time_ns") ?? 0),
    }))
    .filter(({ flops, bytes, time }) => flops > 0 && bytes > 0 && time > 0)
    .map(({ name, flops, bytes, time }) => ({ name, intensity: flops / bytes, rate: (flops * 1e9) / time, time }))
    .sort((a, b) => b.time - a.time);

export class Roofline {
  private readonly scatter: Scatter;
  private readonly note = el("p", { class: "muted small" });

  constructor(
    private readonly tree: Tree,
    private readonly run: () => Run,
    hover: (name: string | null) => void,
  ) {
    this.scatter = new Scatter(hover);
    const section = byId("roofline");
    section.hidden = false;
    section.replaceChildren(
      el("header", { class: "head" }, el("h2", { id: "roofline-title" }, "Speed of operators")),
      this.note,
      this.scatter.picture,
    );
  }

  show(node: Node): void {
    const found = points(this.tree.operators(node, this.run()));
    const whole = Number(this.tree.total(node, "time_ns", this.run()));
    byId("roofline").hidden = !found.length;
    this.note.textContent =
      "Each operator below the selected module, by FLOPs for each byte and FLOPs a second; its area is the time that it took with the profiler on.";
    const [first] = found;
    const said = first
      ? `${found.length} operators. ${first.name} took longest, ${percent(part(first.time, whole))} of the time. The operator table has the figures.`
      : "";
    this.scatter.show(found, whole, said);
  }
}
