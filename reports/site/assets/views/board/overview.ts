// All models on all tasks: scores with their gap to the best, averages, win rates, costs; sorted by any column.

import { report } from "../../lib/data.ts";
import { type Child, h } from "../../lib/dom.ts";
import { formatCost, formatLevels, formatScore, humanize, plural } from "../../lib/format.ts";
import { card } from "../../lib/panels.ts";
import { changeParams, linkTo } from "../../lib/route.ts";
import {
  averageKeys,
  averageOf,
  bestFirst,
  findTask,
  type Row,
  rowsOn,
  sortValue,
  suiteOf,
  winRate,
} from "../../lib/runs.ts";
import { type Column, dataTable, type Sort } from "../../lib/table.ts";
import { type Below, breakable, columnOf, gapOf, marks, scoreCell } from "./cells.ts";
import { chosenKeys, chooser } from "./chooser.ts";

type View = Below | "cost";

const VIEWS: Record<View, string> = {
  gap: "Gap to the best",
  interval: "Interval",
  rank: "Rank",
  none: "Score alone",
  cost: "Cost",
};

const viewOf = (params: URLSearchParams): View => {
  const named = params.get("show") ?? "gap";
  return Object.hasOwn(VIEWS, named) ? (named as View) : "gap";
};

/** The runs behind a row, and what of them is not shown. */
function runsOf(row: Row): Child {
  if (row.runs.length < 2) return null;
  const line = (run: Row["runs"][number]) => {
    const shown = run.tasks.filter((task) => row.cells[task.key] === run).length;
    const hidden = run.tasks.length - shown;
    const words = [shown ? plural(shown, "task") : null, hidden ? `${plural(hidden, "older result")} not shown` : null];
    return h(
      "li",
      {},
      h("a", { href: linkTo("model", { run: run.id }) }, (run.finished ?? run.id).slice(0, 16).replace("T", " ")),
      ` ${words.filter(Boolean).join(", ")}`,
    );
  };
  return h(
    "details",
    { class: "merged" },
    h("summary", {}, `${row.runs.length} runs`),
    h("ul", {}, row.runs.map(line)),
  );
}

const nameColumn: Column<Row> = {
  head: "model",
  key: "model",
  class: "run",
  plain: (row) => row.label,
  cell: (row) => [h("a", { href: linkTo("model", { run: row.runs[0].id }) }, breakable(row.label)), runsOf(row)],
};

/** Over how many of the tasks a row is the best or not told apart from it. */
function led(row: Row, keys: string[]): { bold: number; taken: number } {
  const taken = keys.filter((key) => row.cells[key]);
  return { bold: taken.filter((key) => report().columns[key]?.bold.includes(row.id)).length, taken: taken.length };
}

const winColumn = (keys: string[]): Column<Row> => ({
  head: ["win rate", h("span", { class: "under" }, "of its tasks")],
  name: "win rate",
  key: "wins",
  down: true,
  class: "number",
  plain: (row) => winRate(row, keys),
  cell: (row) => {
    const rate = winRate(row, keys);
    const { bold, taken } = led(row, keys);
    return [
      h("span", { class: "score" }, rate === null ? "–" : `${formatScore(rate, 0)} %`),
      h("span", { class: "under" }, `bold in ${bold}`),
      h("span", { class: `under ${taken < keys.length ? "lacking" : ""}` }, `of ${taken}`),
    ];
  },
});

/** The average of a suite; one that lacks a member says how many. */
const averageColumn = (key: string, below: Below): Column<Row> => ({
  head: [breakable(key.replace(/^suite:/, "")), h("span", { class: "under" }, "average")],
  name: key,
  key,
  down: true,
  class: "number average",
  plain: (row) => averageOf(row, key),
  cell: (row) => {
    const suite = suiteOf(row, key);
    if (!suite) return "–";
    if (suite.bar.value !== null) return scoreCell(columnOf(key), row, key, suite.bar, below, null);
    const lacking = suite.members.filter((member) => member.figure === null).length;
    return h(
      "span",
      { class: "under lacking", title: suite.notes.join("\n") },
      `lacks ${lacking} of ${suite.members.length}`,
    );
  },
});

const taskColumn = (key: string, below: Below): Column<Row> => ({
  head: breakable(key),
  foot: h(
    "a",
    {
      class: "under",
      href: linkTo("task", { task: key }),
      "aria-label": `${key}: ${humanize(rowsOn(key)[0].task.headline)}, to its page`,
    },
    breakable(humanize(rowsOn(key)[0].task.headline)),
  ),
  name: key,
  key,
  down: true,
  class: "number",
  plain: (row) => findTask(row, key)?.bar.value ?? null,
  cell: (row) => {
    const task = findTask(row, key);
    if (!task) return "–";
    const link = linkTo("model", { run: row.cells[key].id, task: key });
    return scoreCell(columnOf(key), row, key, task.bar, below, link, marks(row, task));
  },
});

const costColumns = (rows: Row[]): Column<Row>[] =>
  Object.entries(report().costs)
    .filter(([name]) => rows.some((row) => row.costs[name] !== null))
    .map(([name, head]) => ({
      head,
      key: name,
      down: name === "per_second",
      class: "number",
      plain: (row) => row.costs[name],
      cell: (row) => h("span", { class: "score" }, formatCost(name, row.costs[name])),
    }));

/** What a row is sorted by: the larger, the better; rows with too few questions come behind those with enough. */
function orderOf(row: Row, by: string, keys: string[]): [enough: number, value: number | string] | null {
  if (by === "model") return [0, row.label.toLowerCase()];
  if (by === "wins") return pack(winRate(row, keys));
  if (Object.hasOwn(report().costs, by)) return pack(row.costs[by]);
  const few = columnOf(by)?.few.includes(row.id) ? 0 : 1;
  const suite = suiteOf(row, by);
  const task = suite ?? findTask(row, by);
  const value = task ? sortValue(task) : null;
  return value === null ? null : [few, value];
}

const pack = (value: number | null): [number, number] | null => (value === null ? null : [1, value]);

function sorted(rows: Row[], by: string, down: boolean, keys: string[]): Row[] {
  const order = (a: number | string, b: number | string) => (a < b ? -1 : a > b ? 1 : 0);
  return bestFirst(rows)
    .map((row): [Row, ReturnType<typeof orderOf>] => [row, orderOf(row, by, keys)])
    .sort(([, a], [, b]) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return order(b[0], a[0]) || (down ? order(b[1], a[1]) : order(a[1], b[1]));
    })
    .map(([row]) => row);
}

/** What the board is sorted by at first. */
const firstSort = (): string =>
  averageKeys().find((key) => bestFirst().filter((row) => averageOf(row, key) !== null).length > 1) ?? "wins";

const legend = (view: View, rows: Row[], keys: string[]): Child => {
  if (view === "cost") return "Of each model's runs together: most memory, summed cost; speeds over its answers.";
  const gaps = keys.flatMap((key) => rows.flatMap((row) => gapOf(columnOf(key), row) ?? []));
  const few = keys.some((key) => rows.some((row) => columnOf(key)?.few.includes(row.id)));
  const levels = formatLevels(rows.flatMap((row) => row.tasks.map((task) => task.level)));
  return [
    h("strong", {}, "Bold"),
    ": the best of a column, or not told apart from it by a test corrected for all pairs of the column (5 %, Holm); the intervals are not corrected. ",
    few
      ? [
          h("span", { class: "doubt" }, "?"),
          ": too few questions to tell (its interval reaches a tenth of the scale or more to a side); such a score is never bold and sorts last. ",
        ]
      : null,
    view === "gap"
      ? `Below a score: its gap to the best with the ${levels} interval of the difference on the same questions. `
      : null,
    view === "interval" ? `Below a score: its ${levels} interval. ` : null,
    view === "gap" && gaps.some((gap) => !gap.paired) ? "≈: not the same questions; from the two intervals. " : null,
    keys.length > 1 && rows.length > 1
      ? "Win rate: the mean share of the other models that a model beats; not told apart counts half."
      : null,
  ];
};

/** The whole board as one table; null where a task's own board says all of it. */
export function overview(rows: Row[], keys: string[], params: URLSearchParams): HTMLElement | null {
  if (keys.length < 2 || !rows.length) return null;
  const view = viewOf(params);
  const shownKeys = chosenKeys(keys, params);
  const below: Below = view === "cost" ? "none" : view;
  const averages = averageKeys();
  const scores = view === "cost" ? costColumns(rows) : shownKeys.map((key) => taskColumn(key, below));
  const columns = [
    nameColumn,
    ...(rows.length > 1 ? [winColumn(shownKeys)] : []),
    ...averages.map((key) => averageColumn(key, below)),
    ...scores,
  ];
  const by = params.get("by") ?? firstSort();
  const down = (params.get("order") ?? "down") === "down";
  const go: Sort["go"] = (now, turned) => changeParams({ by: now, order: turned ? null : "up" });
  const shown = rows.filter((row) => shownKeys.some((key) => row.cells[key]));
  const buttons = (Object.entries(VIEWS) as [View, string][]).map(([name, text]) =>
    h(
      "button",
      {
        type: "button",
        "data-view": name,
        "aria-pressed": String(name === view),
        onclick: () => changeParams({ show: name === "gap" ? null : name }),
      },
      text,
    ),
  );
  return card(
    "All models",
    legend(view, shown, shownKeys),
    null,
    h(
      "div",
      { class: "filter-row" },
      h("div", { class: "switch", role: "group", "aria-label": "What the table shows" }, buttons),
      view === "cost" ? null : chooser(keys, shownKeys),
    ),
    dataTable(
      "Every model on every task",
      columns,
      sorted(shown, by, down, shownKeys),
      { class: `overview wide below-${below}` },
      { sort: { by, down, go }, name: "All models", pinned: true },
    ),
  );
}
