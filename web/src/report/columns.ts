/** The columns of the table of modules. */
import { figureColumn, inOrder, isMain, shareColumn } from "../model/figures.ts";
import type { ReportPage } from "../model/payload.ts";
import type { Run } from "../model/run.ts";
import type { Node, Tree } from "../model/tree.ts";
import { exact, human, percent, WIDEST, type Figure } from "../shared/numbers.ts";
import type { Metric } from "../shared/payload.ts";
import type { Column } from "../shared/table/columns.ts";
import { visible } from "../shared/visible.ts";

export interface ColumnsOptions {
  tree: Tree;
  page: ReportPage;
  run: () => Run;
  metric: () => string;
  /** True if the reader wants every digit. */
  digits: () => boolean;
  paintName: (cell: HTMLElement, node: Node) => void;
}

const LONGEST_TYPE = 34; // letters
const NARROW = 640; // pixels

export const moduleColumns = (options: ColumnsOptions): Column<Node>[] => {
  const { page, paintName, tree } = options;
  const name: Column<Node> = {
    key: "name",
    label: "Module",
    fixed: true,
    value: (node) => tree.path(node),
    text: (node) => tree.path(node),
    tip: (node) => tree.path(node),
    paint: paintName,
  };
  // The class stands beside the name, and the rate before the figures, but only where there is room for them.
  const wide = innerWidth > NARROW;
  const type = typeColumn(options);
  const rate = page.samples ? [rateColumn(options)] : [];
  return [
    name,
    ...(wide ? [type] : []),
    share(options),
    ...(page.figures.wire_bytes ? [sentShare(options)] : []),
    ...(wide ? rate : []),
    ...figures(options),
    callsColumn(options),
    ...(wide ? [] : rate),
    ...(wide ? [] : [type]),
    roleColumn(options),
    {
      key: "depth",
      label: "Depth",
      hidden: true,
      num: true,
      value: ({ depth }) => depth,
      text: ({ depth }) => String(depth),
      room: () => "100",
    },
    ...ratios(options),
  ];
};

const share = ({ tree, metric, run }: ColumnsOptions): Column<Node> =>
  shareColumn<Node>({
    value: (node) => tree.total(node, metric(), run()),
    whole: () => tree.total(tree.top, metric(), run()),
    head: () => `of ${tree.metric(metric()).label}`,
  });

/** The communication of a module, beside its share of the chosen figure. */
const sentShare = ({ tree, run }: ColumnsOptions): Column<Node> => ({
  ...shareColumn<Node>({
    key: "sent",
    help: "Share of the bytes on the wire of the whole block: its communication beside what it computes",
    value: (node) => tree.total(node, "wire_bytes", run()),
    whole: () => tree.total(tree.top, "wire_bytes", run()),
    head: () => `of ${tree.metric("wire_bytes").label}`,
  }),
  label: "Communication",
});

const figures = ({ tree, page, run, digits }: ColumnsOptions): Column<Node>[] => {
  const whole = (key: string): Figure => tree.total(tree.top, key, run());
  const shown = {
    value: (node: Node, key: string): Figure => tree.total(node, key, run()),
    digits,
    most: whole,
    mark: (node: Node, key: string): string => (key === "flops" && tree.has(node, "estimate") ? "≈ " : ""),
  };
  // Two columns that are equal in every row tell no more than one.
  const equal = Boolean(page.figures.macs) && Number(whole("flops")) === Number(whole("macs"));
  const usual = ({ key, elementwise }: Metric): boolean => isMain(key) && !(key === "macs" && equal) && !elementwise;
  return inOrder(tree.metrics).map((metric) => ({ ...figureColumn(metric, shown), hidden: !usual(metric) }));
};

const callsColumn = ({ tree, run, digits }: ColumnsOptions): Column<Node> => ({
  key: "calls",
  label: "Calls",
  num: true,
  value: (node) => tree.calls(node, run()),
  text: (node) => (digits() ? exact(tree.calls(node, run())) : human(tree.calls(node, run()))),
  tip: (node) => exact(tree.calls(node, run())),
  room: () => "1,000,000",
});

const longestOf = (texts: string[]): string =>
  texts.reduce((most, text) => (text.length > most.length ? text : most), "");

const typeColumn = ({ tree, page }: ColumnsOptions): Column<Node> => {
  const fitting = page.rows.types.filter((type) => type.length <= LONGEST_TYPE);
  return {
    key: "type",
    label: "Type",
    value: (node) => tree.type(node),
    text: (node) => tree.type(node),
    tip: (node) => tree.extra(node) || tree.type(node),
    room: () => longestOf(fitting),
    paint: (cell, node) => {
      cell.classList.add("type");
      cell.textContent = visible(tree.type(node));
    },
  };
};

const roleColumn = ({ tree, page }: ColumnsOptions): Column<Node> => ({
  key: "role",
  label: "Part",
  help: "What part it plays, as far as its name tells",
  hidden: true,
  value: (node) => tree.role(node),
  text: (node) => tree.role(node),
  room: () => longestOf(page.rows.roles),
});

/** In how many samples a module ran. A container that is never called has no rate. */
const rateColumn = ({ tree, page, run }: ColumnsOptions): Column<Node> => {
  const rate = (node: Node): number => node.rows.reduce((most, row) => Math.max(most, page.samples!.rate[row]!), 0);
  const idle = (node: Node): boolean => tree.has(node, "container") && !Number(tree.calls(node, run()));
  return {
    key: "rate",
    label: "Runs in",
    help: "Share of the samples in which it ran",
    num: true,
    value: (node) => (idle(node) ? null : rate(node)),
    text: (node) => (idle(node) ? "" : percent(rate(node))),
    room: () => "100.0 %",
  };
};

/** Figures that follow from two others, where both are there. */
const ratios = ({ tree, page, run }: ColumnsOptions): Column<Node>[] => {
  const ratio = (
    key: string,
    label: string,
    help: string,
    below: string,
    scale: number,
    hidden: boolean,
  ): Column<Node> => {
    const value = (node: Node): number | null => {
      const divisor = Number(tree.total(node, below, run()));
      return divisor ? (Number(tree.total(node, "flops", run())) * scale) / divisor : null;
    };
    const text = (node: Node): string => {
      const found = value(node);
      return found === null ? "–" : human(found, "ratio");
    };
    return { key, label, help, hidden, num: true, value, text, room: () => WIDEST };
  };
  const measured = Boolean(page.figures.time_ns);
  const bytes = "FLOPs for each byte that operators read or wrote";
  const found: Column<Node>[] = [];
  if (page.figures.bytes) found.push(ratio("intensity", "FLOP/byte", bytes, "bytes", 1, !measured));
  if (measured)
    found.push(ratio("speed", "FLOP/s", "FLOPs a second while it ran, with the profiler on", "time_ns", 1e9, false));
  return found;
};
