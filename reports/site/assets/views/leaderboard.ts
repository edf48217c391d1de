// The first page: every task's board, and all runs on all tasks at a answer_stats.

import { report } from "../lib/data.ts";
import { dataText, h } from "../lib/dom.ts";
import { formatInterval, formatLevels, formatScore, plural } from "../lib/format.ts";
import { card, choiceField, pageFrame, sampleNotice } from "../lib/panels.ts";
import { changeParams, linkTo, type View } from "../lib/route.ts";
import { contenders, findTask, taskKeys } from "../lib/runs.ts";
import { type Column, dataTable } from "../lib/table.ts";
import type { Run } from "../lib/types.ts";
import { board, rankOf } from "./board.ts";
import { recipeCard } from "./recipes.ts";
import { suiteCards } from "./suites.ts";

function overview(runs: Run[], keys: string[]): HTMLElement | null {
  const shown = runs.filter((run) => run.tasks.some((task) => keys.includes(task.key)));
  if (keys.length < 2 || shown.length < 2) return null;
  const columnsOf = keys.map((key): Column<Run> => ({
    head: h("a", { href: linkTo("task", { task: key }) }, dataText(key)),
    class: "number",
    plain: (run) => findTask(run, key)?.bar.value ?? null,
    cell: (run) => {
      const task = findTask(run, key);
      if (!task) return "–";
      const first = rankOf(key, run)?.[0] === 1;
      return h(
        "a",
        { class: "cell", href: linkTo("model", { run: run.id, task: key }) },
        h("span", { class: first ? "strong" : "" }, formatScore(task.bar.value)),
        h("span", { class: "under" }, formatInterval(task.bar)),
      );
    },
  }));
  return card(
    "Overview",
    "Bold: no other run is significantly better (5 % per task, Holm-corrected over its pairs).",
    null,
    dataTable(
      "Headline of every run on every task",
      [
        {
          head: "run",
          class: "run",
          cell: (run) => h("a", { href: linkTo("model", { run: run.id }) }, dataText(run.label)),
        },
        ...columnsOf,
      ],
      shown,
      { class: "overview" },
    ),
  );
}

const select = (field: HTMLElement) => field.lastChild as HTMLSelectElement;

function controls(keys: string[]): { node: HTMLElement; update: (params: URLSearchParams) => void } {
  let typing = 0;
  const search: HTMLInputElement = h("input", {
    type: "search",
    id: "search",
    placeholder: "Filter runs by name",
    "aria-label": "Filter runs by name",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => changeParams({ q: search.value }, { replace: true }), 150);
    },
  });
  const task = choiceField("task", "task", "", [["", "all"], ...keys.map((key): [string, string] => [key, key])]);
  const papers = choiceField("published figures", "published", "", [
    ["", "comparable ones"],
    ["all", "all"],
    ["none", "none"],
  ]);
  const update = (params: URLSearchParams) => {
    if (document.activeElement !== search) search.value = params.get("q") ?? "";
    select(task).value = params.get("task") ?? "";
    select(papers).value = params.get("published") ?? "";
  };
  const form = {
    class: "filters filter-row",
    role: "search",
    "aria-label": "Filter",
    onsubmit: (event: SubmitEvent) => event.preventDefault(),
  };
  return { node: h("form", form, search, task, papers), update };
}

export const leaderboardView: View = {
  title: () => "Leaderboard",
  same: () => "",
  build: (main) => {
    const { built } = report();
    const runs = contenders();
    const keys = taskKeys();
    const tasks = runs.flatMap((run) => run.tasks);
    const answers = tasks.reduce((sum, task) => sum + task.count, 0);
    const bar = controls(keys);
    const boards = h("div", { class: "stack" });
    main.append(
      pageFrame(
        "Leaderboard",
        `${plural(runs.length, "run")} on ${plural(keys.length, "task")}, ${plural(answers, "answer")}. Intervals are ${formatLevels(tasks.map((task) => task.level))}, clustered by image. Built ${built}.`,
        h("a", { class: "button", href: "exports/leaderboard.csv", download: true }, "Save as CSV"),
        sampleNotice(tasks),
        bar.node,
        boards,
      ),
    );
    return {
      update: (params) => {
        bar.update(params);
        const only = params.get("task");
        const shown = only ? keys.filter((key) => key === only) : keys;
        const words = (params.get("q") ?? "").toLowerCase().trim();
        const fitting = runs.filter((run) => run.label.toLowerCase().includes(words));
        const focus = (document.activeElement as HTMLElement | null)?.dataset.sort;
        const averages = only ? [] : suiteCards(fitting);
        const parts = [
          overview(fitting, shown),
          recipeCard(report().recipes, shown),
          ...averages,
          ...shown.map((key) => board(key, params)),
        ].filter((part) => part !== null);
        boards.replaceChildren(
          ...(parts.length ? parts : [h("p", { class: "nothing" }, "No run matches this filter.")]),
        );
        if (focus) boards.querySelector<HTMLElement>(`[data-sort="${focus}"]`)?.focus();
      },
    };
  },
};
