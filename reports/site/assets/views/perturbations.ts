// What a change of pictures, options or words costs: each run beside the same model's runs under it, as paired differences.

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
import type { Ablations, Run } from "../lib/types.ts";

/** Sums go further than rates: they get an axis of their own. */
const summed = ({ one, other }: MetricDifference): boolean => Math.max(one.bar.value ?? 0, other.bar.value ?? 0) > 100;

const flipColumn = (name: "gained" | "lost"): Column<MetricDifference> => ({
  head: name,
  class: "number",
  cell: (row) => (row.flips ? formatCount(row.flips[name]) : "–"),
  plain: (row) => row.flips?.[name] ?? null,
});

/** One line a reason: whom a change does not fit. */
const leftOut = (run: Run): HTMLElement[] =>
  Object.entries(run.left_out).flatMap(([key, reasons]) =>
    Object.entries(reasons).map(([why, count]) =>
      h("p", { class: "hint" }, `${key}: ${plural(count, "question")} left out: ${why}`),
    ),
  );

/** Every change on every task, as differences. */
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
    "At a glance",
    `Differences from the run as it is, with ${formatLevels(levelsOf(rows))} intervals. Bold: p below 5 %, corrected over all changes and tasks (Holm). –: the change does not fit the task.`,
    null,
    dataTable(
      "Differences under every ablation",
      [
        { head: "ablation", class: "run", cell: (run) => dataText(run.ablate), plain: (run) => run.ablate },
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
      { class: "glance" },
    ),
  );
}

function part(base: Run, run: Run): HTMLElement {
  const keys = base.tasks.map((task) => task.key).filter((key) => findTask(run, key));
  const rows = keys.map((key) => headlineDifference(base, run, key)).filter((row) => row.value !== null);
  return card(
    dataText(run.ablate),
    `How far the headline moves on the same questions${run.change ? `: ${run.change}` : ""}.`,
    null,
    [rows.filter((row) => !summed(row)), rows.filter(summed)]
      .filter((some) => some.length)
      .map((some) => differenceChart(some, `Differences under ${run.ablate}`)),
    dataTable(
      `Differences under ${run.ablate}`,
      [
        {
          head: "task",
          cell: (row) =>
            h("a", { href: linkTo("compare", { a: base.id, b: run.id, task: row.key }) }, dataText(row.key)),
        },
        { head: "metric", cell: (row) => humanize(row.one.headline) },
        ...differenceColumns("as it is", run.ablate, rows),
        flipColumn("gained"),
        flipColumn("lost"),
      ],
      rows,
      { class: "slim" },
    ),
    leftOut(run),
  );
}

function chosen(params: URLSearchParams): Ablations | null | undefined {
  const { ablations } = report();
  return ablations.find((one) => one.base === params.get("run")) ?? (params.has("run") ? null : ablations[0]);
}

export const perturbationsView: View = {
  title: () => "Ablations",
  needs: (params) => {
    const entry = chosen(params);
    return (entry?.runs ?? []).flatMap((run) => pairFile(entry?.base ?? "", run)?.name ?? []);
  },
  build: (main, params) => {
    const entry = chosen(params);
    const base = findRun(entry?.base);
    if (!entry || !base) return void main.append(notFound("No run in this report was made under an ablation."));
    const { ablations } = report();
    const perturbed = entry.runs.map(findRun).filter((run) => run !== undefined);
    main.append(
      pageFrame(
        "Ablations",
        [
          h("a", { href: linkTo("model", { run: base.id }) }, dataText(base.label)),
          " against itself under changes: what is left without the pictures is no vision; what small changes cost is fragile.",
        ],
        ablations.length > 1
          ? choiceField(
              "run",
              "run",
              entry.base,
              ablations.map((one): [string, string] => [one.base, findRun(one.base)?.label ?? one.base]),
            )
          : null,
        sampleNotice(base.tasks),
        overview(base, perturbed),
        perturbed.map((run) => part(base, run)),
      ),
    );
  },
};
