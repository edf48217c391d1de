// How long answers take: a table, and the time to the first token by part as bars.

import { chart, TIP } from "../lib/charts.ts";
import { h } from "../lib/dom.ts";
import { formatScore, humanize } from "../lib/format.ts";
import { card, panel } from "../lib/panels.ts";
import { type Column, dataTable } from "../lib/table.ts";
import type { Latency } from "../lib/types.ts";

const PARTS: Record<string, string> = {
  vision_tower: "var(--c0)",
  connector: "var(--c1)",
  language_model: "var(--c2)",
  rest: "var(--c7)",
};

const milliseconds = (seconds: number): string => formatScore(1000 * seconds, 2);

const label = (one: Latency): string => `${one.words} words, ${one.pixels} px, ${one.answers}×`;

/** One number column of the table. */
const column = (
  head: string,
  cell: (one: Latency) => string,
  plain: (one: Latency) => number | null,
): Column<Latency> => ({
  head,
  class: "number",
  cell,
  plain,
});

const COLUMNS: Column<Latency>[] = [
  column(
    "words",
    (one) => String(one.words),
    (one) => one.words,
  ),
  column(
    "pixels",
    (one) => String(one.pixels),
    (one) => one.pixels,
  ),
  column(
    "answers",
    (one) => String(one.answers),
    (one) => one.answers,
  ),
  column(
    "prompt tokens",
    (one) => (one.prompt_tokens ? String(one.prompt_tokens) : "–"),
    (one) => one.prompt_tokens,
  ),
  column(
    "first token, ms",
    (one) => `${milliseconds(one.first)} (${one.first_range.map(milliseconds).join(" – ")})`,
    (one) => 1000 * one.first,
  ),
  column(
    "CPU, ms",
    (one) => milliseconds(one.cpu),
    (one) => 1000 * one.cpu,
  ),
  column(
    "per token, ms",
    (one) => milliseconds(one.per_token),
    (one) => 1000 * one.per_token,
  ),
];

/** The time to the first token by part, a bar for each setting. */
function bars(measured: Latency[]): HTMLElement {
  const pieces = measured.flatMap((one) =>
    Object.entries(one.parts).map(([part, seconds]) => ({ setting: label(one), part, value: 1000 * seconds })),
  );
  const said = (piece: (typeof pieces)[number]) => `${humanize(piece.part)}: ${formatScore(piece.value, 2)} ms`;
  return chart(
    `Milliseconds to the first token, by part. ${pieces.map((piece) => `${piece.setting}, ${said(piece)}`).join("; ")}`,
    (width) =>
      Plot.plot({
        className: "plot",
        style: { fontSize: "11px" },
        width,
        height: 40 + 24 * measured.length,
        marginLeft: Math.min(170, width * 0.45),
        x: { label: "milliseconds to the first token", ticks: width < 360 ? 3 : 5 },
        y: { label: null, domain: measured.map(label) },
        color: { domain: Object.keys(PARTS), range: Object.values(PARTS), legend: false },
        marks: [
          Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
          Plot.barX(pieces, { x: "value", y: "setting", fill: "part" }),
          Plot.tip(pieces, Plot.pointerY(Plot.stackX({ x: "value", y: "setting", z: "part", title: said, ...TIP }))),
        ],
      }),
    40 + 24 * measured.length,
  );
}

const legend = (): HTMLElement =>
  h(
    "p",
    { class: "chips" },
    Object.entries(PARTS).map(([part, color]) => {
      const mark = h("span", {}, "■ ");
      mark.style.color = color;
      return h("span", { class: "chip" }, mark, humanize(part));
    }),
  );

export const latencyCard = (measured: Latency[]): HTMLElement =>
  card(
    "Latency",
    null,
    null,
    h(
      "div",
      { class: "panels" },
      panel("By setting", null, dataTable("Latency by setting", COLUMNS, measured, { class: "slim" })),
      measured.some((one) => Object.keys(one.parts).length)
        ? panel("Time to the first token, by part", null, legend(), bars(measured))
        : null,
    ),
  );
