import {
  createTable,
  getCoreRowModel,
  type ColumnDef,
  type Table as Core,
  type TableState,
  type Updater,
} from "@tanstack/table-core";
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { el } from "../dom.ts";
import { plural } from "../numbers.ts";
import { columnChooser } from "./chooser.ts";
import { firstWidth, fitting, matches, sorted, widthOf, type Column, type Sort } from "./columns.ts";
import { visible } from "../visible.ts";

export const ROW = 32; // pixels, as in table.css
const SPARE = 12; // rows kept ready above and below those in sight

export interface Options<Row> {
  section: HTMLElement;
  id: string;
  title: string;
  noun: string;
  /** Several of the noun, where that is more than an s. */
  plural?: string;
  /** What the rows are, as a screen reader says it, where another table has as many of the noun. */
  of?: string;
  columns: Column<Row>[];
  /** Keys of the columns that go first where there is no room for all, in this order; then others go from the right. */
  yielding?: readonly string[];
  /** True for a table of a few rows, which needs neither a search nor a count of them. */
  few?: boolean;
  sort?: Sort;
  /** What stands in the header beside the search. */
  controls?: (Node | string)[];
  /** The rows in the order in which they stand, where that is more than a search and a sort. */
  arrange?: (query: string, sort: Sort | null) => Row[];
  /** How many rows there are, and how many of them the search and the filters leave. */
  counted?: () => readonly [left: number, all: number];
  selected?: (row: Row) => boolean;
  /** A row was clicked, or chosen with Enter. */
  choose?: (row: Row) => void;
  /** The pointer or the focus is on a row, or on none. */
  hover?: (row: Row | null) => void;
  /** Opens a row's branch or closes it; the arrows right and left. */
  expand?: (row: Row, open: boolean) => void;
  /** The search, the order or the columns changed. */
  changed?: () => void;
  empty?: () => string;
}

/** What a reader made of a table: null for an order or columns as at first. */
export interface TableView {
  query: string;
  sort: Sort | null;
  columns: string[] | null;
}

export const UNCHANGED: TableView = { query: "", sort: null, columns: null };

/**
 * A table that sorts, searches, hides columns, and has only the rows in sight in the page, so that a hundred thousand
 * cost as much as thirty. TanStack keeps the columns and the window; the rows are this file's.
 *
 * It is empty until its owner calls `show`, or `arrange` and `measure` where the owner arranges the rows.
 */
export class Table<Row> {
  readonly search: HTMLInputElement;
  /** The rows that the search and the filters leave, in order. */
  rows: Row[] = [];
  private all: Row[] = [];
  private readonly core: Core<Row>;
  private readonly window: Virtualizer<HTMLElement, Element>;
  private readonly count = el("span", { class: "muted small grow", role: "status" });
  private readonly widths = el("colgroup");
  private readonly head = el("tr", { "aria-rowindex": 1 });
  private readonly body = el("tbody");
  private readonly table: HTMLTableElement;
  private readonly box: HTMLElement;
  private marked: ((row: Row) => boolean) | null = null;
  /** True while the page is printed: then all rows are in it. */
  whole = false;
  /** True once the reader, or a link, has said which columns are shown. Until then they are those that have room. */
  private chosen = false;
  /** The room that the columns were measured for, in pixels. */
  private room = 0;

  constructor(private readonly options: Options<Row>) {
    const { section, id, title, noun, plural: many } = options;
    const of = options.of ?? many ?? `${noun}s`;
    this.search = el("input", {
      type: "search",
      placeholder: "Search …",
      "aria-label": `Search ${of}`,
      oninput: () => this.arrange(),
    });
    this.core = this.makeCore();
    this.table = el(
      "table",
      { class: "rows", "aria-labelledby": `${id}-title` },
      this.widths,
      el("thead", {}, this.head),
      this.body,
    );
    this.box = el(
      "div",
      { class: "table-box tall", tabindex: 0, role: "region", "aria-label": `Table of ${of}` },
      this.table,
    );
    const menu = columnChooser({
      of,
      columns: this.core.getAllLeafColumns(),
      label: (key) => this.column(key).label,
      changed: () => {
        this.chosen = true;
        this.measure();
        this.options.changed?.();
      },
    });
    const { few } = options;
    const controls = el("div", { class: "controls" }, ...(options.controls ?? []), !few && this.search, menu);
    const heading = el("h2", { id: `${id}-title`, class: few ? "grow" : null }, title);
    section.replaceChildren(el("header", { class: "head" }, heading, !few && this.count, controls), this.box);
    this.window = new Virtualizer<HTMLElement, Element>(this.windowOptions());
    this.window._didMount();
    this.listen();
  }

  /** Other rows, for a table without an arrangement of its own. */
  show(rows: Row[]): void {
    this.all = rows;
    this.arrange();
    if (!this.widths.firstChild) this.measure();
  }

  /** The columns in sight, from left to right. */
  get columns(): Column<Row>[] {
    return this.core.getVisibleLeafColumns().map(({ id }) => this.column(id));
  }

  /** Keys of the columns in sight, if the reader chose them; null for the usual ones. */
  get chosenColumns(): string[] | null {
    return this.chosen ? this.columns.map(({ key }) => key) : null;
  }

  get sort(): Sort | null {
    const [first] = this.core.getState().sorting;
    return first ? { key: first.id, down: first.desc } : null;
  }

  /** What the reader searched, sorted by and chose. */
  get view(): TableView {
    const { sort: usual } = this.options;
    const isUsual = this.sort?.key === usual?.key && this.sort?.down === usual?.down;
    return { query: this.search.value, sort: isUsual ? null : this.sort, columns: this.chosenColumns };
  }

  /** Rows in the order that the reader chose, by a column that may be out of sight. */
  ordered(rows: readonly Row[]): Row[] {
    return sorted(rows, this.options.columns, this.sort);
  }

  /** Set what a link restores. Keys that are no column's are left out. */
  restoreView({ query, sort, columns }: TableView): void {
    const known = (key: string): boolean => this.options.columns.some((column) => column.key === key);
    const order = sort ?? this.options.sort;
    this.search.value = query;
    this.core.setSorting(order && known(order.key) ? [{ id: order.key, desc: order.down }] : []);
    this.chosen = columns !== null;
    if (columns) this.showColumns(columns);
    this.arrange();
    this.measure();
  }

  /** The rows anew: after a search, a sort, a filter. */
  arrange(): void {
    const query = this.search.value.trim().toLowerCase();
    const { columns, arrange, counted, noun, plural: many } = this.options;
    this.rows = arrange
      ? arrange(query, this.sort)
      : this.ordered(query ? this.all.filter((row) => matches(row, columns, query)) : this.all);
    const [left, all] = counted?.() ?? [this.rows.length, this.all.length];
    this.count.textContent =
      left === all ? plural(all, noun, many) : `${left.toLocaleString("en-US")} of ${plural(all, noun, many)}`;
    this.table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.window.setOptions(this.windowOptions());
    this.window._willUpdate();
    this.paint();
    this.options.changed?.();
  }

  /** True for a row that the search and the filters leave. */
  has(row: Row): boolean {
    if (this.listed?.rows !== this.rows) this.listed = { rows: this.rows, all: new Set(this.rows) };
    return this.listed.all.has(row);
  }
  private listed: { rows: Row[]; all: Set<Row> } | null = null;

  /** Scroll to a row, if it is not in sight. */
  reveal(row: Row): void {
    const place = this.rows.indexOf(row);
    const top = place * ROW;
    if (place < 0 || (top >= this.box.scrollTop && top + 2 * ROW <= this.box.scrollTop + this.box.clientHeight)) return;
    this.box.scrollTop = Math.max(0, top - 3 * ROW);
    this.paint();
  }

  /** Light the rows of which this is true, in step with the chart. */
  mark(marked: ((row: Row) => boolean) | null): void {
    this.marked = marked;
    for (const line of this.body.querySelectorAll<HTMLElement>("tr[data-place]")) {
      const row = this.rows[Number(line.dataset.place)];
      line.classList.toggle("marked", Boolean(row !== undefined && marked?.(row)));
    }
  }

  /** As many columns as there is room for, as wide as their widest text; the first takes what is left. */
  measure(): void {
    const { columns, yielding = [] } = this.options;
    this.room = this.box.clientWidth;
    // What is out of sight has no room, and is measured when it comes into sight.
    if (this.room && !this.chosen) this.showColumns(fitting(columns, this.room, yielding));
    const [first, ...others] = this.columns;
    const sizes = others.map(widthOf);
    this.widths.replaceChildren(
      el("col"),
      ...sizes.map((size) => {
        const column = el("col");
        column.style.width = `${size}px`;
        return column;
      }),
    );
    this.table.style.minWidth = `${sizes.reduce((sum, size) => sum + size, firstWidth(first!))}px`;
    this.paint();
  }

  /** The rows in sight, or all of them on paper. */
  paint(): void {
    const items = this.window.getVirtualItems();
    const first = this.whole ? 0 : (items[0]?.index ?? 0);
    const last = this.whole
      ? this.rows.length
      : items.length
        ? items[items.length - 1]!.index + 1
        : Math.min(this.rows.length, 3 * SPARE);
    this.core.setOptions((options) => ({ ...options, data: this.rows.slice(first, last) }));
    this.paintHead();
    const held = this.body.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>("tr")?.dataset.place
      : undefined;
    const lines = this.core.getRowModel().rows.map(({ original }, i) => this.line(original, first + i));
    if (first > 0) lines.unshift(this.gap(first));
    if (last < this.rows.length) lines.push(this.gap(this.rows.length - last));
    if (!this.rows.length)
      lines.push(
        el(
          "tr",
          {},
          el(
            "td",
            { class: "note", colspan: this.columns.length },
            el("p", {}, this.options.empty?.() ?? `No ${this.options.noun} matches.`),
          ),
        ),
      );
    this.body.replaceChildren(...lines);
    if (held !== undefined)
      this.body.querySelector<HTMLElement>(`tr[data-place="${held}"] [data-main]`)?.focus({ preventScroll: true });
  }

  private showColumns(keys: readonly string[]): void {
    const { columns } = this.options;
    this.core.setColumnVisibility(
      Object.fromEntries(columns.map(({ key, fixed }) => [key, Boolean(fixed) || keys.includes(key)])),
    );
  }

  private column(key: string): Column<Row> {
    return this.options.columns.find((column) => column.key === key)!;
  }

  private makeCore(): Core<Row> {
    const columns: ColumnDef<Row>[] = this.options.columns.map((column) => ({
      id: column.key,
      accessorFn: (row: Row) => column.value(row),
      sortDescFirst: Boolean(column.num), // figures start with the biggest, names with the first
      enableHiding: !column.fixed,
    }));
    const core = createTable<Row>({
      columns,
      data: [],
      state: {},
      getCoreRowModel: getCoreRowModel(),
      manualSorting: true,
      renderFallbackValue: null,
      onStateChange: () => undefined,
    });
    const { sort } = this.options;
    const state: TableState = {
      ...core.initialState,
      sorting: sort ? [{ id: sort.key, desc: sort.down }] : [],
      columnVisibility: Object.fromEntries(this.options.columns.map(({ key, hidden }) => [key, !hidden])),
    };
    const change = (updater: Updater<TableState>): void =>
      core.setOptions((options) => ({
        ...options,
        state: typeof updater === "function" ? updater(core.getState()) : updater,
      }));
    core.setOptions((options) => ({ ...options, state, onStateChange: change }));
    return core;
  }

  private windowOptions() {
    return {
      count: this.rows.length,
      getScrollElement: () => this.box,
      estimateSize: () => ROW,
      overscan: SPARE,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: () => this.paint(),
    };
  }

  private paintHead(): void {
    const heads = this.core.getHeaderGroups()[0]!.headers.map(({ column }) => {
      const shown = this.column(column.id);
      const way = column.getIsSorted();
      const press = (): void => {
        column.toggleSorting();
        this.box.scrollTop = 0;
        this.arrange();
        this.head.querySelector<HTMLElement>(`th[data-key="${CSS.escape(column.id)}"] button`)?.focus();
      };
      const label = shown.head?.() ?? shown.label;
      // Chromium does not repeat a head with a button in it on each page.
      const button = this.whole ? label : el("button", { type: "button", title: shown.help, onclick: press }, label);
      const order = way === "desc" ? "descending" : way === "asc" ? "ascending" : "none";
      return el(
        "th",
        { scope: "col", class: shown.num ? "num" : null, "aria-sort": order, "data-key": column.id },
        button,
      );
    });
    const now =
      String(this.whole) + heads.map((head) => `${head.dataset.key} ${head.ariaSort} ${head.textContent}`).join("\n");
    if (now === this.painted) return; // the focus stays where it is
    this.painted = now;
    this.head.replaceChildren(...heads);
  }
  private painted = "";

  private gap(count: number): HTMLTableRowElement {
    const cell = el("td", { colspan: this.columns.length });
    cell.style.height = `${count * ROW}px`;
    return el("tr", { class: "gap", "aria-hidden": "true" }, cell);
  }

  private line(row: Row, place: number): HTMLTableRowElement {
    const cells = this.columns.map((column, i) => {
      const value = column.num ? column.value(row) : "";
      const look = [column.num ? "num" : "", column.num && !Number(value) ? "zero" : ""].filter(Boolean).join(" ");
      const cell = el(i ? "td" : "th", { scope: i ? null : "row", class: look || null, title: column.tip?.(row) });
      if (column.paint) column.paint(cell, row);
      else cell.textContent = visible(column.text(row));
      return cell;
    });
    const selected = this.options.selected?.(row);
    const classes = [selected ? "selected" : "", this.marked?.(row) ? "marked" : ""].filter(Boolean).join(" ");
    return el("tr", { "data-place": place, "aria-rowindex": place + 2, class: classes || null }, ...cells);
  }

  private listen(): void {
    const at = (target: EventTarget | null): Row | null => {
      const line = target instanceof Element ? target.closest<HTMLElement>("tr[data-place]") : null;
      return line ? (this.rows[Number(line.dataset.place)] ?? null) : null;
    };
    this.body.addEventListener("click", ({ target }) => {
      const row = at(target);
      if (row === null || (target instanceof Element && target.closest("button, a"))) return;
      this.options.choose?.(row);
    });
    this.body.addEventListener("pointerover", ({ target }) => this.options.hover?.(at(target)));
    this.body.addEventListener("pointerleave", () => this.options.hover?.(null));
    this.body.addEventListener("focusin", ({ target }) => this.options.hover?.(at(target)));
    this.box.addEventListener("keydown", (event) => this.move(event, at(event.target)));
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
    // The window, a bar to scroll with, a panel that comes into sight: each changes the room.
    new ResizeObserver(() => {
      if (this.box.clientWidth && this.box.clientWidth !== this.room) this.measure();
    }).observe(this.box);
  }

  private print(whole: boolean): void {
    this.whole = whole;
    this.arrange();
  }

  /** Up and down move between rows, also to those that are not in the page yet; right and left open and close. */
  private move(event: KeyboardEvent, row: Row | null): void {
    if (row === null) return;
    const place = this.rows.indexOf(row);
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      if (!this.options.expand) return;
      this.options.expand(row, event.key === "ArrowRight");
      this.focus(place);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.focus(Math.min(this.rows.length - 1, Math.max(0, place + (event.key === "ArrowDown" ? 1 : -1))));
    } else return;
    event.preventDefault();
  }

  private focus(place: number): void {
    const top = place * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const below = top + 3 * ROW - this.box.scrollTop - this.box.clientHeight;
    if (below > 0) this.box.scrollTop += below;
    // The window learns of the scroll in a later task; a key that is held comes before it.
    if (!this.body.querySelector(`tr[data-place="${place}"]`)) {
      this.window.scrollOffset = this.box.scrollTop;
      this.paint();
    }
    this.body.querySelector<HTMLElement>(`tr[data-place="${place}"] [data-main]`)?.focus({ preventScroll: true });
  }
}
