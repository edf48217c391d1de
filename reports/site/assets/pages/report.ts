// The report's script: shows the view that the URL hash names, and the navigation above it.

import { gain, verdictWords } from "../lib/comparisons.ts";
import { loadFiles, report, take } from "../lib/data.ts";
import { h } from "../lib/dom.ts";
import { missingFile, notFound } from "../lib/panels.ts";
import { recordsOf } from "../lib/records.ts";
import { currentRoute, linkTo, type Shown, type View } from "../lib/route.ts";
import { allRuns, bestFirst } from "../lib/runs.ts";
import { exportTable } from "../lib/table.ts";
import { compareView } from "../views/compare.ts";
import { historyView } from "../views/history.ts";
import { leaderboardView } from "../views/board/leaderboard.ts";
import { modelView } from "../views/model.ts";
import { perturbationsView } from "../views/perturbations.ts";
import { samplesView } from "../views/samples.ts";
import { taskView } from "../views/task.ts";

/** The bundle's global `vb`: the data files call `take`; the rest is for the console and for tests. */
export { allRuns, bestFirst, exportTable, gain, loadFiles, recordsOf, take, verdictWords };

const VIEWS: Record<string, View> = {
  leaderboard: leaderboardView,
  task: taskView,
  model: modelView,
  samples: samplesView,
  compare: compareView,
  perturbations: perturbationsView,
  ablations: perturbationsView, // links of earlier reports
  history: historyView,
};

interface Current extends Shown {
  /** What is on show: the URL, or what its view says is the same page. */
  same: string | null;
}

const main = document.getElementById("main") as HTMLElement;
let current: Current | null = null;
/** Counts the views requested: one that loads slowly must not replace a later one. */
let requests = 0;

type Entry = [view: string, text: string, shown?: boolean, params?: Record<string, string>];

function navigation(view: string): void {
  const { perturbed, histories, pairs, runs } = report();
  const entries: Entry[] = [
    ["leaderboard", "Leaderboard"],
    ["task", "Tasks"],
    ["model", "Models", true, { run: bestFirst()[0]?.runs[0].id ?? runs[0]?.id ?? "" }],
    ["samples", "Samples"],
    ["compare", "Compare", pairs.length > 0],
    ["perturbations", "Perturbations", perturbed.length > 0],
    ["history", "History", histories.length > 0],
  ];
  const links = entries
    .filter(([, , shown = true]) => shown)
    .map(([name, text, , params]) =>
      h("a", { href: linkTo(name, params), "aria-current": VIEWS[view] === VIEWS[name] ? "page" : null }, text),
    );
  document.getElementById("nav")?.replaceChildren(...links);
  document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function draw(page: View | null, params: URLSearchParams, same: string, moved: boolean): void {
  main.replaceChildren();
  main.removeAttribute("aria-busy");
  const shown = page ? page.build(main, params) : void main.append(notFound("There is no such page in this report."));
  current = { same, ...shown };
  current.update?.(params);
  main.dataset.shown = location.hash; // what is drawn now: the hash runs ahead of it by an event
  if (moved) {
    if (!params.has("at")) window.scrollTo({ top: 0 });
    main.focus({ preventScroll: true });
  }
}

/** Draw what the URL says; a view that is on show already and says it is the same is only updated. */
function showView(): void {
  const { view, params } = currentRoute();
  const page = Object.hasOwn(VIEWS, view) ? VIEWS[view] : null;
  const same = page?.same ? `${view} ${page.same(params)}` : location.hash;
  requests += 1;
  if (current?.same === same) {
    current.update?.(params);
    main.dataset.shown = location.hash;
    return;
  }
  const moved = current !== null;
  current?.leave?.();
  current = { same: null };
  navigation(view);
  document.title = `${page ? page.title(params) : "Not found"} · vlmbench`;
  const waiting = loadFiles(page?.needs?.(params) ?? []);
  if (!waiting) return draw(page, params, same, moved);
  const request = requests;
  main.setAttribute("aria-busy", "true");
  main.replaceChildren(h("div", { class: "page" }, h("p", { class: "hint loading", role: "status" }, "Loading …")));
  waiting.then(
    () => {
      if (request === requests) draw(page, currentRoute().params, same, moved);
    },
    (error: Error) => {
      if (request !== requests) return;
      main.removeAttribute("aria-busy");
      main.replaceChildren(h("div", { class: "page" }, h("h1", {}, "Not found"), missingFile(error)));
      main.dataset.shown = location.hash;
    },
  );
}

window.addEventListener("hashchange", showView);
showView();
