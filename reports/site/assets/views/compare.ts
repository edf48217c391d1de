// Two runs beside each other: paired differences, and every question whose answer or verdict differs.

import {
  comparisonOf,
  differenceColumns,
  gain,
  headlineDifference,
  isSignificant,
  type MetricDifference,
  pairFile,
  verdictWords,
} from "../lib/comparisons.ts";
import { comparisonFile, report } from "../lib/data.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import { formatCount, formatScore, formatShare, humanize, plural, shorten } from "../lib/format.ts";
import { card, choiceField, notesList, notFound, pageFrame, sampleNotice } from "../lib/panels.ts";
import { type Records, recordsOf } from "../lib/records.ts";
import { changeParams, linkTo, type View } from "../lib/route.ts";
import { differenceChart } from "../lib/run_charts.ts";
import { allRuns, bestFirst, findSide, findTask, sourceOf } from "../lib/runs.ts";
import { dataTable } from "../lib/table.ts";
import type { Difference, Direction, Run, Task } from "../lib/types.ts";
import { virtualList } from "../lib/virtual_list.ts";
import { imageNode, verdictNode } from "./sample_parts.ts";

const HEIGHT = 148;
const LEAST = 420;

type Kind = "lost" | "gained" | "changed" | "all";

const KINDS: Record<Kind, string> = {
  lost: "A right, B wrong",
  gained: "A wrong, B right",
  changed: "Different wording",
  all: "All",
};

interface Choice {
  a: Run | undefined;
  b: Run | undefined;
  keys: string[];
  key: string | null;
}

/** The first two rows of the board that share a task: the best against the second. */
function opening(): [string?, string?] {
  const [best, ...others] = bestFirst();
  const second = others.find((row) => row.tasks.some((task) => findTask(best, task.key)));
  return second ? [best.id, second.id] : (report().pairs[0] ?? []);
}

/** What the URL asks for. A side may be a row of several runs or one run. */
function chosen(params: URLSearchParams): Choice {
  const first = params.has("a") && params.has("b") ? [] : opening();
  const a = findSide(params.get("a") ?? first[0]);
  const b = findSide(params.get("b") ?? first[1]);
  const keys = a && b ? a.tasks.map((task) => task.key).filter((key) => findTask(b, key)) : [];
  const key = params.get("task") ?? keys[0];
  return { a, b, keys, key: keys.includes(key) ? key : null };
}

/** What can be chosen: the rows of the board, the best first, then runs that no row shows whole. */
function sides(): [id: string, label: string][] {
  const rows = bestFirst();
  const whole = new Set(rows.map((row) => row.id));
  const runs = allRuns().filter((run) => !whole.has(run.id));
  return [...rows, ...runs].map((side) => [side.id, "cells" in side ? side.label : `one run: ${side.label}`]);
}

type RowPair = [row: number, there: number];

/** Rows of both runs by the same id. */
function joined(one: Records, other: Records): RowPair[] {
  const pairs: RowPair[] = [];
  one.id.forEach((id, row) => {
    const there = other.rowOf(id);
    if (there !== null) pairs.push([row, there]);
  });
  return pairs;
}

function kindOf(one: Records, other: Records, [row, there]: RowPair): Kind | "same" {
  const scored = one.verdict(row) !== "none" && other.verdict(there) !== "none";
  const [before, after] = [one.value(row), other.value(there)];
  if (scored && before !== after) return Number(after) > Number(before) ? "gained" : "lost";
  return one.parsed(row) !== other.parsed(there) || one.text(row) !== other.text(there) ? "changed" : "same";
}

function flipCard(one: Records, other: Records, pair: RowPair, link: string): HTMLElement {
  const [row, there] = pair;
  const side = (records: Records, at: number, name: string) =>
    h(
      "span",
      { class: "flip-side" },
      h("span", { class: "hint" }, name),
      h("span", { class: "sample-answer" }, dataText(shorten(records.text(at) || records.parsed(at) || "(empty)", 60))),
      verdictNode(records, at),
    );
  return h(
    "a",
    { class: "sample", href: link, "data-row": row },
    h("span", { class: "sample-image" }, imageNode(one.images(row)[0])),
    h(
      "span",
      { class: "sample-words" },
      h(
        "span",
        { class: "sample-question" },
        dataText(shorten(one.question[row], 110)),
        h("span", { class: "hint" }, " target ", dataText(shorten(one.target(row), 30))),
      ),
      h("span", { class: "flip-sides" }, side(one, row, "A"), side(other, there, "B")),
    ),
  );
}

function notice(a: Run, b: Run, key: string): Child {
  const file = pairFile(a.id, b.id, key);
  const why = (file && comparisonFile(file.name)?.failed) ?? {};
  const failed = file
    ? (why[""] ?? why[key])
    : "These two were not compared when the report was built; run `vlmbench compare`.";
  const task = comparisonOf(a.id, b.id, key);
  return [
    failed ? h("p", { class: "notice", role: "note" }, h("strong", {}, "No intervals. "), dataText(failed)) : null,
    task?.differs?.length
      ? h(
          "p",
          { class: "notice", role: "note" },
          h("strong", {}, "Not the same test. "),
          "These runs differ in: ",
          dataText(task.differs.map(String).join("; ")),
        )
      : null,
    task?.notes?.length ? notesList({ key, notes: task.notes.map(String) }) : null,
  ];
}

const TOWARDS: Partial<Record<Direction, (row: MetricDifference) => string>> = {
  less: () => "less is better",
  target: ({ target }) => `nearer to ${formatScore(target)} is better`,
  neither: () => "neither is better",
};

/** What a difference above zero means, with the metrics of which it means something else. */
function direction(rows: MetricDifference[]): string {
  const exceptions = rows.flatMap((row) => {
    const words = TOWARDS[row.better ?? "more"]?.(row);
    return words ? [`${row.label}: ${words}`] : [];
  });
  const suffix = exceptions.length ? ` Exceptions: ${exceptions.join("; ")}.` : "";
  return `Above zero: B is better.${suffix} Colored: p below 5 %, Holm-corrected over the metrics. “The same”: a difference of that size is excluded, by tests corrected likewise; otherwise there are too few questions to tell.`;
}

/** Every metric of the task, and the breakdowns, as paired differences. */
function differences(a: Run, b: Run, key: string): HTMLElement {
  const task = comparisonOf(a.id, b.id, key);
  const head = headlineDifference(a, b, key);
  const row = (one: Difference): MetricDifference => {
    const change = gain({ ...one, value: one.paired.difference.value });
    const { p_holm: p = null, equivalence } = one;
    return {
      key,
      label: humanize(one.label || one.name),
      one: { headline: one.name, bar: { name: one.name, value: one.before } },
      other: { headline: one.name, bar: { name: one.name, value: one.after } },
      ...one.paired.difference,
      p,
      gain: change,
      verdict: verdictWords(change, p, equivalence?.p_holm ?? null, equivalence?.margin ?? 0),
      better: one.better ?? "more",
      target: one.target ?? null,
      method: one.paired.method,
      flips: null,
      level: head.level,
      significant: isSignificant(p),
    };
  };
  const rows = task ? task.differences.map(row) : [{ ...head, label: humanize(head.one.headline) }];
  const parts = (task?.breakdowns ?? []).map(row);
  const drawn = rows.filter((one) => one.value !== null);
  const table = (caption: string, of: MetricDifference[]) =>
    dataTable(
      caption,
      [{ head: "metric", class: "stub", cell: (one) => dataText(one.label) }, ...differenceColumns("A", "B", of)],
      of,
      {
        class: "slim stacked",
      },
    );
  return card(
    "Differences",
    task?.agreement !== undefined && task?.agreement !== null
      ? `The two agree on ${formatShare(task.agreement)} of the questions. ${direction(rows)}`
      : direction(rows),
    null,
    drawn.length ? differenceChart(drawn, `B minus A on ${key}`) : null,
    table(`B minus A on ${key}`, rows),
    parts.length
      ? h(
          "details",
          {},
          h("summary", {}, `${parts.length} more, by category`),
          table(`B minus A on ${key}, by category`, parts),
        )
      : null,
  );
}

function pickers(a: Run, b: Run, { keys, key }: Choice): HTMLElement {
  const runs = sides();
  return h(
    "div",
    { class: "filter-row" },
    choiceField("A (before)", "a", a.id, runs, (id) => changeParams({ a: id, b: b.id, at: null })),
    choiceField("B (after)", "b", b.id, runs, (id) => changeParams({ a: a.id, b: id, at: null })),
    choiceField(
      "task",
      "task",
      key ?? "",
      keys.map((one): [string, string] => [one, one]),
      (one) => changeParams({ task: one, at: null }),
    ),
    h("button", { type: "button", class: "plain", onclick: () => changeParams({ a: b.id, b: a.id }) }, "swap"),
  );
}

/** The list of flips with its controls. */
interface Flips {
  nodes: HTMLElement[];
  update: (params: URLSearchParams) => void;
  leave: () => void;
}

/** Every question that was answered or scored differently. */
function flips(b: Run, tasks: [Task, Task]): Flips {
  const { key } = tasks[0];
  const [one, other] = [recordsOf(tasks[0]), recordsOf(tasks[1])];
  const pairs = joined(one, other);
  const kinds = pairs.map((pair) => kindOf(one, other, pair));
  const counts = { lost: 0, gained: 0, changed: 0, all: pairs.length };
  for (const kind of kinds) if (kind !== "same") counts[kind] += 1;
  const list = virtualList<RowPair>("Flips", {
    height: HEIGHT,
    least: LEAST,
    card: (pair) =>
      flipCard(one, other, pair, linkTo("samples", { run: sourceOf(b, key).id, task: key, open: other.id[pair[1]] })),
  });
  const status = h("p", { class: "hint", role: "status" });
  let typing = 0;
  const search: HTMLInputElement = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search question, answer, id",
    "aria-label": "Search questions, answers and ids",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => changeParams({ q: search.value }, { replace: true }), 150);
    },
  });
  const buttons = (Object.entries(KINDS) as [Kind, string][]).map(([kind, text]) =>
    h(
      "button",
      { type: "button", "data-show": kind, onclick: () => changeParams({ show: kind === "lost" ? null : kind }) },
      `${text} `,
      h("span", { class: "dim" }, formatCount(counts[kind])),
    ),
  );
  let before: string | null = null;
  const update = (params: URLSearchParams) => {
    const [show, words] = [params.get("show") ?? "lost", (params.get("q") ?? "").toLowerCase().trim()];
    if (document.activeElement !== search) search.value = params.get("q") ?? "";
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === show));
    if (before === `${show} ${words}`) return;
    before = `${show} ${words}`;
    const rows = pairs.filter(
      ([row, there], at) =>
        (show === "all" || kinds[at] === show) &&
        (!words || one.searchText(row).includes(words) || other.searchText(there).includes(words)),
    );
    status.textContent = plural(rows.length, "question");
    list.set(rows);
  };
  const form = {
    class: "filters filter-row",
    role: "search",
    "aria-label": "Filter questions",
    onsubmit: (event: SubmitEvent) => event.preventDefault(),
  };
  const group = h("div", { class: "switch", role: "group", "aria-label": "Which questions" }, buttons);
  return {
    nodes: [h("h2", {}, "Questions"), h("form", form, search, group), status, list.node],
    update,
    leave: list.leave,
  };
}

export const compareView: View = {
  title: () => "Compare",
  same: (params) => ["a", "b", "task"].map((name) => params.get(name)).join(" "),
  needs: (params) => {
    const { a, b, key } = chosen(params);
    const tasks = [findTask(a, key), findTask(b, key)].filter((task) => task !== undefined);
    const file = a && b ? pairFile(a.id, b.id, key) : null;
    return key ? [...tasks.map((task) => task.list), ...(file ? [file.name] : [])] : [];
  },
  build: (main, params) => {
    const choice = chosen(params);
    const { a, b, key } = choice;
    if (!a || !b) return void main.append(notFound("This report does not hold these two runs."));
    const [task, other] = [findTask(a, key), findTask(b, key)];
    if (!key || !task || !other) {
      const hint = "These two runs have no task in common.";
      return void main.append(pageFrame("Compare", hint, pickers(a, b, choice)));
    }
    const shown = flips(b, [task, other]);
    main.append(
      pageFrame(
        "Compare",
        [
          h("a", { href: linkTo("model", { run: sourceOf(a, key).id, task: key }) }, "A: ", dataText(a.label)),
          " against ",
          h("a", { href: linkTo("model", { run: sourceOf(b, key).id, task: key }) }, "B: ", dataText(b.label)),
          " on ",
          dataText(key),
        ],
        pickers(a, b, choice),
        sampleNotice([task]),
        notice(a, b, key),
        differences(a, b, key),
        shown.nodes,
      ),
    );
    return { update: shown.update, leave: shown.leave };
  },
};
