/** The menu #export: it saves the chart and the table, and copies the link to the view. */
import { byId, el } from "../shared/dom.ts";
import { csv } from "../shared/table/columns.ts";
import type { Table } from "../shared/table/table.ts";
import { download, fileName, pngBlob, svgText } from "./export.ts";

export interface FilesOptions<Row> {
  /** What the files are called after: the page's title, and the run that it shows. */
  names: () => readonly string[];
  /** What its menu calls the picture or the pictures. */
  chart: "Chart" | "Charts";
  /** The pictures, each with what its name ends in where there are several. */
  pictures: () => (readonly [ending: string, picture: SVGSVGElement | null])[];
  table: Table<Row>;
  /** Write the view into the address. */
  remember: () => void;
}

export const showExport = <Row>({ names, chart, pictures, table, remember }: FilesOptions<Row>): void => {
  const status = el("p", { class: "muted small", role: "status" });
  const said = (text: string): void => {
    status.textContent = text;
  };
  const each = (save: (parts: string[], picture: SVGSVGElement) => void): void => {
    const drawn = pictures().filter(([, picture]) => picture !== null);
    said(drawn.length ? "" : "There is no picture to save.");
    for (const [ending, picture] of drawn) save([...names(), ending], picture!);
  };
  const saveSvg = (): void =>
    each((parts, picture) => download(fileName(parts, "svg"), new Blob([svgText(picture)], { type: "image/svg+xml" })));
  const savePng = (): void =>
    each((parts, picture) => {
      pngBlob(picture).then(
        (blob) => download(fileName(parts, "png"), blob),
        (error: unknown) => said(String(error)),
      );
    });
  const copyLink = (): void => {
    remember();
    navigator.clipboard.writeText(location.href).then(
      () => said("The link to this view was copied."),
      () => said("The browser does not let the page copy; the address in its bar leads to this view."),
    );
  };
  const choices: [id: string, label: string, act: () => void][] = [
    ["save-png", `${chart} as PNG`, savePng],
    ["save-svg", `${chart} as SVG`, saveSvg],
    ["save-csv", "Table as CSV", () => saveTable(names(), table)],
    ["copy-link", "Copy link to this view", copyLink],
  ];
  const buttons = choices.map(([id, label, act]) =>
    el("button", { type: "button", class: "button", id, onclick: act }, label),
  );
  byId("export").replaceChildren(
    el("summary", { class: "button" }, "Export"),
    el("div", { class: "panel" }, ...buttons, status),
  );
};

const saveTable = <Row>(parts: readonly string[], { rows, columns }: Table<Row>): void =>
  download(fileName(parts, "csv"), new Blob([csv(rows, columns)], { type: "text/csv" }));

/** A button beside a table that saves it, as it stands, as CSV. */
export const csvButton = <Row>(names: () => readonly string[], of: string, table: () => Table<Row>): HTMLElement => {
  const save = (): void => saveTable(names(), table());
  return el("button", { type: "button", class: "button", "aria-label": `Save ${of} as CSV`, onclick: save }, "CSV");
};
