// Charts, drawn by Observable Plot. Colors are CSS variables, so light and dark need no second drawing.

import type { Markish, PlotOptions } from "@observablehq/plot";
import { h } from "./dom.ts";
import { formatCount, formatInterval, formatScore, humanize, shorten } from "./format.ts";
import type { Bar, LengthBin, RangePanel, TrainingStage } from "./types.ts";

/**
 * A place for a chart that is drawn when it comes near the window, and again when its width changes.
 * `label` is what a screen reader says; `height` keeps its place until it is drawn.
 */
export function chart(label: string, draw: (width: number) => Element, height = 16): HTMLElement {
  const place = h("div", { class: "chart", role: "img", "aria-label": label });
  place.style.minHeight = `${height}px`;
  let width = 0;
  let near = false;
  const now = (entry?: ResizeObserverEntry) => {
    const wide = Math.floor(entry?.contentRect.width ?? place.clientWidth);
    if (!near || wide === width || wide < 40) return;
    width = wide;
    const drawn = draw(width);
    drawn.setAttribute("aria-hidden", "true");
    place.replaceChildren(drawn);
  };
  const seen = new IntersectionObserver(
    ([entry]) => {
      if (!entry.isIntersecting) return;
      seen.disconnect();
      near = true;
      now();
    },
    { rootMargin: "600px" },
  );
  seen.observe(place);
  new ResizeObserver(([entry]) => now(entry)).observe(place);
  return place;
}
/** The style of every tooltip. */
export const TIP = {
  fill: "var(--surface)",
  stroke: "var(--line-strong)",
  fontSize: 12,
  lineHeight: 1.3,
  textPadding: 8,
};

/** What a tooltip and a screen reader say of a bar. */
export const barLabel = (bar: Bar): string =>
  `${bar.label || humanize(bar.name)}: ${formatScore(bar.value)} (${formatInterval(bar)}, n = ${formatCount(bar.n)})${shrunkWords(bar)}`;

/** `, shrunk 71.2 (68.0 – 75.1)`; nothing where there is no shrunk value. */
export const shrunkWords = (bar: Bar): string =>
  shrunkOf([bar])
    .map((one) => `, shrunk ${formatScore(one.value)} (${formatInterval(one)})`)
    .join("");

/** The bars that have a shrunk value, with it in place of their own. */
export const shrunkOf = <T extends Bar>(bars: T[]): T[] =>
  bars.flatMap((bar) => {
    const { value, low = null, high = null } = bar.shrunk ?? {};
    return value === undefined || value === null ? [] : [{ ...bar, value, low, high }];
  });

/** The marks of shrunk values: hollow dots below the raw ones. */
export const shrunkMarks = <T extends Bar>(bars: T[], y: string | ((bar: T) => number), color: (bar: T) => string) => {
  const drawn = shrunkOf(bars);
  const place = { y, stroke: color, dy: 6 };
  return [
    Plot.ruleY(drawn, { x1: "low", x2: "high", ...place, strokeWidth: 1.5, strokeDasharray: "2 2" }),
    Plot.dot(drawn, { x: "value", ...place, r: 3.5, fill: "var(--surface)", strokeWidth: 1.5 }),
  ];
};

const SHRUNK =
  "Hollow, dashed: shrunk. Drawn towards the mean of the breakdown; intervals hold on average over its bars, not for each bar.";

/** What stands beside a breakdown with shrunk values, or why it has none; null where nobody asked for them. */
export function shrunkHint(bars: Bar[]): string | null {
  if (shrunkOf(bars).length) return SHRUNK;
  const reason = bars.find((bar) => bar.shrunk?.reason)?.shrunk?.reason;
  return reason ? `Not shrunk: ${reason}.` : null;
}

export type Domain = [low: number, high: number];
type Ends = Pick<Bar, "value" | "low" | "high">;
type Range = RangePanel["bars"][number];

export interface LinePoint {
  name: string;
  step: number;
  value: number;
}

const endsOf = (bars: Ends[]): number[] =>
  bars.flatMap((bar) => [bar.value, bar.low, bar.high]).filter((end) => end !== null);

/** The axis the bars of a task share: 0-100 for rates, further for sums. */
export function valueDomain(bars: Ends[]): Domain {
  const ends = endsOf(bars);
  return [Math.min(0, ...ends), Math.max(100, ...ends)];
}

/** Bars with intervals, one a label. */
export function barChart(bars: Bar[], label: string): HTMLElement {
  const shown = bars.filter((bar) => bar.value !== null).map((bar, place) => ({ ...bar, place: String(place) }));
  const domain = valueDomain([...shown, ...shrunkOf(shown)]);
  return chart(
    `${label}. ${shown.map(barLabel).join("; ")}`,
    (width) => {
      const letters = Math.min(24, Math.max(6, ...shown.map((bar) => bar.label.length)));
      const left = Math.min(letters * 7 + 12, width * 0.4);
      const most = Math.max(6, Math.floor((left - 12) / 7));
      return Plot.plot({
        className: "plot",
        style: { fontSize: "12px" },
        width,
        height: shown.length * 30 + 40,
        marginLeft: left,
        marginRight: 52,
        marginTop: 6,
        marginBottom: 30,
        x: { domain, label: null, ticks: width < 360 ? 3 : 5, insetRight: 4 },
        y: {
          domain: shown.map((bar) => bar.place),
          label: null,
          tickSize: 0,
          padding: 0.3,
          tickFormat: (place: string) => shorten(shown[Number(place)].label, most),
        },
        marks: [
          Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: width < 360 ? 3 : 5 }),
          Plot.barX(shown, { x: "value", y: "place", fill: "var(--bar)", rx2: 3 }),
          ...interval(
            shown.filter((bar) => bar.low !== null),
            "place",
          ),
          ...shrunkMarks(shown, "place", () => "var(--accent)"),
          Plot.text(shown, {
            x: domain[1],
            y: "place",
            text: (bar) => formatScore(bar.value),
            textAnchor: "start",
            dx: 10,
            fill: "var(--ink)",
            fontWeight: 600,
            fontSize: 12,
          }),
          Plot.tip(shown, Plot.pointerY({ x: "value", y: "place", title: barLabel, ...TIP })),
        ],
      });
    },
    shown.length * 30 + 40,
  );
}

function interval(bars: Bar[], y: string): Markish[] {
  const ends = { y, stroke: "var(--ink)", strokeWidth: 1.5 };
  return [
    Plot.ruleY(bars, { x1: "low", x2: "high", ...ends }),
    Plot.tickX(bars, { x: "low", ...ends, insetTop: 6, insetBottom: 6 }),
    Plot.tickX(bars, { x: "high", ...ends, insetTop: 6, insetBottom: 6 }),
  ];
}

/** One value with its interval on an axis that several rows share: the cell of a leaderboard. */
export const intervalChart = (bar: Bar, domain: Domain, label: string, color: string): HTMLElement =>
  chart(
    `${label}: ${barLabel(bar)}`,
    (width) => {
      const one = bar.value === null ? [] : [{ ...bar, place: "" }];
      const known = one.filter((only) => only.low !== null);
      return Plot.plot({
        className: "plot",
        width,
        height: 34,
        margin: 0,
        marginLeft: 6,
        marginRight: 6,
        x: { domain, axis: null },
        y: { domain: [""], axis: null, padding: 0 },
        marks: [
          Plot.ruleX(ticks(domain), { stroke: "var(--line)" }),
          Plot.ruleY(known, {
            x1: "low",
            x2: "high",
            y: "place",
            stroke: color,
            strokeOpacity: 0.28,
            strokeWidth: 9,
            strokeLinecap: "round",
          }),
          Plot.dot(one, {
            x: "value",
            y: "place",
            r: 4.5,
            fill: color,
            stroke: "var(--surface)",
            strokeWidth: 1.5,
          }),
        ],
      });
    },
    34,
  );

/** The axis above a column of whiskers. */
export const intervalAxis = (domain: Domain): HTMLElement =>
  chart(`axis from ${formatScore(domain[0], 0)} to ${formatScore(domain[1], 0)}`, (width) =>
    Plot.plot({
      className: "plot",
      width,
      height: 16,
      margin: 0,
      marginLeft: 6,
      marginRight: 6,
      x: { domain, axis: null },
      marks: ticks(domain).map((at) =>
        Plot.text([at], {
          x: [at],
          frameAnchor: "middle",
          text: [formatScore(at, 0)],
          fill: "var(--muted)",
          fontSize: 11,
          textAnchor: at === domain[0] ? "start" : at === domain[1] ? "end" : "middle",
        }),
      ),
    }),
  );

const ticks = ([low, high]: Domain): number[] => d3.ticks(low, high, 4).filter((at) => at >= low && at <= high);

/** Where the rows of a leaderboard stand, with a little air; the whole scale when they spread. */
export function zoomedDomain(bars: Ends[]): Domain {
  const ends = endsOf(bars);
  if (!ends.length) return [0, 100];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const air = Math.max(2.5, (high - low) * 0.15);
  const top = high <= 100 ? 100 : high + air;
  return [Math.max(Math.min(0, low), Math.floor((low - air) / 5) * 5), Math.min(top, Math.ceil((high + air) / 5) * 5)];
}

/** How many answers have how many words. */
export const lengthHistogram = (bins: LengthBin[]): HTMLElement =>
  chart(`Answer length in words. ${bins.map((bin) => `${bin.label}: ${bin.count}`).join("; ")}`, (width) =>
    Plot.plot({
      className: "plot",
      style: { fontSize: "12px" },
      width,
      height: 150,
      marginLeft: 8,
      marginRight: 8,
      marginTop: 22,
      marginBottom: 26,
      x: { domain: bins.map((bin) => bin.label), label: null, tickSize: 0, padding: bins.length < 3 ? 0.6 : 0.2 },
      y: { axis: null },
      marks: [
        Plot.barY(bins, { x: "label", y: "count", fill: "var(--bar)", ry2: 3 }),
        Plot.text(bins, {
          x: "label",
          y: "count",
          text: (bin) => formatCount(bin.count),
          dy: -9,
          fill: "var(--ink)",
          fontSize: 11,
        }),
        Plot.ruleY([0], { stroke: "var(--line-strong)" }),
      ],
    }),
  );

/** The loss over the steps of one training stage. */
export function lossCurve(stage: TrainingStage): HTMLElement {
  const points = stage.step.map((step, at) => ({ step, loss: stage.loss[at] }));
  const last = points[points.length - 1];
  return chart(
    `Loss of stage ${stage.name}: from ${formatScore(points[0].loss, 3)} to ${formatScore(last.loss, 3)} in ${last.step} steps`,
    (width) =>
      Plot.plot({
        className: "plot",
        style: { fontSize: "11px" },
        width,
        height: 200,
        marginLeft: 44,
        marginRight: 16,
        marginTop: 12,
        marginBottom: 34,
        x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
        y: { label: null, ticks: 5, zero: points.every((point) => point.loss >= 0) },
        marks: [
          Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
          Plot.line(points, { x: "step", y: "loss", stroke: "var(--accent)", strokeWidth: 1.8 }),
          Plot.tip(
            points,
            Plot.pointerX({
              x: "step",
              y: "loss",
              title: (point) => `step ${formatCount(point.step)}\nloss ${formatScore(point.loss, 4)}`,
              ...TIP,
            }),
          ),
        ],
      }),
  );
}

/** Lines by name over steps, named at their ends. */
export const lineChart = (title: string, points: LinePoint[]): HTMLElement =>
  chart(title, (width) =>
    Plot.plot({
      className: "plot",
      style: { fontSize: "11px" },
      width,
      height: 140,
      marginLeft: 52,
      marginRight: 90,
      marginTop: 10,
      marginBottom: 30,
      x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
      y: { label: null, ticks: 4, zero: true, tickFormat: "~g" },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 4 }),
        Plot.line(points, { x: "step", y: "value", z: "name", stroke: "var(--accent)", strokeWidth: 1.4 }),
        Plot.text(
          points,
          Plot.selectLast({ x: "step", y: "value", z: "name", text: "name", textAnchor: "start", dx: 4 }),
        ),
      ],
    }),
  );

/** Means as dots with their ranges, a row each, on an axis that need not begin at 0. */
export const rangeChart = (title: string, bars: Range[], describe: (bar: Range) => string): HTMLElement =>
  chart(
    `${title}. ${bars.map(describe).join("; ")}`,
    (width) => {
      const left = Math.min(200, width * 0.45);
      return Plot.plot({
        className: "plot",
        style: { fontSize: "12px" },
        width,
        height: bars.length * 28 + 44,
        marginLeft: left,
        marginRight: 20,
        marginTop: 6,
        marginBottom: 32,
        x: { label: null, nice: true, ticks: width < 360 ? 3 : 5 },
        y: {
          domain: bars.map((bar) => bar.label),
          label: null,
          tickSize: 0,
          tickFormat: (label: string) => shorten(label, Math.floor((left - 12) / 7)),
        },
        marks: [
          Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
          Plot.ruleY(bars, { x1: "low", x2: "high", y: "label", stroke: "var(--ink)", strokeWidth: 1.5 }),
          Plot.dot(bars, { x: "value", y: "label", fill: "var(--accent)", r: 4 }),
          Plot.tip(bars, Plot.pointerY({ x: "value", y: "label", title: describe, ...TIP })),
        ],
      });
    },
    bars.length * 28 + 44,
  );

/** The frame that charts of several runs share; `more` overrides it. */
export const plotFrame = (width: number, height: number, more: PlotOptions): PlotOptions => ({
  className: "plot",
  style: { fontSize: "12px" },
  width,
  height,
  marginTop: 22,
  marginRight: 18,
  marginBottom: 38,
  marginLeft: 52,
  ...more,
});
