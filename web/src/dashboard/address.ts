/** The view of the dashboard as its address tells it. */
import type { TableView } from "../shared/table/table.ts";

export interface View {
  metric: string;
  /** Names of the series in the chart. */
  series: string[];
  /** What the reader made of the tables. */
  models: TableView;
  runs: TableView;
}

const TABLES = ["models", "runs"] as const;

/** The part of an address behind "#"; what is as usual is left out. */
export const writeView = (view: View, usual: View): string => {
  const found = new URLSearchParams();
  if (view.metric !== usual.metric) found.set("metric", view.metric);
  if (view.series.join("\0") !== usual.series.join("\0")) for (const name of view.series) found.append("series", name);
  for (const key of TABLES) {
    const { query, sort, columns } = view[key];
    if (query) found.set(`${key}.query`, query);
    if (sort) found.set(`${key}.sort`, `${sort.down ? "-" : ""}${sort.key}`);
    if (columns) found.set(`${key}.columns`, columns.join(" "));
  }
  return found.toString();
};

/** What an address shows. */
export const readView = (hash: string, usual: View): View => {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const series = found.getAll("series");
  const table = (key: (typeof TABLES)[number]): TableView => {
    const sort = found.get(`${key}.sort`);
    return {
      query: found.get(`${key}.query`) ?? "",
      sort: sort ? { key: sort.replace(/^-/, ""), down: sort.startsWith("-") } : null,
      columns: found.get(`${key}.columns`)?.split(" ") ?? null,
    };
  };
  return {
    metric: found.get("metric") ?? usual.metric,
    series: series.length ? series : usual.series,
    models: table("models"),
    runs: table("runs"),
  };
};
