import { init, use } from "echarts/core";
import { BarChart, LineChart, TreemapChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
use([BarChart, LineChart, TreemapChart, GridComponent, TooltipComponent, CanvasRenderer]);
globalThis.echarts = { init };
