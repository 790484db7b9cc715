/** The table of what was sent of the selected module's data and of those below it. */
import { csvButton } from "../chart/files.ts";
import type { CollectiveKinds } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import type { Shown } from "../model/state.ts";
import { sentSums, type SentSum } from "../model/sent.ts";
import type { Node, Tree } from "../model/tree.ts";
import { byId, el, options, pick } from "../shared/dom.ts";
import { exact, human, type Figure } from "../shared/numbers.ts";
import { longest, type Column } from "../shared/table/columns.ts";
import { Table } from "../shared/table/table.ts";
import { shareColumn } from "../model/figures.ts";

export interface CollectivesOptions {
  /** What its file is called after. */
  names: () => readonly string[];
  kinds: CollectiveKinds;
  tree: Tree;
  run: () => Run;
  digits: HTMLInputElement;
  select: (node: Node) => void;
  hover: (node: Node | null) => void;
  /** Other rows were chosen. */
  changed: () => void;
}

const NONE = "(no module)";
const NARROW = 640; // pixels
const LONGEST_GROUP = 28; // letters
/** What goes first where there is no room for all. */
const YIELDING = ["issuers", "class", "side", "calls", "share", "owners", "payload"];

export class CollectiveTable {
  private readonly table: Table<SentSum>;
  private readonly by = el("select", { "aria-label": "Rows of the collectives" });
  private node: Node;
  private whole = 0n;

  constructor(private readonly options: CollectivesOptions) {
    const { tree, run, hover } = options;
    this.node = tree.top;
    byId("collectives").hidden = false;
    optionsOf(this.by);
    this.by.addEventListener("change", () => {
      this.show(this.node);
      options.changed();
    });
    this.table = new Table<SentSum>({
      section: byId("collectives"),
      id: "collectives",
      title: "Sent between ranks",
      noun: "row",
      controls: [
        this.by,
        csvButton(
          () => [...options.names(), "sent"],
          "what was sent",
          () => this.table,
        ),
      ],
      columns: this.columns(),
      yielding: YIELDING,
      hover: (row) => hover(row?.owners.size === 1 ? this.nodeOf([...row.owners.keys()][0]!) : null),
      empty: () => {
        const { kind } = run().data;
        if (kind === "sample") return "What a sample sent is not recorded; the whole block has it.";
        if (kind === "rank" && !run().collectives)
          return "This rank sent nothing, or the page had no room for it; all ranks together have it.";
        return this.table.search.value ? "Nothing matches." : `No data of ${tree.path(this.node)} was sent here.`;
      },
    });
  }

  /** The part of a link's view that is this table's. */
  shown(): Pick<Shown, "sent"> {
    return { sent: this.by.value };
  }

  /** Returns what of the view there is not, in words. */
  restore({ sent }: Pick<Shown, "sent">): string[] {
    return pick(this.by, sent) ? [] : [`rows of what was sent “${sent}”`];
  }

  show(node: Node): void {
    this.node = node;
    const { kinds, tree, run } = this.options;
    const sent = run().collectives;
    this.whole = sent ? sentTotal(sent.line, tree.data.figures.wire_bytes ?? []) : 0n;
    if (!sent) {
      this.table.show([]);
      return;
    }
    // Equal layers stand together here as well.
    const first = new Map<number, number>();
    const apart = (row: number): number => {
      let found = first.get(row);
      if (found === undefined) {
        found = tree.shownNode(row).rows[0]!;
        first.set(row, found);
      }
      return found;
    };
    const rows = new Set(tree.rowsBelow(node));
    const figures = tree.data.figures;
    this.table.show(sentSums({ sent, kinds, figures, rows, apart: this.by.value ? apart : null }));
  }

  measure(): void {
    this.table.measure();
  }

  /** The longest text of a group, as far as a column should be wide. */
  private get longestGroup(): string {
    const { label, size } = this.options.kinds.groups;
    const texts = label.map((group, i) => groupText({ group, size: size[i]! }));
    return longest(texts.filter((text) => text.length <= LONGEST_GROUP));
  }

  private nodeOf(row: number): Node | null {
    return row < 0 ? null : this.options.tree.shownNode(row);
  }

  private columns(): Column<SentSum>[] {
    const { digits, kinds } = this.options;
    const bytes = (value: bigint): string => (digits.checked ? exact(value) : human(value, "bytes"));
    const figure = (key: "calls" | "payload" | "wire", label: string, help: string): Column<SentSum> => ({
      key,
      label,
      help,
      num: true,
      value: (row) => row[key],
      text: (row) => (key === "calls" ? exact(row.calls) : bytes(row[key])),
      tip: (row) => exact(row[key]),
      room: () => (digits.checked && key !== "calls" ? exact(this.whole) : "1,000,000"),
    });
    const share = shareColumn<SentSum>({
      value: ({ wire }): Figure => wire,
      whole: () => this.whole,
      head: () => "of Wire bytes",
    });
    const columns: Column<SentSum>[] = [
      {
        key: "op",
        label: "Collective",
        fixed: true,
        search: true,
        value: ({ op }) => op,
        text: ({ op }) => op,
        room: () => longest(kinds.op.map((op, i) => `${kinds.pattern[i]!} ${op}`)),
        tip: ({ op, pattern }) => (pattern ? `${op}: ${pattern}` : op),
        paint: (cell, { op, pattern }) => {
          cell.append(pattern || op, pattern ? el("span", { class: "muted mono" }, ` ${op}`) : "");
        },
      },
      {
        key: "group",
        label: "Group",
        help: "The process group: the dimension of the mesh that it was made for, or its name, and its ranks",
        search: true,
        value: ({ group }) => group,
        text: groupText,
        tip: ({ group, size, ranks }) => `${group}: ${size ? `${exact(size)} ranks ${ranks}` : "ranks not known"}`,
        room: () => this.longestGroup,
      },
      share,
      figure("calls", "Calls", "How often it was called"),
      figure("payload", "Payload", "Bytes of the whole that it is about"),
      {
        key: "side",
        label: "Payload of",
        help: "The payload is what the rank hands in, its input, or what it gets, its output",
        value: ({ side }) => side,
        text: ({ side, payload }) => (payload ? side : ""),
        room: () => "output",
      },
      figure("wire", "Wire bytes", "Bytes that pass this rank's link in one direction, by the ring"),
      this.modules("owners", "Data of", "The module whose data moved"),
      this.modules("issuers", "Issued by", "The module that ran when it was called"),
      {
        key: "class",
        label: "Class",
        help: "Control carries no data of the model's: objects, metadata, barriers",
        search: true,
        value: ({ control }) => (control ? "control" : "data"),
        text: ({ control }) => (control ? "control" : "data"),
        room: () => "control",
        extra: 18,
        paint: (cell, { control }) => void cell.append(el("span", { class: "badge" }, control ? "control" : "data")),
      },
    ];
    // Where there is room for three columns, they are what, how many bytes, and the group.
    if (innerWidth <= NARROW)
      columns.splice(1, 2, ...["wire", "group", "share"].map((key) => columns.find((column) => column.key === key)!));
    return [...new Set(columns)];
  }

  /** A module, or how many there are; the one with most bytes on the wire first. */
  private modules(key: "owners" | "issuers", label: string, help: string): Column<SentSum> {
    const { tree, select } = this.options;
    const nodes = (row: SentSum): (Node | null)[] => {
      const order = [...row[key]].sort(([, a], [, b]) => Number(b - a));
      return [...new Set(order.map(([at]) => this.nodeOf(at)))];
    };
    const name = (node: Node | null): string => (node ? tree.path(node) : NONE);
    const text = (row: SentSum): string => {
      const found = nodes(row);
      return name(found[0] ?? null) + (found.length > 1 ? ` and ${found.length - 1} more` : "");
    };
    const tip = (row: SentSum): string => {
      const found = nodes(row);
      return (
        found
          .slice(0, 12)
          .map((node) => name(node))
          .join(", ") + (found.length > 12 ? ", …" : "")
      );
    };
    return {
      key,
      label,
      help,
      search: true,
      value: text,
      text,
      tip,
      room: () => "layers.0–31.self_attn",
      paint: (cell, row) => {
        const [first = null] = nodes(row);
        cell.classList.add("mono");
        const press = (): void => void (first && select(first));
        cell.append(first ? el("button", { type: "button", class: "link", onclick: press }, text(row)) : text(row));
      },
    };
  }
}

const groupText = ({ group, size }: Pick<SentSum, "group" | "size">): string =>
  size ? `${group} · ${exact(size)} ${size === 1 ? "rank" : "ranks"}` : group;

const sentTotal = (lines: readonly number[], wire: readonly (number | string)[]): bigint =>
  lines.reduce((sum, line) => sum + BigInt(wire[line] ?? 0), 0n);

const optionsOf = (select: HTMLSelectElement): void =>
  options(select, [
    ["", "by group"],
    ["modules", "by module"],
  ]);
