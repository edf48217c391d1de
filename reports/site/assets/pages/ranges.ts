// The page of training ablations: a panel per column, a row per variant with its mean and range over the seeds.

import { rangeChart } from "../lib/charts.ts";
import { block } from "../lib/data.ts";
import { h } from "../lib/dom.ts";
import { formatScore } from "../lib/format.ts";
import { panel } from "../lib/panels.ts";
import type { RangePanel } from "../lib/types.ts";

const describe = (bar: RangePanel["bars"][number]): string =>
  `${bar.label}: ${formatScore(bar.value, 3)} (${formatScore(bar.low, 3)} to ${formatScore(bar.high, 3)})`;

const panels = block<RangePanel[]>("ranges") ?? [];
document.getElementById("curve")?.append(
  h(
    "div",
    { class: "panels" },
    panels.map(({ name, bars }) => panel(name, null, rangeChart(name, bars, describe))),
  ),
);
