// Charts of several runs: breakdowns side by side, paired differences, a score over time.

import type { SymbolType } from "@observablehq/plot";
import { chart, plotFrame, shrunkMarks, shrunkOf, shrunkWords, TIP, valueDomain, zoomedDomain } from "./charts.ts";
import { dataText, h } from "./dom.ts";
import { formatCount, formatInterval, formatScore, formatSigned, shorten } from "./format.ts";
import { allRuns, boardRows, rowOf } from "./runs.ts";
import type { Bar, Outcome, Run } from "./types.ts";

const COLORS = 8;
/** The color of a row or a run, the same on every page: a run has that of its row. */
export function runColor(id: string): string {
  const row = rowOf(id);
  const place = row ? boardRows().indexOf(row) : allRuns().findIndex((run) => run.id === id);
  return `var(--c${place % COLORS})`;
}

/** One bar of a breakdown of one run. */
export interface RunBar extends Bar {
  id: string;
  run: string;
}

/** A paired difference; `gain` is 1 where the second run is better, -1 where the first is. */
export interface DifferenceRow {
  label: string;
  value: number | null;
  low: number | null;
  high: number | null;
  significant: boolean;
  gain: number;
}

/** A run of a history. */
export interface TrendPoint extends Bar {
  gate: Outcome | null;
  /** How much worse the model became by the drift that was found at this run; null where none was. */
  drift: number | null;
  /** Whether it cannot be compared with the runs before. */
  begins: boolean;
}

/** One row a label, one dot a run: breakdowns side by side. */
export function breakdownChart(rows: RunBar[], label: string): HTMLElement {
  const shown = rows.filter((row) => row.value !== null);
  const labels = [...new Set(shown.map((row) => row.label))];
  const ids = [...new Set(shown.map((row) => row.id))];
  const step = Math.max(28, 12 * ids.length + 12);
  const at = new Map(labels.map((one, place) => [one, place]));
  const y = (row: RunBar) => (at.get(row.label) ?? 0) + (ids.indexOf(row.id) + 1) / (ids.length + 1);
  const words = (row: RunBar) =>
    `${row.run}, ${row.label}: ${formatScore(row.value)} (${formatInterval(row)}, n = ${formatCount(row.n)})${shrunkWords(row)}`;
  const domain = valueDomain([...shown, ...shrunkOf(shown)]);
  const height = labels.length * step + 40;
  return chart(
    `${label}. ${shown.map(words).join("; ")}`,
    (width) => {
      const left = Math.min(Math.max(40, ...labels.map((one) => Math.min(one.length, 24) * 7 + 12)), width * 0.36);
      return Plot.plot(
        plotFrame(width, height, {
          marginLeft: left,
          marginTop: 6,
          marginBottom: 30,
          x: { domain, label: null, ticks: width < 360 ? 3 : 5 },
          y: {
            domain: [0, labels.length],
            reverse: true,
            label: null,
            tickSize: 0,
            ticks: labels.map((_, place) => place + 0.5),
            tickFormat: (place: number) => shorten(labels[Math.floor(place)], Math.max(6, Math.floor((left - 12) / 7))),
          },
          marks: [
            Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: width < 360 ? 3 : 5 }),
            Plot.ruleY(labels.map((_, place) => place).slice(1), { stroke: "var(--line)" }),
            Plot.ruleY(
              shown.filter((row) => row.low !== null),
              {
                y,
                x1: "low",
                x2: "high",
                stroke: (row: RunBar) => runColor(row.id),
                strokeOpacity: 0.45,
                strokeWidth: 5,
                strokeLinecap: "round",
              },
            ),
            Plot.dot(shown, {
              y,
              x: "value",
              r: 4,
              fill: (row: RunBar) => runColor(row.id),
              stroke: "var(--surface)",
              strokeWidth: 1,
            }),
            ...shrunkMarks(shown, y, (row) => runColor(row.id)),
            Plot.tip(shown, Plot.pointer({ x: "value", y, title: words, ...TIP })),
          ],
        }),
      );
    },
    height,
  );
}

/** What a color stands for. */
export const legend = (runs: Run[]): HTMLElement =>
  h(
    "ul",
    { class: "legend" },
    runs.map((run) => {
      const dot = h("span", { class: "legend-dot", "aria-hidden": "true" });
      dot.style.background = runColor(run.id);
      return h("li", {}, dot, dataText(run.label));
    }),
  );

/** Paired differences with their intervals around zero. */
export function differenceChart(rows: DifferenceRow[], label: string): HTMLElement {
  const ends = rows.flatMap((row) => [row.value, row.low, row.high, 0]).filter((end) => end !== null);
  const reach = Math.max(1, ...ends.map(Math.abs)) * 1.08;
  const domain = [Math.min(...ends) < 0 ? -reach : -reach / 6, Math.max(...ends) > 0 ? reach : reach / 6];
  const words = (row: DifferenceRow) => `${row.label}: ${formatSigned(row.value)} (${formatInterval(row)})`;
  const tone = (row: DifferenceRow) =>
    !row.significant || !row.gain ? "var(--muted)" : row.gain > 0 ? "var(--right)" : "var(--wrong)";
  const height = rows.length * 32 + 34;
  return chart(
    `${label}. ${rows.map(words).join("; ")}`,
    (width) => {
      const left = Math.min(Math.max(60, ...rows.map((row) => Math.min(row.label.length, 30) * 7 + 12)), width * 0.42);
      return Plot.plot(
        plotFrame(width, height, {
          marginLeft: left,
          marginTop: 4,
          marginBottom: 30,
          x: { domain, label: null, ticks: 5, tickFormat: (value: number) => formatSigned(value, 0) },
          y: {
            domain: rows.map((_, place) => String(place)),
            label: null,
            tickSize: 0,
            tickFormat: (place: string) => shorten(rows[Number(place)].label, Math.max(6, Math.floor((left - 12) / 7))),
          },
          marks: [
            Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.ruleX([0], { stroke: "var(--line-strong)", strokeWidth: 1.5 }),
            Plot.ruleY(
              rows.filter((row) => row.low !== null),
              {
                y: (row: DifferenceRow) => String(rows.indexOf(row)),
                x1: "low",
                x2: "high",
                stroke: tone,
                strokeOpacity: 0.45,
                strokeWidth: 7,
                strokeLinecap: "round",
              },
            ),
            Plot.dot(rows, {
              y: (row: DifferenceRow) => String(rows.indexOf(row)),
              x: "value",
              r: 4.5,
              fill: tone,
              stroke: "var(--surface)",
            }),
            Plot.tip(
              rows,
              Plot.pointerY({
                x: "value",
                y: (row: DifferenceRow) => String(rows.indexOf(row)),
                title: words,
                ...TIP,
              }),
            ),
          ],
        }),
      );
    },
    height,
  );
}

const GATES: Record<Outcome, [symbol: SymbolType, color: string]> = {
  pass: ["circle", "var(--right)"],
  fail: ["times", "var(--wrong)"],
  unknown: ["diamond", "var(--warn)"],
};

/** A score over several runs, oldest first; gate outcomes above, drifts and new stretches as vertical lines. */
export function trendChart(points: TrendPoint[], label: string): HTMLElement {
  const shown = points.map((point, at) => ({ ...point, at }));
  const words = (one: TrendPoint) =>
    `${one.name}: ${formatScore(one.value)} (${formatInterval(one)})${one.gate ? `, gate: ${one.gate}` : ""}${one.drift === null ? "" : `, drift of −${formatScore(one.drift)}`}`;
  const known = shown.filter((one) => one.value !== null);
  const gated = shown.filter((one) => one.gate);
  return chart(
    `${label}. ${shown.map(words).join("; ")}`,
    (width) =>
      Plot.plot(
        plotFrame(width, 240, {
          marginLeft: 44,
          x: {
            type: "point",
            domain: shown.map((one) => one.at),
            label: null,
            tickFormat: (at: number) => shorten(shown[at].name, Math.max(5, Math.floor(width / shown.length / 8))),
            padding: 0.5,
          },
          y: { label: null, ticks: 5, domain: zoomedDomain(known), inset: 8 },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.ruleX(
              shown.filter((one) => one.begins),
              { x: "at", dx: -6, stroke: "var(--line-strong)", strokeDasharray: "3 4" },
            ),
            Plot.ruleX(
              shown.filter((one) => one.drift !== null),
              { x: "at", stroke: "var(--wrong)", strokeWidth: 1.5, strokeDasharray: "6 3" },
            ),
            Plot.text(
              shown.filter((one) => one.drift !== null),
              {
                x: "at",
                frameAnchor: "bottom",
                dy: -6,
                text: () => "drift",
                fill: "var(--wrong)",
                stroke: "var(--surface)",
                strokeWidth: 4,
                fontWeight: 600,
              },
            ),
            Plot.areaY(
              known.filter((one) => one.low !== null),
              { x: "at", y1: "low", y2: "high", fill: "var(--accent)", fillOpacity: 0.14 },
            ),
            Plot.line(known, { x: "at", y: "value", stroke: "var(--accent)", strokeWidth: 1.8 }),
            Plot.ruleX(
              known.filter((one) => one.low !== null),
              {
                x: "at",
                y1: "low",
                y2: "high",
                stroke: "var(--accent)",
                strokeOpacity: 0.4,
                strokeWidth: 4,
                strokeLinecap: "round",
              },
            ),
            Plot.dot(known, {
              x: "at",
              y: "value",
              r: 4.5,
              fill: "var(--accent)",
              stroke: "var(--surface)",
            }),
            Plot.dot(gated, {
              x: "at",
              frameAnchor: "top",
              dy: -8,
              r: 5,
              symbol: (one: TrendPoint) => GATES[one.gate ?? "unknown"][0],
              stroke: (one: TrendPoint) => GATES[one.gate ?? "unknown"][1],
              strokeWidth: 2.5,
            }),
            Plot.tip(known, Plot.pointerX({ x: "at", y: "value", title: words, ...TIP })),
          ],
        }),
      ),
    240,
  );
}
