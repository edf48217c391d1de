// The sample browser: images with questions and answers, filtered by what the URL says.

import { dataText, h } from "../lib/dom.ts";
import { formatCount, plural, shorten } from "../lib/format.ts";
import { choiceField, notFound, pageFrame, sampleNotice } from "../lib/panels.ts";
import { type Records, recordsOf } from "../lib/records.ts";
import { changeParams, currentRoute, linkTo, type Shown, type View } from "../lib/route.ts";
import { allRuns, findRun, findTask, taskKeys } from "../lib/runs.ts";
import type { Run, Task } from "../lib/types.ts";
import { virtualList, type VirtualList } from "../lib/virtual_list.ts";
import { filterBar, filteredRows } from "./filters.ts";
import { sampleDialog, type SampleDialog } from "./sample_dialog.ts";
import { imageNode, verdictNode } from "./sample_parts.ts";

const HEIGHT = 132;
const LEAST = 330;

function card(records: Records, row: number, link: string): HTMLElement {
  const answer = records.text(row) || records.parsed(row);
  return h(
    "a",
    { class: "sample", href: link, "data-row": row },
    h("span", { class: "sample-image" }, imageNode(records.images(row)[0])),
    h(
      "span",
      { class: "sample-words" },
      h("span", { class: "sample-question" }, dataText(shorten(records.question[row], 130))),
      h("span", { class: "sample-answer" }, dataText(answer ? shorten(answer, 80) : "(empty)")),
      h(
        "span",
        { class: "sample-foot" },
        verdictNode(records, row),
        records.verdict(row) === "right"
          ? null
          : h("span", { class: "hint" }, "target ", dataText(shorten(records.target(row), 40))),
      ),
    ),
  );
}

function picker(run: Run, task: Task): HTMLElement | null {
  const entries = allRuns().flatMap((one) => one.tasks.map((part) => ({ run: one, task: part })));
  if (entries.length < 2) return null;
  return choiceField(
    "run and task",
    "",
    String(entries.findIndex((entry) => entry.run === run && entry.task === task)),
    entries.map((entry, at): [string, string] => [String(at), `${shorten(entry.run.label, 36)} · ${entry.task.key}`]),
    (at) => {
      const { run: one, task: part } = entries[Number(at)];
      location.hash = linkTo("samples", { run: one.id, task: part.key });
    },
  );
}

function chosen(params: URLSearchParams): { run: Run | undefined; task: Task | undefined } {
  const run = params.has("run")
    ? findRun(params.get("run"))
    : allRuns().find((one) => !params.has("task") || findTask(one, params.get("task")));
  return { run, task: params.has("task") ? findTask(run, params.get("task")) : run?.tasks[0] };
}

const key = (name: string) => h("kbd", {}, name);

function keysOf(dialog: SampleDialog): (event: KeyboardEvent) => void {
  return (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, select, textarea");
    if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("search")?.focus();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (dialog.step(event.key === "ArrowRight" ? 1 : -1)) event.preventDefault();
    }
  };
}

function build(main: HTMLElement, params: URLSearchParams): Shown | void {
  const { run, task } = chosen(params);
  if (!run || !task) return void main.append(notFound("There is no such run or task in this report."));
  const records = recordsOf(task);
  const bar = filterBar(records);
  const status = h("p", { class: "hint", role: "status" });
  const nothing = h("p", { class: "nothing" }, "No sample matches these filters.");
  const dialog = sampleDialog(run, task, records);
  const list = virtualList<number>("Samples", {
    height: HEIGHT,
    least: LEAST,
    card: (row) => {
      const link = new URLSearchParams(currentRoute().params);
      link.set("open", records.id[row]);
      return card(records, row, linkTo("samples", link));
    },
  });
  const where = [h("a", { href: linkTo("model", { run: run.id, task: task.key }) }, dataText(run.label)), " on "];
  main.append(
    pageFrame(
      "Samples",
      [...where, h("a", { href: linkTo("task", { task: task.key, run: run.id }) }, dataText(task.key))],
      picker(run, task),
      sampleNotice([task]),
      bar.node,
      h(
        "div",
        { class: "count" },
        status,
        h(
          "p",
          { class: "hint keys" },
          key("/"),
          " search, ",
          key("arrows"),
          " move, ",
          key("Enter"),
          " open, ",
          key("Esc"),
          " close",
        ),
      ),
      list.node,
      nothing,
    ),
    dialog.node,
  );
  let shown: { filter: string; rows: number[] } | null = null;
  const update = (now: URLSearchParams) => {
    bar.update(now);
    const filter = new URLSearchParams(now);
    ["open", "at"].forEach((name) => filter.delete(name));
    if (shown?.filter !== filter.toString()) {
      const moved = shown !== null;
      shown = { filter: filter.toString(), rows: filteredRows(records, now) };
      const { rows } = shown;
      status.textContent =
        rows.length === records.count
          ? plural(rows.length, "sample")
          : `${formatCount(rows.length)} of ${plural(records.count, "sample")}`;
      nothing.hidden = rows.length > 0;
      list.set(rows);
      if (!moved && now.has("at")) list.scrollTo(Math.min(rows.length - 1, Number(now.get("at")) || 0));
    }
    dialog.update(now, shown.rows, list);
  };
  return { update, ...listeners(dialog, list) };
}

/** The keyboard, and the place in the list that the URL tells once scrolling has come to rest. */
function listeners(dialog: SampleDialog, list: VirtualList<number>): { leave: () => void } {
  const keys = keysOf(dialog);
  let resting = 0;
  const rest = () => {
    clearTimeout(resting);
    resting = setTimeout(() => {
      const at = list.first();
      changeParams({ at: at > 0 ? String(at) : null }, { replace: true });
    }, 400);
  };
  document.addEventListener("keydown", keys);
  window.addEventListener("scroll", rest, { passive: true });
  return {
    leave: () => {
      clearTimeout(resting);
      document.removeEventListener("keydown", keys);
      window.removeEventListener("scroll", rest);
      list.leave();
    },
  };
}

export const samplesView: View = {
  title: (params) => `Samples of ${params.get("task") ?? taskKeys()[0]}`,
  /** The same run and task keep their page: only what is shown changes. */
  same: (params) => `${params.get("run")} ${params.get("task")}`,
  needs: (params) => {
    const { task } = chosen(params);
    return task ? [task.list] : [];
  },
  build,
};
