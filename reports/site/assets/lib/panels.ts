// Pieces that several pages share: titles, panels, statuses, coverage, lists of facts, tables of metrics.

import { type Child, dataText, h } from "./dom.ts";
import {
  formatCount,
  formatInterval,
  formatScore,
  formatShare,
  humanize,
  intervalHead,
  plural,
  shorten,
  statusLabel,
} from "./format.ts";
import { changeParams } from "./route.ts";
import { dataTable } from "./table.ts";
import type { Bar, Task, TaskDetails } from "./types.ts";

/** The value of a fact; one without a value is left out. */
export type Fact = Node | string | number | null | undefined;

/** A page: its heading, a line below it, what stands at the right, and the rest. */
export const pageFrame = (title: Child, hint: Child, side: Child, ...content: Child[]): HTMLElement =>
  h(
    "div",
    { class: "page" },
    h(
      "div",
      { class: "title title-row" },
      h("div", {}, h("h1", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
      side,
    ),
    content,
  );

export const panel = (title: Child, hint: Child, ...content: Child[]): HTMLElement =>
  h("section", { class: "panel" }, h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, content);

export const card = (title: string | HTMLElement, hint: Child, side: Child, ...content: Child[]): HTMLElement =>
  h(
    "section",
    { class: "card", "aria-label": typeof title === "string" ? title : title.textContent },
    h(
      "div",
      { class: "card-head" },
      h("div", {}, h("h2", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
      side,
    ),
    content,
  );

/** A choice that changes one parameter of the URL. `entries` are [value, text]. */
export function choiceField(
  label: string,
  name: string,
  value: string,
  entries: [value: string, text: string][],
  go: (value: string) => void = (now) => changeParams({ [name]: now }),
): HTMLElement {
  const control: HTMLSelectElement = h(
    "select",
    { onchange: () => go(control.value) },
    entries.map(([one, text]) => h("option", { value: one, selected: one === value }, shorten(text, 60))),
  );
  return h("label", { class: "field" }, h("span", {}, label), control);
}

/** Statuses as chips: ok quietly (or not at all), the others in colour. */
export function statusChips(task: Task, failures = false): HTMLElement {
  const entries = Object.entries(task.statuses)
    .filter(([name]) => !failures || name !== "ok")
    .sort(([a], [b]) => Number(b === "ok") - Number(a === "ok"));
  return h(
    "span",
    { class: "chips" },
    entries.map(([name, count]) =>
      h(
        "span",
        { class: `chip ${name === "ok" ? "chip-ok" : "chip-bad"}` },
        `${statusLabel(name)} ${formatCount(count)}`,
      ),
    ),
  );
}

export const coverageText = (task: Pick<Task, "coverage">): HTMLElement =>
  h("span", { class: task.coverage === 1 ? "" : "lacking" }, formatShare(task.coverage));

/** Facts as pairs; those without a value are left out. */
export const factList = (pairs: [name: string, value: Fact][]): HTMLElement =>
  h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, value instanceof Node ? value : dataText(value))),
      ),
  );

export const metricsTable = (task: Task, metrics: Bar[]): HTMLElement =>
  dataTable(
    `All metrics of ${task.key}`,
    [
      {
        head: "metric",
        plain: (bar) => bar.name,
        cell: (bar) => [
          dataText(humanize(bar.name)),
          bar.name === task.headline ? h("span", { class: "tag" }, "headline") : null,
          bar.note ? h("span", { class: "under wrap" }, dataText(bar.note)) : null,
        ],
      },
      { head: "value", class: "number strong", cell: (bar) => formatScore(bar.value), plain: (bar) => bar.value },
      { head: intervalHead([task.level]), class: "number", cell: (bar) => formatInterval(bar) },
      { head: "n", class: "number", cell: (bar) => formatCount(bar.n), plain: (bar) => bar.n },
    ],
    metrics,
  );

/** The loud line beside scores on data that ship with the package. */
export const sampleNotice = (tasks: Task[]): Child =>
  tasks.some((task) => task.embedded)
    ? h(
        "p",
        { class: "notice", role: "note" },
        h("strong", {}, "Embedded sample. "),
        "These scores show that everything works; they are not comparable with papers.",
      )
    : null;

/** Warnings that stand beside a task's scores, each a line. */
export const notesList = (task: { key: string; notes?: string[] }): Child =>
  task.notes?.length
    ? h(
        "ul",
        { class: "notice notes", "aria-label": `Notes on ${task.key}` },
        task.notes.map((note) => h("li", {}, dataText(note))),
      )
    : null;

/** The same as a mark with the lines as its hint, for a cell of a table. */
export const notesMark = (task: Task): Child =>
  task.notes?.length
    ? h(
        "span",
        {
          class: "tag tag-unknown",
          role: "note",
          title: task.notes.join("\n"),
          "aria-label": `${plural(task.notes.length, "note")}: ${task.notes.join("; ")}`,
        },
        plural(task.notes.length, "note"),
      )
    : null;

/** How the answers came out: unread, cut, empty, equal to each other; nothing where that is not known. */
export const answerCounts = ({ answers }: TaskDetails): Child =>
  answers && answers.cut !== null
    ? panel(
        "Answers",
        null,
        factList([
          ["answers", formatCount(answers.total)],
          ["unread", formatCount(answers.unread)],
          ["cut at max_new_tokens", formatCount(answers.cut)],
          ["empty", formatCount(answers.empty)],
          ["distinct", formatCount(answers.distinct)],
          [
            "most common",
            answers.most_common_share ? `${answers.most_common} (${formatShare(answers.most_common_share)})` : null,
          ],
        ]),
      )
    : null;

/** What stands in place of a page that a link names and the report does not hold. */
export const notFound = (text: string): HTMLElement =>
  h(
    "div",
    { class: "page" },
    h("h1", {}, "Not found"),
    h("p", {}, text, " ", h("a", { href: "#/" }, "To the leaderboard")),
  );

export const missingFile = (error: Error): HTMLElement =>
  h(
    "p",
    { class: "notice" },
    `${error.message} is missing beside this page. A report is a folder: copy all of it, or build it again.`,
  );
