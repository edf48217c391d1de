// The first page: five short answers, all models on all tasks, averages of suites, and each task's own board.

import { report } from "../../lib/data.ts";
import { h } from "../../lib/dom.ts";
import { formatLevels, plural } from "../../lib/format.ts";
import { choiceField, pageFrame, sampleNotice } from "../../lib/panels.ts";
import { changeParams, type View } from "../../lib/route.ts";
import { bestFirst, boardRows, taskKeys } from "../../lib/runs.ts";
import { overview } from "./overview.ts";
import { questions } from "./questions.ts";
import { recipeCard } from "./recipes.ts";
import { suiteCards } from "./suites.ts";
import { board } from "./task_board.ts";

/** Up to so many tasks have their own boards below; of more, the one that is chosen. */
const MOST_BOARDS = 6;

const select = (field: HTMLElement) => field.lastChild as HTMLSelectElement;

function controls(keys: string[]): { node: HTMLElement; update: (params: URLSearchParams) => void } {
  let typing = 0;
  const search: HTMLInputElement = h("input", {
    type: "search",
    id: "search",
    placeholder: "Filter models by name",
    "aria-label": "Filter models by name",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => changeParams({ q: search.value }, { replace: true }), 150);
    },
  });
  const task = choiceField("board of one task", "task", "", [
    ["", "all"],
    ...keys.map((key): [string, string] => [key, key]),
  ]);
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
    const rows = boardRows();
    const keys = taskKeys();
    const tasks = rows.flatMap((row) => row.tasks);
    const answers = tasks.reduce((sum, task) => sum + task.count, 0);
    const made = new Set(rows.flatMap((row) => row.runs)).size;
    const bar = controls(keys);
    const boards = h("div", { class: "stack" });
    main.append(
      pageFrame(
        "Leaderboard",
        `${plural(rows.length, "model")} from ${plural(made, "run")} on ${plural(keys.length, "task")}, ${plural(answers, "answer")}. Intervals are ${formatLevels(tasks.map((task) => task.level))}, clustered by image. Built ${built}.`,
        h("a", { class: "button", href: "exports/leaderboard.csv", download: true }, "Save as CSV"),
        sampleNotice(tasks),
        questions(keys),
        bar.node,
        boards,
      ),
    );
    return {
      update: (params) => {
        bar.update(params);
        const only = params.get("task");
        const words = (params.get("q") ?? "").toLowerCase().trim();
        const fitting = bestFirst(rows.filter((row) => row.label.toLowerCase().includes(words)));
        const focus = (document.activeElement as HTMLElement | null)?.dataset;
        const shown = only ? keys.filter((key) => key === only) : keys.length <= MOST_BOARDS ? keys : [];
        const before = boards.querySelector(".pinned");
        const place = before && [before.scrollLeft, before.scrollTop];
        const parts = [
          only ? null : overview(fitting, keys, params),
          recipeCard(report().recipes, only ? [only] : keys),
          ...(only ? [] : suiteCards(fitting)),
          ...shown.map((key) => board(key, params)),
        ].filter((part) => part !== null);
        boards.replaceChildren(
          ...(parts.length ? parts : [h("p", { class: "nothing" }, "No model matches this filter.")]),
        );
        if (place) boards.querySelector(".pinned")?.scrollTo({ left: place[0], top: place[1] });
        for (const [name, value] of Object.entries({ sort: focus?.sort, view: focus?.view, column: focus?.column }))
          if (value)
            boards.querySelector<HTMLElement>(`[data-${name}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
      },
    };
  },
};
