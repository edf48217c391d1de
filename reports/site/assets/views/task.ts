// The page of one task: its prompt and protocol, its board, score against cost, and breakdowns of all runs.

import { shrunkHint, shrunkOf } from "../lib/charts.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import { formatBytes, formatInterval, formatScore, formatSeconds, humanize, shorten } from "../lib/format.ts";
import { card, choiceField, notesList, notFound, pageFrame, panel, sampleNotice } from "../lib/panels.ts";
import { linkTo, type View } from "../lib/route.ts";
import { breakdownChart, legend, type RunBar } from "../lib/run_charts.ts";
import { detailsOf, promptsDiffer, rowsOn, type RowTask, taskKeys } from "../lib/runs.ts";
import { type CostPoint, paretoChart } from "../lib/scatter_charts.ts";
import { type Column, dataTable } from "../lib/table.ts";
import type { Task, TaskDetails } from "../lib/types.ts";
import { answerPanels, protocolFacts } from "./answer_panels.ts";
import { board } from "./board/task_board.ts";

const MOST_LABELS = 24;

function promptCard(takers: RowTask[]): HTMLElement {
  const seen = new Map<string, { task: Task; more: TaskDetails; runs: string[] }>();
  const worded = promptsDiffer(takers);
  for (const { row, run, task } of takers) {
    const more = detailsOf(run).tasks[task.key];
    const key = [task.protocol, task.version, JSON.stringify(more.generation), worded ? more.prompt : ""].join("\n");
    const group = seen.get(key) ?? { task, more, runs: [] };
    group.runs.push(row.label);
    seen.set(key, group);
  }
  return card(
    "Prompt and protocol",
    null,
    null,
    [...seen.values()].map(({ task, more, runs }) =>
      h(
        "div",
        { class: "rules" },
        seen.size > 1 ? h("p", { class: "hint" }, dataText(shorten(runs.join(", "), 200))) : null,
        h(
          "div",
          {},
          h("h3", {}, "Example prompt"),
          h("pre", { class: "quote", tabindex: "0" }, dataText(more.prompt || "–")),
        ),
        h("div", {}, h("h3", {}, "Protocol"), protocolFacts(task, more)),
      ),
    ),
  );
}

/** What stands beside the scores, by run. */
function notes(takers: RowTask[]): Child {
  const noted = takers.filter(({ task }) => task.notes?.length);
  return noted.length
    ? card(
        "Notes",
        "What a reader of these scores should know.",
        null,
        noted.map(({ row, task }) => [h("h3", {}, dataText(row.label)), notesList(task)]),
      )
    : null;
}

/** What a score costs, in the unit of its axis; null where it was not measured. */
interface CostAxis {
  title: string;
  label: string;
  of: (one: RowTask) => number | null;
  format: (value: number) => string;
}

const MIB = 2 ** 20;
const COST_AXES: CostAxis[] = [
  {
    title: "Score against time",
    label: "seconds per question",
    of: ({ task }) => (task.per_second ? 1 / task.per_second : null),
    format: formatSeconds,
  },
  {
    title: "Score against memory",
    label: "peak memory",
    of: ({ row }) => (row.costs.peak_memory_bytes ?? 0) / MIB,
    format: (value) => formatBytes(value * MIB),
  },
];

/** The runs that have a score and a cost. */
const costPoints = (takers: RowTask[], of: CostAxis["of"]): CostPoint[] =>
  takers.flatMap((one) => {
    const { bar } = one.task;
    const x = of(one);
    return x && bar.value !== null
      ? [
          {
            id: one.row.id,
            label: one.row.label,
            x,
            y: bar.value,
            least: bar.bounds ? bar.bounds[0] : bar.value,
            low: bar.bounds_interval?.[0] ?? bar.low,
            high: bar.bounds_interval?.[1] ?? bar.high,
          },
        ]
      : [];
  });

/** Score against seconds per question, and against memory. */
function cost(takers: RowTask[]): Child {
  const yLabel = humanize(takers[0].task.headline);
  const charts = COST_AXES.flatMap(({ title, label, of, format }) => {
    const points = costPoints(takers, of);
    return points.length > 1
      ? [panel(title, null, paretoChart(points, { label: title, xLabel: label, yLabel, format }))]
      : [];
  });
  return charts.length
    ? card(
        "Score against cost",
        "No other run beats those on the dashed line on both axes.",
        null,
        h("div", { class: "halves" }, charts),
      )
    : null;
}

function breakdowns(takers: RowTask[]): Child {
  const names = [
    ...new Set(takers.flatMap(({ run, task }) => detailsOf(run).tasks[task.key].breakdowns.map((one) => one.name))),
  ];
  if (!names.length) return null;
  const parts = names.map((name) => {
    const rows = takers.flatMap(({ row, run, task }) =>
      (detailsOf(run).tasks[task.key].breakdowns.find((one) => one.name === name)?.bars ?? []).map((bar) => ({
        ...bar,
        id: row.id,
        run: row.label,
      })),
    );
    const labels = [...new Set(rows.map((row) => row.label))];
    const first = new Set(labels.slice(0, MOST_LABELS));
    const [shown, rest] = [rows.filter((row) => first.has(row.label)), rows.filter((row) => !first.has(row.label))];
    const label = `By ${humanize(name)}`;
    return panel(
      h("span", {}, "By ", dataText(humanize(name))),
      shrunkHint(rows),
      breakdownChart(shown, label),
      rest.length
        ? h("details", {}, h("summary", {}, `${labels.length - MOST_LABELS} more`), breakdownChart(rest, label))
        : null,
      h("details", {}, h("summary", {}, "as a table"), breakdownTable(label, labels, rows, takers)),
    );
  });
  return card("Breakdowns", null, legend(takers.map(({ row }) => row)), h("div", { class: "halves" }, parts));
}

function breakdownTable(caption: string, labels: string[], rows: RunBar[], takers: RowTask[]): HTMLElement {
  const byRun = new Map(rows.map((row) => [`${row.id}\n${row.label}`, row]));
  return dataTable(
    caption,
    [
      { head: "", name: "label", cell: (label) => dataText(label) },
      ...takers.map(({ row: taker }): Column<string> => ({
        head: dataText(taker.label),
        class: "number",
        cell: (label) => {
          const row = byRun.get(`${taker.id}\n${label}`);
          if (!row) return "–";
          const under = [
            formatInterval(row),
            ...shrunkOf([row]).map((one) => `shrunk ${formatScore(one.value)}: ${formatInterval(one)}`),
          ];
          return [formatScore(row.value), under.map((words) => h("span", { class: "under" }, words))];
        },
        plain: (label) => byRun.get(`${taker.id}\n${label}`)?.value ?? null,
      })),
    ],
    labels,
    { class: "slim" },
  );
}

function answers(takers: RowTask[], params: URLSearchParams): Child {
  const chosen = takers.find(({ run }) => run.id === params.get("run")) ?? takers[0];
  const { run, task } = chosen;
  const panels = answerPanels(run, task, detailsOf(run).tasks[task.key].answer_stats).filter(Boolean);
  return panels.length
    ? card(
        "Answers",
        null,
        takers.length > 1
          ? choiceField(
              "run",
              "run",
              run.id,
              takers.map((one): [string, string] => [one.run.id, one.row.label]),
            )
          : null,
        h("div", { class: "panels" }, panels),
      )
    : null;
}

export const taskView: View = {
  title: (params) => params.get("task") ?? "Task",
  needs: (params) => rowsOn(params.get("task") ?? taskKeys()[0]).map(({ run }) => `run-${run.id}`),
  build: (main, params) => {
    const key = params.get("task") ?? taskKeys()[0];
    const takers = rowsOn(key);
    if (!takers.length) return void main.append(notFound("There is no such task in this report."));
    const keys = taskKeys();
    const { task } = takers[0];
    main.append(
      pageFrame(
        dataText(key),
        task.title ? dataText(task.title) : null,
        keys.length > 1
          ? choiceField(
              "task",
              "task",
              key,
              keys.map((one): [string, string] => [one, one]),
              (one) => {
                location.hash = linkTo("task", { task: one });
              },
            )
          : null,
        sampleNotice(takers.map((one) => one.task)),
        board(key, params, { title: false }),
        notes(takers),
        promptCard(takers),
        cost(takers),
        breakdowns(takers),
        answers(takers, params),
      ),
    );
  },
};
