import { byId, el } from "../shared/dom.ts";
import type { Colour } from "./colours.ts";

/** What the colours of the chart stand for, in the element #legend. */
export const showLegend = (items: readonly (readonly [label: string, colour: Colour, share: string])[]): void => {
  byId("legend").replaceChildren(
    ...items.map(([label, { fill, edge }, share]) => {
      const swatch = el("i");
      swatch.style.background = fill;
      if (edge) swatch.style.borderColor = edge;
      return el(
        "li",
        {},
        swatch,
        el("span", { title: label }, label),
        share ? el("span", { class: "muted" }, share) : null,
      );
    }),
  );
};
