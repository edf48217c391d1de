// Panels on what a task's answers look like: confusions, how sure, how long, which words.

import { barChart, lengthHistogram, shrunkHint } from "../lib/charts.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import { formatCount, formatScore, formatSigned, humanize, plural, shorten } from "../lib/format.ts";
import { factList, panel } from "../lib/panels.ts";
import { linkTo } from "../lib/route.ts";
import { reliabilityChart } from "../lib/scatter_charts.ts";
import { type Column, dataTable } from "../lib/table.ts";
import type {
  AnswerStats,
  Breakdown,
  Calibration,
  Confusion,
  Labelled,
  Run,
  Task,
  TaskDetails,
  YesNo,
} from "../lib/types.ts";

function yesNo(table: YesNo): HTMLElement {
  const cell = (name: "yes_yes" | "yes_no" | "no_yes" | "no_no", kind: string) =>
    h("td", { class: `number ${kind}` }, formatCount(table[name]));
  const share = (value: number | null) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
  return panel(
    "Yes and no",
    `answered yes ${share(table.answered_yes)}, target yes ${share(table.target_yes)}`,
    h(
      "table",
      { class: "confusion" },
      h("caption", { class: "unseen" }, "Answers by target"),
      h(
        "thead",
        {},
        h("tr", {}, h("td", {}), h("th", { scope: "col" }, "answered yes"), h("th", { scope: "col" }, "answered no")),
      ),
      h(
        "tbody",
        {},
        h("tr", {}, h("th", { scope: "row" }, "target yes"), cell("yes_yes", "good"), cell("yes_no", "bad")),
        h("tr", {}, h("th", { scope: "row" }, "target no"), cell("no_yes", "bad"), cell("no_no", "good")),
      ),
    ),
    table.unclear ? h("p", { class: "hint" }, `${formatCount(table.unclear)} without a clear yes or no`) : null,
  );
}

interface ConfusionRow {
  label: string;
  counts: number[];
  other: number;
}

function confusion(table: Confusion, task: Task): HTMLElement {
  const most = Math.max(1, ...table.rows.flat());
  const shade = (count: number) => `heat heat-${count ? Math.ceil((4 * count) / most) : 0}`;
  return panel(
    "Confusion matrix",
    "rows: target; columns: parsed answer",
    dataTable(
      `Confusion matrix of ${task.key}`,
      [
        { head: "target", cell: (row) => dataText(row.label) },
        ...table.labels.map((label, at): Column<ConfusionRow> => ({
          head: dataText(shorten(label, 14)),
          class: "number",
          cell: (row) => h("span", { class: shade(row.counts[at]) }, formatCount(row.counts[at])),
          plain: (row) => row.counts[at],
        })),
        { head: "other", class: "number", cell: (row) => formatCount(row.other), plain: (row) => row.other },
      ],
      table.labels.map((label, at) => ({ label, counts: table.rows[at], other: table.other[at] })),
      { class: "slim" },
    ),
  );
}

const calibration = (stats: Calibration): HTMLElement =>
  panel(
    "Calibration",
    `expected calibration error ${formatScore(100 * stats.error)} points (${stats.of}; ${plural(stats.count, "answer")})`,
    reliabilityChart(stats),
  );

function common(stats: AnswerStats, task: Task, run: Run): HTMLElement {
  return panel(
    "Most common answers",
    "as parsed",
    dataTable(
      `Most common answers to ${task.key}`,
      [
        {
          head: "answer",
          plain: (one) => one.answer,
          cell: (one) =>
            h(
              "a",
              { href: linkTo("samples", { run: run.id, task: task.key, q: one.answer }) },
              one.answer ? dataText(shorten(one.answer, 40)) : h("em", {}, "empty"),
            ),
        },
        { head: "count", class: "number", cell: (one) => formatCount(one.count), plain: (one) => one.count },
        { head: "right", class: "number", cell: (one) => `${Math.round((100 * one.right) / one.count)} %` },
      ],
      stats.common,
      { class: "slim" },
    ),
  );
}

function lengths({ lengths: bins, median_words: median }: AnswerStats): HTMLElement {
  const [first] = bins;
  return bins.length > 1
    ? panel("Answer length", `words per answer, median ${median}`, lengthHistogram(bins))
    : panel(
        "Answer length",
        `${first.label} ${first.label === "1" ? "word" : "words"} per answer`,
        h("p", {}, `All ${formatCount(first.count)} answers.`),
      );
}

/** The panels of one run's answers to a task. */
export const answerPanels = (run: Run, task: Task, stats: AnswerStats): HTMLElement[] =>
  [
    stats.yes_no ? yesNo(stats.yes_no) : null,
    stats.confusion ? confusion(stats.confusion, task) : null,
    stats.calibration ? calibration(stats.calibration) : null,
    stats.words ? lengths(stats) : null,
    stats.common.some((one) => one.count > 1) ? common(stats, task, run) : null,
  ].filter((panel) => panel !== null);

/** One breakdown of one run, as bars. */
export function breakdownPanel(task: Task, { name, bars }: Breakdown): HTMLElement {
  const label = `${task.key} by ${humanize(name)}`;
  const most = 30;
  const rest = bars.slice(most);
  return panel(
    h("span", {}, "By ", dataText(humanize(name))),
    shrunkHint(bars),
    barChart(bars.slice(0, most), label),
    rest.length ? h("details", {}, h("summary", {}, `${rest.length} more`), barChart(rest, label)) : null,
  );
}

/** Who graded, how far its runs agree, and how much they differ; nothing where no judge did. */
export const judgePanel = ({ judge, judging }: TaskDetails): Child =>
  judging?.runs
    ? panel(
        "Judge",
        judging.in_intervals
          ? "Intervals include the variance between judge runs."
          : "Intervals do not include the variance between judge runs.",
        factList([
          ["judge", judge?.name],
          ["reported model", (judging.models ?? []).join(", ")],
          ["runs", judging.runs],
          ["score by run", (judging.run_values ?? []).map((value) => formatScore(value)).join(", ")],
          ["standard deviation", judging.std === null ? null : formatScore(judging.std, 2)],
          [
            "Krippendorff's alpha",
            judging.krippendorff_alpha === null ? null : formatScore(judging.krippendorff_alpha, 3),
          ],
          ["verdicts", formatCount(judging.verdicts)],
          ["failed", judging.failed || null],
          ["prompt", judging.prompt_hash],
        ]),
      )
    : null;

type Ends = { value: number; low: number; high: number };

/** An estimate in the unit of the labels: grades have two digits, the headline one. */
function estimated({ metric }: Labelled, one: Ends, signed = false): string {
  const digits = metric === "mean grade" ? 2 : 1;
  const value = signed ? formatSigned(one.value, digits) : formatScore(one.value, digits);
  return `${value} (${formatScore(one.low, digits)} – ${formatScore(one.high, digits)})`;
}

/** What people's labels make of a judge's score, in two short lines; nothing where there are none. */
export const labelLines = (labels: Labelled | null): string[] =>
  !labels
    ? []
    : labels.value && labels.bias
      ? [
          `with ${plural(labels.labels, "label")}: ${estimated(labels, labels.value)}`,
          `judge's bias ${estimated(labels, labels.bias, true)}, kappa ${formatScore(labels.kappa, 2)}`,
        ]
      : [`${plural(labels.labels, "label")}: too few for an estimate`];

/** The same with all that is known, for a run's own page. */
export const labelPanel = ({ labels }: TaskDetails): Child =>
  labels
    ? panel(
        "Judge and people",
        labels.note ??
          `${humanize(labels.metric)}: prediction-powered estimate of people's mean grade over all answers.`,
        factList([
          ["judge and labels", labels.value && estimated(labels, labels.value)],
          ["labels alone", labels.people && estimated(labels, labels.people)],
          ["judge alone", formatScore(labels.judge, labels.metric === "mean grade" ? 2 : 1)],
          ["judge's bias", labels.bias && estimated(labels, labels.bias, true)],
          ["weighted kappa", formatScore(labels.kappa, 2)],
          ["Krippendorff's alpha", formatScore(labels.krippendorff_alpha, 2)],
          ["labels", formatCount(labels.labels)],
          ["more that halve the width", labels.needed ? formatCount(labels.needed) : null],
        ]),
      )
    : null;

/** The protocol of a task: where its rules come from, how answers are generated. */
export function protocolFacts(task: Task, more: TaskDetails): HTMLElement {
  const settings = Object.entries(more.generation)
    .filter(([, value]) => value !== null && String(value) !== "")
    .map(([name, value]) => `${humanize(name)} ${value}`)
    .join(", ");
  return factList([
    ["protocol", task.protocol],
    ["task version", task.version],
    ["note", more.note],
    ["source", more.source],
    ["generation", settings],
    ["judge", more.judge?.name],
    ["judge's prompt", more.judge?.prompt_hash],
    ["questions", formatCount(task.count)],
    ["images", more.images || null],
  ]);
}
