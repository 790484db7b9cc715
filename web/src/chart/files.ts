/** The buttons that save the chart and the table, and copy the link to the view. */
import { byId, el } from "../shared/dom.ts";
import { csv } from "../shared/table/columns.ts";
import type { Table } from "../shared/table/table.ts";
import { download, fileName, pngBlob, svgText } from "./export.ts";

export interface FilesOptions<Row> {
  title: string;
  /** The pictures, each with what its name ends in where there are several. */
  pictures: () => (readonly [ending: string, picture: SVGSVGElement | null])[];
  table: Table<Row>;
  /** Write the view into the address. */
  remember: () => void;
}

export const listenForFiles = <Row>({ title, pictures, table, remember }: FilesOptions<Row>): void => {
  const said = (text: string): void => {
    byId("spoken").textContent = text;
  };
  const each = (save: (name: string, picture: SVGSVGElement) => void): void => {
    for (const [ending, picture] of pictures()) if (picture) save(title + ending, picture);
  };
  byId("save-svg").addEventListener("click", () =>
    each((name, picture) => download(fileName(name, "svg"), new Blob([svgText(picture)], { type: "image/svg+xml" }))),
  );
  byId("save-png").addEventListener("click", () =>
    each((name, picture) => {
      pngBlob(picture).then(
        (blob) => download(fileName(name, "png"), blob),
        (error: unknown) => said(String(error)),
      );
    }),
  );
  byId("save-csv").addEventListener("click", () => {
    download(fileName(title, "csv"), new Blob([csv(table.rows, table.columns)], { type: "text/csv" }));
  });
  byId("copy-link").addEventListener("click", () => {
    remember();
    navigator.clipboard.writeText(location.href).then(
      () => said("The link to this view was copied."),
      () => said("The browser does not let the page copy; the address in its bar leads to this view."),
    );
  });
};

/** A button beside a table that saves it, as it stands, as CSV. */
export const csvButton = <Row>(name: string, of: string, table: () => Table<Row>): HTMLElement => {
  const save = (): void => {
    const { rows, columns } = table();
    download(fileName(name, "csv"), new Blob([csv(rows, columns)], { type: "text/csv" }));
  };
  return el("button", { type: "button", class: "button", "aria-label": `Save ${of} as CSV`, onclick: save }, "CSV");
};
