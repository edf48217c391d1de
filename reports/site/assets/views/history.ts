// Several runs of one model over time: one trend per task, with the gate's outcome of each run and the test for a drift.

import { report } from "../lib/data.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import {
  formatInterval,
  formatLevels,
  formatP,
  formatScore,
  formatSigned,
  humanize,
  intervalHead,
  plural,
} from "../lib/format.ts";
import { card, choiceField, notFound, pageFrame, sampleNotice } from "../lib/panels.ts";
import { linkTo, type View } from "../lib/route.ts";
import { trendChart, type TrendPoint } from "../lib/run_charts.ts";
import { findRun, findTask, gateOf } from "../lib/runs.ts";
import { dataTable } from "../lib/table.ts";
import type { Run, Task, Trend } from "../lib/types.ts";

interface Point extends TrendPoint {
  run: Run;
  task: Task;
}

/** The commit; where several runs are of one, when each was finished. */
function named(run: Run, runs: Run[]): string {
  const alone = runs.filter((one) => one.commit === run.commit).length === 1;
  return (alone && run.commit) || (run.finished ?? "").slice(0, 16).replace("T", " ") || run.id;
}

/** The change since the run before, over the questions that both answered; of values alone where that is not known. */
function changeAt(points: Point[], at: number, trend: Trend): number | null {
  const { run, value, begins } = points[at];
  const step = trend.steps.find((one) => one.run === run.id);
  if (step) return -step.fall;
  const last = points[at - 1]?.value ?? null;
  return value !== null && last !== null && !begins && !trend.steps.length ? value - last : null;
}

function driftCell(point: Point, trend: Trend): Child {
  const p = trend.steps.find((one) => one.run === point.run.id)?.p;
  if (point.drift !== null) return h("span", { class: "tag tag-fail" }, `drift, p ${formatP(p)}`);
  if (point.begins) return h("span", { class: "tag" }, "new stretch");
  return p === undefined ? "–" : formatP(p);
}

function part(key: string, runs: Run[], trend: Trend): HTMLElement | null {
  const points = runs.flatMap((run): Point[] => {
    const task = findTask(run, key);
    const gate = gateOf(run, key)?.outcome ?? null;
    const drift = trend.alarms.find((one) => one.run === run.id)?.fall ?? null;
    const begins = trend.breaks.some((one) => one.run === run.id);
    return task ? [{ ...task.bar, run, task, name: named(run, runs), gate, drift, begins }] : [];
  });
  if (points.length < 2) return null;
  return card(
    h("a", { href: linkTo("task", { task: key }) }, dataText(key)),
    humanize(points[0].task.headline),
    null,
    trendChart(points, `${key} over time`),
    h(
      "ul",
      { class: trend.alarms.length ? "notice remarks" : "hint remarks" },
      trend.words.map((words) => h("li", {}, dataText(words))),
    ),
    dataTable(
      `${key} over time`,
      [
        {
          head: "run",
          class: "run",
          cell: ({ run }) => h("a", { href: linkTo("model", { run: run.id, task: key }) }, dataText(run.label)),
        },
        {
          head: "finished",
          class: "nowrap",
          cell: ({ run }) => (run.finished ?? "–").replace("T", " ").replace("Z", ""),
        },
        { head: "commit", cell: ({ run }) => run.commit || "–" },
        {
          head: "value",
          class: "number strong",
          cell: (one) => formatScore(one.value),
          plain: (one) => one.value,
        },
        {
          head: intervalHead(points.map(({ task }) => task.level)),
          class: "number",
          cell: (one) => formatInterval(one),
        },
        {
          head: "change",
          class: "number",
          cell: (_, at) => formatSigned(changeAt(points, at ?? 0, trend)),
          plain: (one) => changeAt(points, points.indexOf(one), trend),
        },
        {
          head: "p of drift",
          class: "nowrap",
          cell: (one) => driftCell(one, trend),
          plain: (one) => trend.steps.find(({ run }) => run === one.run.id)?.p ?? null,
        },
        { head: "gate", cell: ({ gate }) => (gate ? h("span", { class: `tag tag-${gate}` }, gate) : "–") },
        {
          head: h("span", { class: "unseen" }, "compare"),
          plain: null,
          cell: (one) => {
            const at = points.indexOf(one);
            if (at < 1) return null;
            const link = linkTo("compare", { a: points[at - 1].run.id, b: one.run.id, task: key });
            return h(
              "a",
              { href: link, "aria-label": `Compare ${one.name} with the run before it on ${key}` },
              "compare",
            );
          },
        },
      ],
      points,
      { class: "slim" },
    ),
  );
}

export const historyView: View = {
  title: () => "History",
  build: (main, params) => {
    const { histories } = report();
    const history = histories[Number(params.get("of") ?? 0)];
    if (!history) return void main.append(notFound("This report holds no model with several runs."));
    const runs = history.runs.map(findRun).filter((run) => run !== undefined);
    const keys = [...new Set(runs.flatMap((run) => run.tasks.map((task) => task.key)))];
    const parts = keys.map((key) => part(key, runs, history.trends[key])).filter((one) => one !== null);
    main.append(
      pageFrame(
        "History",
        [
          dataText(history.name),
          `: ${plural(runs.length, "run")}, oldest first. Bands are ${formatLevels(runs.flatMap((run) => run.tasks.map((task) => task.level)))} intervals; marks above the line show the gate's result: ○ pass, × fail, ◇ could not tell. A dashed line marks a drift.`,
        ],
        histories.length > 1
          ? choiceField(
              "model",
              "of",
              String(histories.indexOf(history)),
              histories.map((one, at): [string, string] => [String(at), one.name]),
            )
          : null,
        sampleNotice(runs.flatMap((run) => run.tasks)),
        parts.length
          ? parts
          : h(
              "p",
              { class: "notice", role: "note" },
              h("strong", {}, "No task in common. "),
              `Each of these ${runs.length} runs has other tasks (${keys.length} in all), so that nothing can be followed over time. A history begins when one of them is run again.`,
            ),
      ),
    );
  },
};
