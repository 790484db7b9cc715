/** The chart of one figure of several series, with their budgets. */
import { LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use, type EChartsType } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { FILLS, NEUTRAL } from "../chart/colours.ts";
import { el } from "../shared/dom.ts";
import { date, exact, human } from "../shared/numbers.ts";
import { textWidth } from "../shared/measure.ts";
import { color, theme } from "../shared/theme.ts";
import { axis, label, type Axis } from "./axis.ts";
import { changeText, metrics, type Run, type Series } from "./data.ts";

use([LineChart, AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, SVGRenderer]);

/** How many series have a colour of their own. */
export const MOST = FILLS.light.length;

const NEAR = 10; // pixels from a point at which a click is meant for it

/** Shapes of points, so that series differ by more than colour. */
const SHAPES = ["circle", "rect", "triangle", "diamond", "pin"];

export class Trend {
  private chart: EChartsType | null = null;
  private drawn: { series: readonly Series[]; on: Axis; key: string } | null = null;

  constructor(private readonly element: HTMLElement) {}

  /** The chart as it is now; null before it is drawn. */
  get picture(): SVGSVGElement | null {
    return this.element.querySelector("svg");
  }

  draw(series: readonly Series[], key: string): void {
    this.chart ??= this.start();
    const on = axis(series.map(({ runs }) => runs));
    this.drawn = { series, on, key };
    const { kind, label: metric } = metrics.get(key)!;
    const line = { lineStyle: { color: color("line") } };
    const text = { color: color("muted") };
    const budgets = series.flatMap(({ budgets }) => budgets[key]?.[0] ?? []);
    // Labels of budgets stand beside the plot, where no line crosses them.
    const labels = series.flatMap(({ budgets }) => (budgets[key] ? ["budget", budgets[key][1]] : []));
    this.chart.setOption(
      {
        animation: false,
        aria: { enabled: true, label: { description: `${metric} of ${series.map(({ name }) => name).join("; ")}` } },
        legend: { show: series.length > 1, type: "scroll", top: 0, textStyle: { color: color("text") } },
        tooltip: {
          trigger: "axis",
          appendTo: "body",
          confine: true,
          backgroundColor: color("panel"),
          borderColor: color("line"),
          textStyle: { color: color("text"), fontSize: 13 },
          extraCssText: "max-width:min(460px,90vw);white-space:normal;overflow-wrap:anywhere;",
          formatter: ([point]: { dataIndex: number }[]) => this.tip(point!.dataIndex, key),
        },
        grid: {
          left: 72,
          right: Math.max(24, ...labels.map((text) => textWidth(text, "tile") + 12)),
          top: series.length > 1 ? 60 : 36,
          bottom: 56,
        },
        xAxis: {
          type: "category",
          data: on.places.map((_, place) => String(place)),
          axisLabel: {
            ...text,
            hideOverlap: true,
            lineHeight: 16,
            formatter: (place: string) => label(on.places[Number(place)]!),
          },
          axisLine: line,
        },
        yAxis: {
          type: "value",
          name: metric,
          nameTextStyle: { ...text, align: "right", padding: [0, 8, 0, 0] },
          min: 0,
          max: ({ max }: { max: number }) => (budgets.length ? Math.max(max, ...budgets) * 1.05 : undefined),
          // The end that a budget asks for is no round number.
          axisLabel: {
            ...text,
            showMaxLabel: !budgets.length,
            formatter: (value: number) => human(Math.round(value), kind),
          },
          splitLine: line,
        },
        series: series.map((one, which) => this.line(one, on.at[which]!, which, key)),
      },
      { notMerge: true },
    );
  }

  private line(one: Series, runs: (Run | null)[], which: number, key: string): Record<string, unknown> {
    const shade = FILLS[theme()][which] ?? NEUTRAL[theme()];
    const budget = one.budgets[key];
    return {
      name: one.name,
      type: "line",
      step: "end",
      connectNulls: true,
      data: runs.map((run) => (run ? Number(run.values[key]) : null)),
      symbol: SHAPES[which % SHAPES.length],
      // A point for each run, however many there are: ECharts would leave out those without a label.
      showAllSymbol: true,
      symbolSize: this.pointSize(),
      lineStyle: { color: shade, width: 2 },
      itemStyle: { color: shade },
      markLine: budget && {
        silent: true,
        symbol: "none",
        data: [{ yAxis: budget[0] }],
        lineStyle: { color: shade, type: "dashed", width: 1.5 },
        label: {
          color: color("text"),
          lineHeight: 14,
          align: "left",
          formatter: `budget\n${budget[1]}`,
          position: "end",
        },
      },
    };
  }

  /** Pixels of a point: smaller where many stand side by side. */
  private pointSize(): number {
    const apart = this.element.clientWidth / this.drawn!.on.places.length;
    return Math.max(4, Math.min(9, Math.round(1.2 * apart)));
  }

  /** The run whose point is nearest to a pixel of the chart; null if none is near. */
  private runAt(chart: EChartsType, x: number, y: number, key: string): Run | null {
    const { on } = this.drawn!;
    let nearest: { run: Run; away: number } | null = null;
    for (const [which, runs] of on.at.entries()) {
      const finder = { seriesIndex: which };
      const place = Math.round(Number((chart.convertFromPixel(finder, [x, y]) as number[])[0]));
      for (const at of [place - 1, place, place + 1]) {
        const run = runs[at];
        if (!run) continue;
        const [left, top] = chart.convertToPixel(finder, [at, Number(run.values[key])]) as [number, number];
        const away = Math.hypot(left - x, top - y);
        if (away <= NEAR && (!nearest || away < nearest.away)) nearest = { run, away };
      }
    }
    return nearest?.run ?? null;
  }

  /** What the pointer shows at a place: each series' figure there. */
  private tip(place: number, key: string): HTMLElement {
    const { series, on } = this.drawn!;
    const { commit, created } = on.places[place]!;
    const lines = series.flatMap((one, which) => {
      const run = on.at[which]![place];
      return run
        ? [
            el(
              "div",
              {},
              series.length > 1 ? `${one.name}: ` : "",
              `${exact(run.values[key]!)} ${metrics.get(key)!.label} ${changeText(run, key)}`,
            ),
          ]
        : [];
    });
    return el("div", {}, el("b", {}, commit || date(created)), commit ? ` ${date(created)}` : null, ...lines);
  }

  private start(): EChartsType {
    const made = init(this.element, null, { renderer: "svg" });
    new ResizeObserver(() => made.resize()).observe(this.element);
    // On paper and in a file the picture may have another size.
    made.on("rendered", () => this.picture?.setAttribute("viewBox", `0 0 ${made.getWidth()} ${made.getHeight()}`));
    // The page of what changed says most of a point; the first of a series has only its report.
    made.getZr().on("click", ({ offsetX, offsetY }) => {
      const run = this.runAt(made, offsetX, offsetY, this.drawn!.key);
      if (run) location.href = run.diff ?? run.page;
    });
    return made;
  }
}
