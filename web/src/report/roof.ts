/** The whole block on the roofline of a device: the least time that it needs there, and what limits it. */
import type { RoofData } from "../model/payload.ts";
import { byId, el } from "../shared/dom.ts";
import { human, percent } from "../shared/numbers.ts";
import { Scatter, type Point } from "./scatter.ts";

/** A dot at the rate that was measured, or, where none was, on the roof. */
export const dots = ({ operators }: RoofData): Point[] =>
  operators
    .filter(({ flops, bytes, least }) => flops > 0 && bytes > 0 && least > 0)
    .map(({ name, flops, bytes, least, time, bound }) => ({
      name,
      intensity: flops / bytes,
      rate: (flops * 1e9) / (time || least),
      time: time || least,
      more: `at least ${human(least, "time")}, limited by ${bound}`,
    }))
    .sort((a, b) => b.time - a.time);

export const showRoof = (roof: RoofData, hover: (name: string | null) => void): void => {
  const section = byId("roof");
  const scatter = new Scatter(hover);
  const points = dots(roof);
  const whole = points.reduce((sum, { time }) => sum + time, 0);
  const measured = roof.operators.some(({ time }) => time > 0);
  const summary = `At least ${human(roof.least, "time")}, ${percent(roof.memory)} of it in operators that memory limits.`;
  section.hidden = false;
  section.replaceChildren(
    el("header", { class: "head" }, el("h2", { id: "roof-title" }, `Roofline on ${roof.device}`)),
    el(
      "p",
      { class: "muted small" },
      `${summary} Operators of the whole block, by FLOPs (two for a MAC) for each byte; a dot is ${measured ? "at the rate that was measured, as large as its time" : "on the roof, as large as its least time"}.`,
    ),
    scatter.picture,
    ...roof.notes.map((note) => el("p", { class: "muted small" }, note)),
  );
  scatter.show(points, whole, `${summary} ${points[0] ? `${points[0].name} takes longest.` : ""}`, roof.roofs);
};
