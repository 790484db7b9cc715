import type { Column as CoreColumn } from "@tanstack/table-core";
import { el } from "../dom.ts";

export interface ChooserOptions<Row> {
  /** What the columns are of, as a screen reader says it. */
  of: string;
  columns: CoreColumn<Row>[];
  label: (key: string) => string;
  changed: () => void;
}

/** The menu in which the reader chooses the columns of a table. */
export const columnChooser = <Row>({ of, columns, label, changed }: ChooserOptions<Row>): HTMLElement => {
  const choices = columns.filter((column) => column.getCanHide());
  const boxes = choices.map((column) => {
    const change = ({ target }: Event): void => {
      column.toggleVisibility((target as HTMLInputElement).checked);
      changed();
    };
    return el("input", { type: "checkbox", onchange: change });
  });
  const labels = boxes.map((box, i) => el("label", { class: "checkbox" }, box, label(choices[i]!.id)));
  const summary = el("summary", { class: "button", "aria-label": `Columns of ${of}` }, "Columns");
  const menu = el("details", { class: "menu" }, summary, el("div", { class: "panel" }, ...labels));
  // A link may have chosen others meanwhile.
  menu.addEventListener("toggle", () => boxes.forEach((box, i) => (box.checked = choices[i]!.getIsVisible())));
  return menu;
};
