// Five questions that people come with, each answered in a line and by one click.

import { report } from "../../lib/data.ts";
import { type Child, dataText, h } from "../../lib/dom.ts";
import { formatCost, formatScore, formatSigned, plural } from "../../lib/format.ts";
import { linkTo } from "../../lib/route.ts";
import { allRuns, averageKeys, averageOf, bestFirst, findTask, type Row } from "../../lib/runs.ts";
import { columnOf, gapOf } from "./cells.ts";

interface Answer {
  question: string;
  answer: Child;
  more: string;
  /** Where the whole answer is; null where there is none. */
  link: string | null;
}

const tile = ({ question, answer, more, link }: Answer): HTMLElement => {
  const content = [
    h("span", { class: "tile-name" }, question),
    h("span", { class: "tile-words" }, answer),
    h("span", { class: "hint" }, more),
  ];
  return link ? h("a", { class: "tile question", href: link }, content) : h("div", { class: "tile question" }, content);
};

function who(rows: Row[], keys: string[]): Answer {
  const [best] = rows;
  const average = averageKeys().find((key) => averageOf(best, key) !== null);
  const bold = keys.filter((key) => columnOf(key)?.bold.includes(best.id)).length;
  const words = [
    average ? `${formatScore(averageOf(best, average))} on ${average.replace(/^suite:/, "")}` : null,
    `best or not told apart in ${bold} of ${plural(keys.filter((key) => best.cells[key]).length, "task")}`,
  ];
  const link = linkTo("model", { run: best.runs[0].id });
  return { question: "Who is best?", answer: dataText(best.label), more: words.filter(Boolean).join("; "), link };
}

function byHowMuch(rows: Row[], keys: string[]): Answer {
  const question = "By how much?";
  const [best, ...others] = rows;
  const second = others.find((row) => keys.some((key) => row.cells[key] && best.cells[key]));
  if (!second) return { question, answer: "–", more: "no other model took the same tasks", link: null };
  const average = averageKeys().find((key) => columnOf(key)?.best === best.id && gapOf(columnOf(key), second));
  const shared = keys.filter((key) => best.cells[key] && second.cells[key]);
  const single = shared.length === 1 && columnOf(shared[0])?.best === best.id ? shared[0] : null;
  const gap = gapOf(columnOf(average ?? single ?? ""), second);
  const ahead = shared.filter((key) => isAhead(columnOf(key)?.ranks ?? {}, best.id, second.id));
  const answer = gap ? `${formatSigned(-gap.value)} points` : `On ${ahead.length} of ${plural(shared.length, "task")}`;
  const within =
    gap && gap.low !== null && gap.high !== null ? ` (${formatSigned(-gap.high)} to ${formatSigned(-gap.low)})` : "";
  const more = gap
    ? `ahead of ${second.label}${within}; ${plural(shared.length, "shared task")}`
    : `ahead of ${second.label} by the corrected tests`;
  return { question, answer, more, link: linkTo("compare", { a: best.id, b: second.id }) };
}

/** Whether the ranks of one row lie before those of another: the test tells them apart. */
const isAhead = (ranks: Record<string, [number, number]>, one: string, other: string): boolean =>
  ranks[one] !== undefined && ranks[other] !== undefined && ranks[one][1] < ranks[other][0];

/** The task on which the best row is furthest behind, in standard units of its interval; else its lowest score. */
function where(rows: Row[], keys: string[]): Answer {
  const question = "Where does it fail?";
  const [best] = rows;
  const taken = keys.flatMap((key) => findTask(best, key) ?? []);
  const behind = taken
    .flatMap((task) => {
      const gap = gapOf(columnOf(task.key), best);
      const told = gap && !columnOf(task.key)?.bold.includes(best.id) && !columnOf(task.key)?.few.includes(best.id);
      return told ? [{ task, gap, rank: columnOf(task.key)?.ranks[best.id]?.[0] ?? 1 }] : [];
    })
    .sort((a, b) => b.rank - a.rank || a.gap.value - b.gap.value);
  const [worst] = behind;
  const percent = taken.filter(({ bar }) => bar.value !== null && bar.value <= 100);
  const lowest = [...percent].sort((a, b) => (a.bar.value ?? 0) - (b.bar.value ?? 0))[0];
  const task = worst?.task ?? lowest ?? taken[0];
  if (!task) return { question, answer: "–", more: "no score", link: null };
  const link = linkTo("samples", { run: best.cells[task.key].id, task: task.key, is: "wrong" });
  const more = worst
    ? `${formatSigned(worst.gap.value)} behind the best there; its wrong answers`
    : `its lowest score, ${formatScore(task.bar.value)}; its wrong answers`;
  return { question, answer: dataText(task.key), more, link };
}

function worse(): Answer {
  const question = "Did it get worse?";
  const { histories } = report();
  const drifts = histories.flatMap((one, of) =>
    Object.entries(one.trends).flatMap(([key, trend]) => (trend.alarms.length ? [{ of, key, name: one.name }] : [])),
  );
  const failed = allRuns().flatMap((run) =>
    (run.gate?.tasks ?? []).filter(({ outcome }) => outcome === "fail").map(({ key }) => ({ run, key })),
  );
  const gates = failed.length
    ? `a gate failed on ${failed
        .map(({ key }) => key)
        .slice(0, 2)
        .join(", ")}`
    : "";
  if (drifts.length) {
    const more = [`${drifts[0].name} on ${drifts[0].key}`, gates].filter(Boolean).join("; ");
    return { question, answer: "Yes, a drift", more, link: linkTo("history", { of: String(drifts[0].of) }) };
  }
  if (failed.length) {
    const [{ run, key }] = failed;
    return { question, answer: "Yes, by a gate", more: gates, link: linkTo("model", { run: run.id, task: key }) };
  }
  const known = histories.findIndex(({ runs }) => sharedTasks(runs).length > 0);
  if (known < 0) return { question, answer: "Not known", more: "no model has two runs of one task", link: null };
  const tasks = sharedTasks(histories[known].runs).length;
  return {
    question,
    answer: "No drift seen",
    more: `${histories[known].name}: ${plural(histories[known].runs.length, "run")}, ${plural(tasks, "task")}`,
    link: linkTo("history", { of: String(known) }),
  };
}

/** The tasks that two or more of some runs have. */
export function sharedTasks(ids: string[]): string[] {
  const keys = ids.flatMap(
    (id) =>
      allRuns()
        .find((run) => run.id === id)
        ?.tasks.map((task) => task.key) ?? [],
  );
  return [...new Set(keys.filter((key, at) => keys.indexOf(key) < at))];
}

function cost(rows: Row[]): Answer {
  const question = "What did it cost?";
  const [best] = rows;
  const known = Object.entries(report().costs).filter(([name]) => best.costs[name] !== null);
  const [first, ...others] = known.map(([name, head]) =>
    name === "per_second"
      ? `${formatCost(name, best.costs[name])} questions/s`
      : `${formatCost(name, best.costs[name])} ${head}`,
  );
  const more = others.filter((words) => /memory|parameters|judge/.test(words)).join(", ");
  return { question, answer: first ?? "not measured", more, link: linkTo("leaderboard", { show: "cost" }) };
}

/** The strip above the board. */
export function questions(keys: string[]): HTMLElement | null {
  const rows = bestFirst();
  if (!rows.length || !keys.length) return null;
  const answers = [who(rows, keys), byHowMuch(rows, keys), where(rows, keys), worse(), cost(rows)];
  return h("nav", { class: "tiles questions", "aria-label": "Short answers" }, answers.map(tile));
}
