// A table that sorts, searches and renders only the rows in sight, so that ten thousand rows cost as much as twenty.
"use strict";
const ROW = 32; // pixels, as in report.css
const SPARE = 12; // rows kept ready above and below those in sight

class Table {
  // columns: {key, label, num, value(row) for sorting, text(row), cell(row) for more than text, search(row)}; rows: any objects.
  constructor({ section, id, title, noun, columns, rows, sort = null, selected = () => false }) {
    Object.assign(this, { columns, rows, noun, selected, sort: sort && { key: sort, down: true }, query: "" });
    this.search = ui.el("input", { type: "search", id: `${id}-search`, placeholder: "Search …", "aria-label": `Search ${noun}s`, oninput: () => this.look(this.search.value) });
    this.count = ui.el("span", { class: "muted small grow", role: "status" });
    this.heads = columns.map((column) =>
      ui.el("th", { scope: "col", class: column.num ? "num" : null }, ui.el("button", { type: "button", onclick: () => this.order(column.key) })));
    this.body = ui.el("tbody");
    this.widths = ui.el("colgroup");
    const head = ui.el("thead", {}, ui.el("tr", { "aria-rowindex": 1 }, ...this.heads));
    this.table = ui.el("table", { class: "fixed", "aria-labelledby": `${id}-title` }, this.widths, head, this.body);
    this.box = ui.el("div", { class: "table-box tall", tabindex: 0, role: "region", "aria-labelledby": `${id}-title` }, this.table);
    this.box.addEventListener("scroll", () => this.paint(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.move(event));
    section.replaceChildren(ui.el("header", { class: "head" }, ui.el("h2", { id: `${id}-title` }, title), this.count, this.search), this.box);
    new ResizeObserver(() => this.paint()).observe(this.box);
    this.show(rows);
    this.measure();
  }

  // Columns keep their width while rows come and go; the first takes what is left.
  measure() {
    const sizes = this.columns.slice(1).map((column) => Math.max(column.width ?? 88, 7.6 * column.label.length + 38, 8.6 * (column.room?.() ?? 0) + 26));
    const columns = sizes.map((size) => {
      const column = ui.el("col");
      column.style.width = `${size}px`;
      return column;
    });
    this.widths.replaceChildren(ui.el("col"), ...columns);
    const first = Math.min(200, Math.max(150, innerWidth * 0.4));
    this.table.style.minWidth = `${sizes.reduce((sum, size) => sum + size, first)}px`;
    this.painted = null;
    this.paint();
  }

  show(rows) {
    this.rows = rows;
    this.arrange();
  }

  look(query) {
    this.query = query.trim().toLowerCase();
    this.arrange();
  }

  order(key) {
    const column = this.columns.find((one) => one.key === key);
    const first = Boolean(column.num); // numbers start with the biggest, names with the first
    if (this.sort?.key !== key) this.sort = { key, down: first };
    else if (this.sort.down === first) this.sort = { key, down: !first };
    else this.sort = null; // the third click: the order of the model again
    this.arrange();
  }

  arrange() {
    const seeks = this.columns.filter((column) => column.search);
    let rows = this.query ? this.rows.filter((row) => seeks.some((column) => column.search(row).toLowerCase().includes(this.query))) : [...this.rows];
    if (this.sort) {
      const { value } = this.columns.find((column) => column.key === this.sort.key);
      const keyed = rows.map((row) => [value(row), row]);
      keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (this.sort.down ? -1 : 1));
      rows = keyed.map(([, row]) => row);
    }
    this.visible = rows;
    this.columns.forEach((column, i) => {
      const sorted = this.sort?.key === column.key;
      this.heads[i].firstChild.textContent = column.now?.() ?? column.label;
      this.heads[i].setAttribute("aria-sort", sorted ? (this.sort.down ? "descending" : "ascending") : "none");
    });
    const all = ui.plural(this.rows.length, this.noun);
    this.count.textContent = this.query ? `${rows.length.toLocaleString("en-US")} of ${all}` : all;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.box.scrollTop = 0;
    this.painted = null;
    this.paint();
  }

  paint() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.visible.length, Math.ceil((this.box.scrollTop + (this.box.clientHeight || 600)) / ROW) + SPARE);
    if (this.painted && this.painted[0] === first && this.painted[1] === last) return;
    this.painted = [first, last];
    const held = this.body.contains(document.activeElement) ? document.activeElement.closest("tr").dataset.place : null;
    const rows = this.visible.slice(first, last).map((row, i) => this.line(row, first + i));
    const gap = (count) => {
      const cell = ui.el("td", { colspan: this.columns.length });
      cell.style.height = `${count * ROW}px`;
      return ui.el("tr", { class: "gap", "aria-hidden": "true" }, cell);
    };
    if (first > 0) rows.unshift(gap(first));
    if (last < this.visible.length) rows.push(gap(this.visible.length - last));
    if (!this.visible.length) rows.push(ui.el("tr", {}, ui.el("td", { class: "note", colspan: this.columns.length }, `No ${this.noun} matches.`)));
    this.body.replaceChildren(...rows);
    if (held !== null) this.body.querySelector(`tr[data-place="${held}"] button`)?.focus({ preventScroll: true });
  }

  line(row, place) {
    const look = (column) => [column.num ? "num" : "", column.num && !column.value(row) ? "zero" : ""].join(" ").trim() || null;
    const plain = (column) => ui.el("td", { class: look(column), title: column.title?.(row) }, column.text(row));
    const cells = this.columns.map((column) => (column.cell ? column.cell(row) : plain(column)));
    return ui.el("tr", { "data-place": place, "aria-rowindex": place + 2, "aria-selected": this.selected(row) ? "true" : null }, ...cells);
  }

  // Up and down move between the rows' buttons, also to rows that are not rendered yet.
  move(event) {
    const row = event.target.closest?.("tr[data-place]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || !step) return;
    const place = Math.min(this.visible.length - 1, Math.max(0, Number(row.dataset.place) + step));
    const top = place * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + 3 * ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + 3 * ROW - this.box.clientHeight;
    this.paint();
    this.body.querySelector(`tr[data-place="${place}"] button`)?.focus({ preventScroll: true });
    event.preventDefault();
  }
}
