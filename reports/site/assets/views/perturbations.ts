// What a perturbation of images, options or wording costs: paired differences of a run and its perturbed runs.

import {
  differenceColumns,
  headlineDifference,
  levelsOf,
  type MetricDifference,
  pairFile,
} from "../lib/comparisons.ts";
import { report } from "../lib/data.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import { formatCount, formatLevels, formatSigned, humanize, plural } from "../lib/format.ts";
import { card, choiceField, notFound, pageFrame, sampleNotice } from "../lib/panels.ts";
import { linkTo, type View } from "../lib/route.ts";
import { differenceChart } from "../lib/run_charts.ts";
import { findRun, findTask } from "../lib/runs.ts";
import { type Column, dataTable } from "../lib/table.ts";
import type { PerturbedRuns, Run } from "../lib/types.ts";

/** Sums go further than rates: they get an axis of their own. */
const summed = ({ one, other }: MetricDifference): boolean => Math.max(one.bar.value ?? 0, other.bar.value ?? 0) > 100;

const flipColumn = (name: "gained" | "lost"): Column<MetricDifference> => ({
  head: name,
  class: "number",
  cell: (row) => (row.flips ? formatCount(row.flips[name]) : "–"),
  plain: (row) => row.flips?.[name] ?? null,
});

/** The questions that a perturbation does not apply to, a line per reason. */
const skipped = (run: Run): HTMLElement[] =>
  Object.entries(run.skipped).flatMap(([key, reasons]) =>
    Object.entries(reasons).map(([why, count]) =>
      h("p", { class: "hint" }, `${key}: ${plural(count, "question")} skipped: ${why}`),
    ),
  );

/** A few images as they are, as they were shown, and their difference. */
const changedImages = (run: Run): HTMLElement | null => {
  const sheets = run.changed.filter(({ sheet }) => /^[0-9a-f]{16}$/.test(sheet));
  if (!sheets.length) return null;
  const sizes = ({ largest, factor }: Run["changed"][number]): string =>
    factor ? `unperturbed, perturbed, difference × ${factor} (at most ${largest} of 255)` : "unperturbed, perturbed";
  return h(
    "div",
    { class: "changed-images" },
    sheets.map((one) =>
      h(
        "figure",
        {},
        h("img", {
          src: `images/${one.sheet.slice(0, 2)}/${one.sheet}.png`,
          alt: `Image under ${run.perturbation}: ${sizes(one)}`,
          loading: "lazy",
        }),
        h("figcaption", { class: "hint" }, dataText(one.task), ": ", dataText(one.question), h("br"), sizes(one)),
      ),
    ),
  );
};

/** Every perturbation on every task, as differences. */
function overview(base: Run, runs: Run[]): HTMLElement | null {
  if (runs.length < 2) return null;
  const keys = base.tasks.map((task) => task.key);
  const of = (run: Run, key: string) => (findTask(run, key) ? headlineDifference(base, run, key) : null);
  const rows = runs.flatMap((run) => keys.flatMap((key) => of(run, key) ?? []));
  const shown = ({ value, low, high, significant }: MetricDifference): Child => [
    h("span", { class: significant ? "strong" : "" }, formatSigned(value)),
    h("span", { class: "under" }, low === null ? "–" : `${formatSigned(low)} to ${formatSigned(high)}`),
  ];
  return card(
    "Overview",
    `Differences from the unperturbed run, with ${formatLevels(levelsOf(rows))} intervals. Bold: p below 5 %, Holm-corrected over all perturbations and tasks. –: does not apply to the task.`,
    null,
    dataTable(
      "Differences under every perturbation",
      [
        {
          head: "perturbation",
          class: "run",
          cell: (run) => dataText(run.perturbation),
          plain: (run) => run.perturbation,
        },
        ...keys.map((key): Column<Run> => ({
          head: dataText(key),
          name: key,
          class: "number",
          cell: (run) => {
            const row = of(run, key);
            return row ? shown(row) : "–";
          },
          plain: (run) => of(run, key)?.value ?? null,
        })),
      ],
      runs,
      { class: "overview" },
    ),
  );
}

function part(base: Run, run: Run): HTMLElement {
  const keys = base.tasks.map((task) => task.key).filter((key) => findTask(run, key));
  const rows = keys.map((key) => headlineDifference(base, run, key)).filter((row) => row.value !== null);
  return card(
    dataText(run.perturbation),
    `Change of the headline metric on the same questions${run.change ? `: ${run.change}` : ""}.`,
    null,
    [rows.filter((row) => !summed(row)), rows.filter(summed)]
      .filter((some) => some.length)
      .map((some) => differenceChart(some, `Differences under ${run.perturbation}`)),
    dataTable(
      `Differences under ${run.perturbation}`,
      [
        {
          head: "task",
          cell: (row) =>
            h("a", { href: linkTo("compare", { a: base.id, b: run.id, task: row.key }) }, dataText(row.key)),
        },
        { head: "metric", cell: (row) => humanize(row.one.headline) },
        ...differenceColumns("unperturbed", run.perturbation, rows),
        flipColumn("gained"),
        flipColumn("lost"),
      ],
      rows,
      { class: "slim" },
    ),
    changedImages(run),
    skipped(run),
  );
}

function chosen(params: URLSearchParams): PerturbedRuns | null | undefined {
  const { perturbed } = report();
  return perturbed.find((one) => one.base === params.get("run")) ?? (params.has("run") ? null : perturbed[0]);
}

export const perturbationsView: View = {
  title: () => "Perturbations",
  needs: (params) => {
    const entry = chosen(params);
    return (entry?.runs ?? []).flatMap((run) => pairFile(entry?.base ?? "", run)?.name ?? []);
  },
  build: (main, params) => {
    const entry = chosen(params);
    const base = findRun(entry?.base);
    if (!entry || !base) return void main.append(notFound("This report holds no perturbed runs."));
    const { perturbed } = report();
    const runs = entry.runs.map(findRun).filter((run) => run !== undefined);
    main.append(
      pageFrame(
        "Perturbations",
        [
          h("a", { href: linkTo("model", { run: base.id }) }, dataText(base.label)),
          " against itself under perturbations: a score that survives without the image needs no vision; one that small changes lower is fragile.",
        ],
        perturbed.length > 1
          ? choiceField(
              "run",
              "run",
              entry.base,
              perturbed.map((one): [string, string] => [one.base, findRun(one.base)?.label ?? one.base]),
            )
          : null,
        sampleNotice(base.tasks),
        overview(base, runs),
        runs.map((run) => part(base, run)),
      ),
    );
  },
};
