// The board of one task: its runs by headline, each with its interval on a shared axis and the range of its rank.

import { type Domain, intervalAxis, intervalChart, valueDomain, zoomedDomain } from "../../lib/charts.ts";
import { report } from "../../lib/data.ts";
import { type Child, dataText, h } from "../../lib/dom.ts";
import {
  formatCost,
  formatCount,
  formatInterval,
  formatScore,
  humanize,
  intervalHead,
  plural,
} from "../../lib/format.ts";
import { card, coverageText, notesMark, statusChips } from "../../lib/panels.ts";
import { changeParams, currentRoute, linkTo } from "../../lib/route.ts";
import { runColor } from "../../lib/run_charts.ts";
import { dataLabel, gateOf, promptsDiffer, type Row as BoardRow, rowsOn, type RowTask } from "../../lib/runs.ts";
import { type Column, dataTable, type Sort } from "../../lib/table.ts";
import type { Bar, GateResult, PublishedFigure, Task } from "../../lib/types.ts";
import { labelLines } from "../answer_panels.ts";
import { gapLines, gapOf } from "./cells.ts";

type Rank = [first: number, last: number] | null;

interface RunRow extends RowTask {
  paper?: undefined;
  bar: Bar;
  rank: Rank;
}

/** A published figure: a score alone, and in place of the other columns where it was read. */
interface PaperRow {
  paper: PublishedFigure;
  row?: undefined;
  run?: undefined;
  task?: undefined;
  bar: Bar;
  rank: null;
  marked: string;
  spans: { from: number; node: Child };
}

type Row = RunRow | PaperRow;

/** What differs between rows of one task, so that nobody compares what cannot be compared. */
function differing(rows: RunRow[]): string[] {
  const aspects: Record<string, (task: Task) => unknown> = {
    data: dataLabel,
    questions: (task) => task.hashes.samples,
    version: (task) => task.version,
  };
  const names = Object.entries(aspects)
    .filter(([, of]) => new Set(rows.map(({ task }) => of(task))).size > 1)
    .map(([name]) => name);
  return promptsDiffer(rows) ? [...names, "prompts"] : names;
}

export const rankOf = (key: string, row: BoardRow): Rank => report().columns[key]?.ranks[row.id] ?? null;
export const rankText = (rank: Rank): string =>
  rank === null ? "–" : rank[0] === rank[1] ? `${rank[0]}` : `${rank[0]}–${rank[1]}`;

/** What a row is sorted by, for each column that can be. Rows of published figures have a score alone. */
type Order = (row: Row) => number | string | null;
const sortKeys = (): Record<string, Order> => ({
  rank: ({ rank }) => (rank ? rank[0] * 1000 + rank[1] : null),
  score: ({ bar }) => (bar.bounds ? bar.bounds[0] : bar.value), // missing answers lift no run
  run: (row) => nameOf(row).toLowerCase(),
  n: ({ task }) => task?.coverage ?? null,
  ...Object.fromEntries(
    Object.keys(report().costs).map((name): [string, Order] => [name, ({ row }) => row?.costs[name] ?? null]),
  ),
  per_second: ({ task }) => task?.per_second ?? null,
});

const nameOf = (row: Row): string => row.row?.label ?? row.paper?.model ?? "";

function sorted(rows: Row[], by: string, down: boolean): Row[] {
  const keys = sortKeys();
  const of = Object.hasOwn(keys, by) ? keys[by] : keys.score;
  const order = (a: number | string, b: number | string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((one, other) => {
    const [a, b] = [of(one), of(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return down ? order(b, a) : order(a, b);
  });
}

const costColumns = (rows: Row[]): Column<Row>[] =>
  Object.entries(report().costs)
    .filter(([name]) => rows.some(({ row }) => row && row.costs[name] !== null))
    .map(([name, head]) => {
      const of = ({ row, task }: Row) => (row ? (name === "per_second" ? task.per_second : row.costs[name]) : null);
      return {
        key: name,
        down: name === "per_second",
        head,
        small: head,
        class: "number",
        cell: (row) => formatCost(name, of(row)),
        plain: of,
      };
    });

const gateMark = (gate: GateResult | null): Child =>
  gate ? h("span", { class: `tag tag-${gate.outcome}`, title: gate.reason }, `gate: ${gate.outcome}`) : null;

const runCell = ({ row, run, paper, task }: Row): Child =>
  row
    ? [
        h("a", { href: linkTo("model", { run: run.id, task: task.key }) }, dataText(row.label)),
        gateMark(gateOf(run, task.key)),
      ]
    : [h("span", {}, paper.model), h("span", { class: "tag" }, "published")];

/** What stands in place of a published row's other columns. */
const sourceOf = (paper: PublishedFigure): Child => [
  h(
    "span",
    { class: "under wrap" },
    `${humanize(paper.metric)}, protocol ${paper.protocol || "not known"}; ${paper.source}; ${paper.certainty}`,
  ),
  h(
    "span",
    { class: `under wrap ${paper.why ? "lacking" : ""}` },
    paper.why ? `not comparable: ${paper.why}` : "comparable: same benchmark, split, protocol and metric",
  ),
];

function columns(key: string, task: Task, rows: Row[], domain: Domain): Column<Row>[] {
  const intervalName = intervalHead(rows.flatMap((row) => row.task?.level ?? []));
  return [
    {
      key: "run",
      head: "run",
      class: "run",
      cell: runCell,
      plain: (row) => (row.row ? row.row.label : `${row.paper.model} (published)`),
    },
    {
      key: "rank",
      head: "rank",
      small: "rank",
      class: "number",
      cell: ({ rank, run }) => (run ? rankText(rank) : "–"),
      plain: ({ rank }) => (rank ? rankText(rank) : null),
    },
    {
      key: "score",
      down: true,
      head: humanize(task.headline),
      class: "number strong",
      cell: ({ bar, run, task: one }) => [
        formatScore(bar.value),
        run ? h("span", { class: "under" }, formatInterval(bar)) : null,
        bar.bounds
          ? h(
              "span",
              { class: "under" },
              `${formatScore(bar.bounds[0])} – ${formatScore(bar.bounds[1])} counting missing answers`,
            )
          : null,
        one ? labelLines(one.labels).map((line) => h("span", { class: "under" }, line)) : null,
        bar.bounds_interval
          ? h(
              "span",
              { class: "under" },
              `${formatScore(bar.bounds_interval[0])} – ${formatScore(bar.bounds_interval[1])} with their interval`,
            )
          : null,
        one ? notesMark(one) : null,
      ],
      plain: ({ bar }) => bar.value,
    },
    {
      head: "gap to the best",
      small: "gap",
      class: "number",
      cell: ({ row }) => (row ? gapLines(report().columns[key], row) : "–"),
      plain: ({ row }) => (row ? (gapOf(report().columns[key], row)?.value ?? null) : null),
    },
    {
      head: [h("span", { class: "axis-name" }, intervalName), intervalAxis(domain)],
      name: intervalName,
      class: "whisker",
      cell: (row) => intervalChart(row.bar, domain, nameOf(row), row.row ? runColor(row.row.id) : "var(--muted)"),
      plain: ({ bar }) => (bar.low === null ? null : `${bar.low} to ${bar.high}`),
    },
    {
      key: "n",
      down: true,
      head: "answered",
      small: "answered",
      class: "number",
      cell: ({ task: one }) =>
        one
          ? [
              coverageText(one),
              h("span", { class: "under" }, `of ${formatCount(one.count)}`),
              one.coverage < 1 ? statusChips(one, true) : null,
            ]
          : "–",
      plain: ({ task: one }) => one?.coverage ?? null,
    },
    ...costColumns(rows),
    {
      head: h("span", { class: "unseen" }, "samples"),
      class: "go",
      plain: null,
      cell: ({ row, run, task: one }) =>
        row
          ? h(
              "a",
              {
                href: linkTo("samples", { run: run.id, task: key }),
                "aria-label": `Samples of ${row.label} on ${one.key}`,
              },
              "samples",
            )
          : null,
    },
  ];
}

/** Runs as rows, and the published figures that the URL names: `comparable` ones, `all`, or `none`. */
function rowsOf(key: string, params: URLSearchParams): { runs: RunRow[]; papers: PaperRow[] } {
  const words = (params.get("q") ?? "").toLowerCase().trim();
  const fits = (name: string) => !words || name.toLowerCase().includes(words);
  const runs = rowsOn(key)
    .map((one): RunRow => ({ ...one, bar: one.task.bar, rank: rankOf(key, one.row) }))
    .filter(({ row }) => fits(row.label));
  const which = params.get("published") ?? "comparable";
  const figures = which === "none" ? [] : (report().published[key] ?? []);
  const papers = figures
    .filter((paper) => (which === "all" || !paper.why) && fits(paper.model))
    .map((paper): PaperRow => ({
      paper,
      rank: null,
      marked: paper.why ? "published published-faint" : "published",
      spans: { from: 5, node: sourceOf(paper) },
      bar: { name: paper.metric, label: "", value: paper.value, low: null, high: null, n: 0 },
    }));
  return { runs, papers };
}

/** The board of one task; also on the task's own page. */
export function board(key: string, params: URLSearchParams, { title = true } = {}): HTMLElement | null {
  const { runs, papers } = rowsOf(key, params);
  if (!runs.length) return null;
  const fitting = papers.filter(({ paper }) => paper.metric === runs[0].task.headline);
  const domain =
    runs.length + papers.length > 1
      ? zoomedDomain([...runs, ...fitting].map(({ bar }) => bar))
      : valueDomain([runs[0].bar]);
  const { task } = runs[0];
  const differ = differing(runs);
  const by = params.get("sort") ?? "score";
  const down = (params.get("dir") ?? (by === "score" ? "down" : "up")) === "down";
  const go: Sort["go"] = (now, turned) =>
    changeParams({
      sort: now === "score" && turned ? null : now,
      dir: now === "score" && turned ? null : turned ? "down" : "up",
    });
  const paired = report().columns[key]?.paired;
  const facts: [name: string, value: string][] = [
    ["headline", humanize(task.headline)],
    ["protocol", task.protocol],
    ["data", dataLabel(task)],
  ];
  const mini = h(
    "dl",
    { class: "mini" },
    facts.map(([name, value]) =>
      h(
        "div",
        { class: name === "data" && task.embedded ? "mini-loud" : "" },
        h("dt", {}, name),
        h("dd", {}, dataText(value)),
      ),
    ),
  );
  const hidden = (report().published[key]?.length ?? 0) - papers.length;
  const heading = title ? h("a", { href: linkTo("task", { task: key }) }, dataText(key)) : "Runs";
  return card(
    heading,
    title && task.title ? dataText(task.title) : null,
    mini,
    differ.length
      ? h(
          "p",
          { class: "notice", role: "note" },
          h("strong", {}, "Not the same test. "),
          `These runs differ in: ${differ.join(", ")}.`,
        )
      : null,
    dataTable(
      `Runs on ${key}`,
      columns(key, task, [...runs, ...papers], domain),
      sorted([...runs, ...papers], by, down),
      { class: "board" },
      { sort: { by, down, go }, name: key },
    ),
    h(
      "p",
      { class: "hint" },
      runs.length > 1
        ? `Ranks are ranges: runs are told apart by ${paired ? "paired tests on the same questions" : "tests of the difference between two scores"} (5 % per task, Holm-corrected over its pairs), with missing answers taken to be wrong in the better run and right in the other. `
        : null,
      hidden > 0 ? h("a", { href: published("all") }, `${plural(hidden, "published figure")} not shown`) : null,
    ),
  );
}

function published(which: string): string {
  const { view, params } = currentRoute();
  params.set("published", which);
  return linkTo(view, params);
}
