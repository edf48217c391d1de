// The page of one run of a model: its parts, memory, speed and cost, its scores with breakdowns, and how it was trained.

import { report } from "../lib/data.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import {
  formatAmount,
  formatBytes,
  formatCost,
  formatCount,
  formatInterval,
  formatLevels,
  formatScore,
  formatSeconds,
  humanize,
  plural,
  shorten,
} from "../lib/format.ts";
import {
  answerCounts,
  card,
  choiceField,
  coverageText,
  factList,
  metricsTable,
  notesList,
  notFound,
  pageFrame,
  panel,
  sampleNotice,
  statusChips,
} from "../lib/panels.ts";
import { linkTo, type View } from "../lib/route.ts";
import { allRuns, dataLabel, detailsOf, findRun, findTask, gateOf, rowOf, speedText } from "../lib/runs.ts";
import { dataTable } from "../lib/table.ts";
import { trainingPanels } from "../lib/training_curves.ts";
import type { Facts, ModelDetails, Run, RunDetails, Task, TaskDetails } from "../lib/types.ts";
import { answerPanels, breakdownPanel, judgePanel, labelPanel, protocolFacts } from "./answer_panels.ts";
import { suiteCards } from "./board/suites.ts";
import { latencyCard } from "./latency.ts";

const tile = (name: Child, value: Child, hint: Child = null, kind = ""): HTMLElement =>
  h(
    "div",
    { class: `tile ${kind}` },
    h("span", { class: "tile-name" }, name),
    h("span", { class: "tile-value" }, value),
    hint ? h("span", { class: "hint" }, hint) : null,
  );

function taskPart(run: Run, task: Task, more: TaskDetails): HTMLElement {
  const { bar } = task;
  return card(
    h("a", { href: linkTo("task", { task: task.key, run: run.id }) }, dataText(task.key)),
    task.title ? dataText(task.title) : null,
    h(
      "a",
      { class: "button", href: linkTo("samples", { run: run.id, task: task.key }) },
      `See all ${formatCount(task.count)} samples`,
    ),
    notesList(task),
    h(
      "div",
      { class: "tiles" },
      tile(
        dataText(humanize(task.headline)),
        formatScore(bar.value),
        `${formatLevels([task.level])}: ${formatInterval(bar)}`,
        "tile-main",
      ),
      tile("coverage", coverageText(task), statusChips(task)),
      tile(
        "questions/s",
        speedText(task, ""),
        more.answer_stats.seconds
          ? `${formatSeconds(more.answer_stats.seconds)} for ${plural(task.count, "question")}`
          : "",
      ),
      h(
        "div",
        { class: `tile ${task.embedded ? "tile-loud" : ""}` },
        h("span", { class: "tile-name" }, "data"),
        h("span", { class: "tile-words" }, dataText(dataLabel(task))),
        h("span", { class: "hint" }, task.embedded ? "not comparable with papers" : ""),
      ),
    ),
    h(
      "div",
      { class: "panels" },
      panel("Metrics", null, metricsTable(task, more.metrics)),
      judgePanel(more),
      labelPanel(more),
      more.breakdowns.map((one) => breakdownPanel(task, one)),
      answerCounts(more),
      answerPanels(run, task, more.answer_stats),
      panel(
        "Protocol",
        null,
        protocolFacts(task, more),
        more.prompt
          ? [
              h("p", { class: "hint" }, "A prompt, word for word:"),
              h("pre", { class: "quote", tabindex: "0" }, dataText(more.prompt)),
            ]
          : null,
      ),
    ),
  );
}

/** A fact that is a number; null for another, or none. */
const numberOf = (fact: Facts[string] | undefined): number | null => (typeof fact === "number" ? fact : null);

const PARTS = ["vision_tower", "connector", "language_model"];

/** Parameters and bytes by part, where the model tells them. */
function parts({ facts }: ModelDetails): Child {
  const names = [
    ...new Set([...PARTS, ...Object.keys(facts).map((name) => name.match(/^parameters_(.+)$/)?.[1])]),
  ].filter((name): name is string => Boolean(name) && facts[`parameters_${name}`] !== undefined);
  if (!names.length) return null;
  const amount = (name: string, format: (value: number) => string) => {
    const known = numberOf(facts[name]);
    return known === null ? "–" : format(known);
  };
  const rows = [...names.map((name) => ({ name, key: `_${name}` })), { name: "all", key: "" }];
  return panel(
    "Parts",
    null,
    dataTable(
      "Parts of the model",
      [
        { head: "part", cell: (row) => humanize(row.name) },
        {
          head: "parameters",
          class: "number",
          cell: (row) => amount(`parameters${row.key}`, formatAmount),
          plain: (row) => numberOf(facts[`parameters${row.key}`]),
        },
        {
          head: "weights",
          class: "number",
          cell: (row) => amount(`weight_bytes${row.key}`, formatBytes),
          plain: (row) => numberOf(facts[`weight_bytes${row.key}`]),
        },
      ],
      rows,
      { class: "slim" },
    ),
  );
}

function costTiles(run: Run): Child {
  const known = Object.entries(report().costs).filter(([name]) => run.costs[name] !== null);
  return known.length
    ? h(
        "div",
        { class: "tiles" },
        known.map(([name, text]) => tile(text, formatCost(name, run.costs[name]))),
      )
    : null;
}

function mean(details: RunDetails, name: "prompt_tokens" | "new_tokens"): string | null {
  const known = Object.entries(details.tasks).flatMap(([key, { answer_stats }]) =>
    answer_stats[name] ? [`${answer_stats[name].toFixed(1)} (${key})`] : [],
  );
  return known.length ? known.join(", ") : null;
}

function about(run: Run, details: RunDetails): HTMLElement {
  const { model, hardware: machine, code } = details;
  const facts = Object.entries({ ...model.facts, ...model.settings })
    .filter(
      ([name, value]) =>
        !/^(training_log|parameters|weight_bytes|peak_memory_bytes|seconds_per_)/.test(name) &&
        value !== "" &&
        value !== null,
    )
    .map(([name, value]): [string, string] => [
      humanize(name),
      typeof value === "number" && Math.abs(value) >= 1e4 ? formatAmount(value) : String(value),
    ]);
  const commit = code?.commit ? `${code.commit.slice(0, 12)}${code.changed ? ", changed" : ""}` : null;
  return card(
    "About this run",
    null,
    null,
    costTiles(run),
    h(
      "div",
      { class: "panels" },
      parts(model),
      panel("Model", null, factList([["name", model.name], ["weights", model.fingerprint.slice(0, 16)], ...facts])),
      panel(
        "Run",
        null,
        factList([
          ["folder", details.folder],
          ["started", details.started],
          ["finished", details.finished],
          ["seed", details.seed],
          ["limit", run.limit],
          ["perturbation", run.perturbation],
          ["vlmbench", details.vlmbench],
          ["code", commit],
          ["judge", details.judge?.name],
          ["prompt tokens per question", mean(details, "prompt_tokens")],
          ["new tokens per question", mean(details, "new_tokens")],
        ]),
        details.command
          ? [
              h("p", { class: "hint" }, "Run it again:"),
              h("pre", { class: "quote", tabindex: "0" }, dataText(details.command)),
            ]
          : null,
      ),
      panel(
        "Machine and packages",
        null,
        factList([
          ["processor", machine?.processor || machine?.machine],
          ["cores", machine?.cores],
          ["threads", machine?.threads],
          ["GPU", machine?.gpu],
          ["memory", machine?.memory_bytes ? formatBytes(machine.memory_bytes) : null],
          ...Object.entries(details.packages ?? {}),
        ]),
      ),
    ),
  );
}

/** The gate's result of each task; tasks that no gate tested have no line. */
const gate = (run: Run, tasks: Task[]): HTMLElement[] =>
  tasks
    .map((task) => gateOf(run, task.key))
    .filter((result) => result !== null)
    .map(({ key, outcome, reason }) =>
      h(
        "p",
        { class: `notice notice-${outcome}`, role: "note" },
        h("strong", {}, "Gate on ", dataText(key), `: ${outcome}. `),
        dataText(reason ?? ""),
      ),
    );

/** The other runs of the same model and settings; which of this run's results a newer one stands in for. */
function otherRuns(run: Run): Child {
  const row = rowOf(run.id);
  if (!row || row.runs.length < 2) return null;
  const hidden = run.tasks.filter((task) => row.cells[task.key] !== run).map((task) => task.key);
  const link = (other: Run) =>
    h(
      "a",
      {
        class: "chip",
        href: linkTo("model", { run: other.id }),
        title: other.tasks.map((task) => task.key).join(", "),
      },
      `${(other.finished ?? other.id).slice(0, 16).replace("T", " ")}, ${plural(other.tasks.length, "task")}`,
    );
  return h(
    "div",
    { class: "other-runs" },
    h(
      "p",
      { class: "hint" },
      "On the leaderboard ",
      dataText(row.label),
      ` is one row of ${row.runs.length} runs. `,
      hidden.length ? `Another run is shown there for ${shorten(hidden.join(", "), 120)}.` : null,
    ),
    h("p", { class: "chips" }, row.runs.filter((other) => other !== run).map(link)),
  );
}

export const modelView: View = {
  title: (params) => findRun(params.get("run"))?.label ?? "Model",
  needs: (params) => (findRun(params.get("run")) ? [`run-${params.get("run")}`] : []),
  build: (main, params) => {
    const run = params.has("run") ? findRun(params.get("run")) : null;
    if (!run) return void main.append(notFound("There is no such run in this report."));
    const details = detailsOf(run);
    const only = findTask(run, params.get("task"));
    const tab = (key: string) =>
      h(
        "a",
        {
          href: linkTo("model", { run: run.id, task: key }),
          "aria-current": (only?.key ?? "") === key ? "page" : null,
        },
        key ? dataText(key) : "All",
      );
    const line = [
      run.finished ? `finished ${run.finished}` : null,
      `weights ${run.fingerprint.slice(0, 12)}`,
      run.limit ? `limit ${run.limit}` : null,
    ];
    main.append(
      pageFrame(
        dataText(run.label),
        line.filter(Boolean).join(" · "),
        allRuns().length > 1
          ? choiceField(
              "run",
              "run",
              run.id,
              allRuns().map((one): [string, string] => [one.id, one.label]),
              (id) => {
                location.hash = linkTo("model", { run: id });
              },
            )
          : null,
        sampleNotice(run.tasks),
        otherRuns(run),
        gate(run, only ? [only] : run.tasks),
        run.tasks.length > 1
          ? h(
              "nav",
              { class: "tabs", "aria-label": "Tasks of this run" },
              tab(""),
              run.tasks.map((task) => tab(task.key)),
            )
          : null,
        only ? null : suiteCards([run]),
        (only ? [only] : run.tasks).map((task) => taskPart(run, task, details.tasks[task.key])),
        details.training?.length ? card("Training", null, null, trainingPanels(details.training)) : null,
        details.latency?.length ? latencyCard(details.latency) : null,
        about(run, details),
      ),
    );
  },
};
