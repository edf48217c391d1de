// Scatter charts: score against cost, accuracy against confidence.

import { chart, plotFrame, TIP } from "./charts.ts";
import { formatScore, plural, shorten } from "./format.ts";
import { runColor } from "./run_charts.ts";
import type { Calibration } from "./types.ts";

/** A run on the plane of cost and score. */
export interface CostPoint {
  id: string;
  label: string;
  x: number;
  y: number;
  /** The score if every question without one were wrong. */
  least: number;
  low: number | null;
  high: number | null;
}

interface ParetoText {
  label: string;
  xLabel: string;
  yLabel: string;
  /** Writes a cost. */
  format: (value: number) => string;
}

/** The Pareto front: points that no other beats on both axes, with less of x and more of y; missing answers lift none. */
function front(points: CostPoint[]): CostPoint[] {
  let best = -Infinity;
  return [...points]
    .sort((a, b) => a.x - b.x || b.least - a.least)
    .filter(({ least }) => least > best && ((best = least), true));
}

/** Score against what it costs; the stepped line joins those that no other run beats on both. */
export function paretoChart(points: CostPoint[], { label, xLabel, yLabel, format }: ParetoText): HTMLElement {
  const words = points.map((one) => `${one.label}: ${formatScore(one.y)} at ${format(one.x)}`);
  const costs = points.map((one) => one.x);
  const [least, most] = [Math.min(...costs), Math.max(...costs)];
  const spread = most > 20 * least;
  return chart(
    `${label}. ${words.join("; ")}`,
    (width) =>
      Plot.plot(
        plotFrame(width, 280, {
          x: {
            label: xLabel,
            type: spread ? "log" : "linear",
            domain: spread ? [least / 2, most * 2] : [Math.max(0, least - 0.3 * most), 1.2 * most],
            ticks: 4,
            tickFormat: format,
            labelArrow: "none",
          },
          y: { label: yLabel, ticks: 5, inset: 18, labelArrow: "none" },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.line(front(points), {
              x: "x",
              y: "y",
              curve: "step-after",
              stroke: "var(--muted)",
              strokeDasharray: "4 4",
            }),
            Plot.ruleX(
              points.filter((one) => one.low !== null),
              { x: "x", y1: "low", y2: "high", stroke: (one: CostPoint) => runColor(one.id) },
            ),
            Plot.dot(points, {
              x: "x",
              y: "y",
              r: 6,
              fill: (one: CostPoint) => runColor(one.id),
              stroke: "var(--surface)",
              strokeWidth: 1.5,
            }),
            Plot.text(points, {
              x: "x",
              y: "y",
              text: (one) => shorten(one.label, Math.max(8, Math.floor(width / 26))),
              dy: -14,
              fill: "var(--ink)",
              stroke: "var(--surface)",
              strokeWidth: 3,
              fontSize: 11.5,
            }),
            Plot.tip(
              points,
              Plot.pointer({
                x: "x",
                y: "y",
                title: (one) => `${one.label}\n${formatScore(one.y)} at ${format(one.x)}`,
                ...TIP,
              }),
            ),
          ],
        }),
      ),
    280,
  );
}

/** Accuracy by confidence; on the dashed line a model is calibrated. */
export function reliabilityChart({ bins, error }: Calibration): HTMLElement {
  const words = bins.map(
    (bin) =>
      `confidence ${formatScore(100 * bin.confidence)} %: accuracy ${formatScore(100 * bin.right)} % of ${bin.count}`,
  );
  const most = Math.max(...bins.map((bin) => bin.count));
  return chart(
    `Calibration. ${words.join("; ")}. Expected calibration error ${formatScore(100 * error)} points.`,
    (width) =>
      Plot.plot(
        plotFrame(width, 230, {
          marginLeft: 40,
          x: {
            label: "confidence, %",
            domain: [bins[0].low < 0.5 ? 0 : 50, 100],
            ticks: 5,
            labelArrow: "none",
          },
          y: { label: "accuracy, %", domain: [0, 100], ticks: 5, labelArrow: "none" },
          r: { range: [3, 10], domain: [0, most] },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.line(
              [
                [0, 0],
                [100, 100],
              ],
              { stroke: "var(--muted)", strokeDasharray: "4 4", clip: true },
            ),
            Plot.line(bins, {
              x: (bin) => 100 * bin.confidence,
              y: (bin) => 100 * bin.right,
              stroke: "var(--accent)",
            }),
            Plot.dot(bins, {
              x: (bin) => 100 * bin.confidence,
              y: (bin) => 100 * bin.right,
              r: "count",
              fill: "var(--accent)",
              stroke: "var(--surface)",
            }),
            Plot.tip(
              bins,
              Plot.pointer({
                x: (bin) => 100 * bin.confidence,
                y: (bin) => 100 * bin.right,
                title: (bin) =>
                  `${plural(bin.count, "answer")}\nconfidence ${formatScore(100 * bin.confidence)} %\naccuracy ${formatScore(100 * bin.right)} %`,
                ...TIP,
              }),
            ),
          ],
        }),
      ),
    230,
  );
}
