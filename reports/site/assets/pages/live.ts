// The page of a run that is still going: how far it is, its scores so far, what failed, and the latest answers. It asks
// its server again every two seconds.

import { block } from "../lib/data.ts";
import { dataText, h, svg } from "../lib/dom.ts";
import { formatCount, formatLevels, formatScore, humanize, plural } from "../lib/format.ts";

interface LiveTask {
  key: string;
  title: string;
  headline: string;
  planned: number;
  asked: number;
  statuses: Record<string, number>;
  value: number | null;
  low: number | null;
  high: number | null;
  reason: string;
  level: number | null;
  judged: boolean;
}

interface LiveAnswer {
  task: string;
  id: string;
  question: string;
  answer: string;
  target: string;
  status: string;
  value: number | null;
  note: string;
  images: string[];
}

interface LiveRun {
  state: "running" | "stopped" | "finished";
  model: string;
  folder: string;
  started: string;
  finished: string;
  again: string;
  damaged: number;
  answered: number;
  failed: number;
  planned: number;
  per_second: number;
  seconds_left: number | null;
  tasks: LiveTask[];
  failures: LiveAnswer[];
  failure_count: number;
  latest: LiveAnswer[];
  error: string;
}

const FINE = new Set(["ok", "unlabeled", "not_asked"]);
const TAGS = { running: "tag", stopped: "tag tag-unknown", finished: "tag tag-pass" };

const live = (run: LiveRun, lost: boolean): Node => {
  const parts = document.createDocumentFragment();
  if (lost)
    parts.append(h("p", { class: "notice", role: "alert" }, "`vlmbench watch` has ended: this is its last look."));
  if (run.error) parts.append(h("p", { class: "notice notice-fail", role: "alert" }, dataText(run.error)));
  parts.append(progress(run), scores(run), failures(run), latest(run));
  return parts;
};

const duration = (seconds: number): string => {
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${formatCount(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s` : `${Math.round(seconds)} s`;
};

const progress = (run: LiveRun): Node => {
  const share = run.planned ? run.answered / run.planned : 1;
  const words = [
    run.per_second > 0 && `${formatScore(run.per_second, run.per_second < 10 ? 1 : 0)} per second`,
    run.seconds_left !== null && `${duration(run.seconds_left)} left`,
    run.failed > 0 && `${formatCount(run.failed)} failed`,
    run.damaged > 0 && `${plural(run.damaged, "damaged line")} in the log`,
    `began ${run.started}`,
    run.finished && `finished ${run.finished}`,
  ].filter(Boolean);
  return h(
    "section",
    { class: "card", "aria-labelledby": "progress" },
    h(
      "div",
      { class: "card-head" },
      h("h1", { id: "progress" }, dataText(run.model), h("span", { class: TAGS[run.state] }, run.state)),
      h("span", { class: "hint" }, dataText(run.folder)),
    ),
    h(
      "p",
      { class: "live-count" },
      h("strong", {}, formatCount(run.answered)),
      ` of ${plural(run.planned, "question")} · ${(100 * share).toFixed(share < 1 ? 1 : 0)} %`,
    ),
    h("progress", {
      class: "live-bar",
      max: Math.max(run.planned, 1),
      value: run.answered,
      "aria-label": "questions answered",
    }),
    h("p", { class: "hint" }, words.join(" · ")),
    run.again && h("p", { class: "notice" }, "No process works on it. ", dataText(run.again), " goes on."),
  );
};

const scores = (run: LiveRun): Node => {
  const levels = run.tasks.flatMap((task) => (task.level === null ? [] : [task.level]));
  return h(
    "section",
    { class: "card", "aria-labelledby": "scores" },
    h("h2", { id: "scores" }, run.state === "finished" ? "Scores" : "Scores so far"),
    run.state !== "finished" &&
      h(
        "p",
        { class: "hint" },
        "Images are asked about in a random order, and the intervals hold at every look: looking early does not bias them.",
      ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores of each task" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Task", "Asked", "Metric", "Score", `${formatLevels(levels)} interval`.trim(), "", "Without a score"].map(
              (name) => h("th", { scope: "col" }, name || h("span", { class: "sr" }, "Plot")),
            ),
          ),
        ),
        h("tbody", {}, run.tasks.map(row)),
      ),
    ),
  );
};

const row = (task: LiveTask): Node => {
  const lacking = Object.entries(task.statuses).filter(([name]) => !FINE.has(name));
  const waits = task.judged ? "graded at the end" : task.reason;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, dataText(task.key)),
    h("td", {}, `${formatCount(task.asked)} of ${formatCount(task.planned)}`),
    h("td", {}, humanize(task.headline)),
    h("td", {}, h("strong", {}, formatScore(task.value))),
    h(
      "td",
      {},
      task.low === null || task.high === null
        ? h("span", { class: "hint" }, waits || "–")
        : `${formatScore(task.low)} – ${formatScore(task.high)}`,
    ),
    h("td", {}, range(task)),
    h(
      "td",
      {},
      lacking.length && !task.judged
        ? lacking.map(([name, count]) =>
            h("span", { class: "chip chip-bad" }, `${formatCount(count)} ${humanize(name)}`),
          )
        : "–",
    ),
  );
};

/** The interval on the scale from 0 to 100; none for sums, which have another. */
const range = (task: LiveTask): Node | false => {
  if (
    task.value === null ||
    task.low === null ||
    task.high === null ||
    task.value > 100 ||
    task.high > 100.001 ||
    task.low < 0
  )
    return false;
  return svg(
    "svg",
    { viewBox: "0 0 104 14", class: "live-range", "aria-hidden": "true" },
    svg("line", { x1: 2, x2: 102, y1: 7, y2: 7, class: "live-scale" }),
    svg("line", { x1: 2 + task.low, x2: 2 + task.high, y1: 7, y2: 7, class: "live-interval" }),
    svg("circle", { cx: 2 + task.value, cy: 7, r: 3, class: "live-dot" }),
  );
};

const failures = (run: LiveRun): Node | string => {
  if (!run.failures.length) return "";
  const more = run.failure_count - run.failures.length;
  return h(
    "section",
    { class: "card", "aria-labelledby": "failures" },
    h("h2", { id: "failures" }, `${plural(run.failure_count, "question")} without a score`),
    run.failures.map(answer),
    more > 0 && h("p", { class: "hint" }, `and ${formatCount(more)} more`),
  );
};

const latest = (run: LiveRun): Node | string =>
  run.latest.length
    ? h(
        "section",
        { class: "card", "aria-labelledby": "latest" },
        h("h2", { id: "latest" }, "Latest answers"),
        h("div", { class: "live-grid" }, run.latest.map(answer)),
      )
    : "";

const answer = (one: LiveAnswer): Node =>
  h(
    "article",
    { class: "live-answer" },
    one.images[0] &&
      h("img", { src: `images/${encodeURIComponent(one.images[0])}.jpg`, alt: "", width: 96, loading: "lazy" }),
    h(
      "div",
      {},
      h("p", { class: "hint" }, dataText(one.task), " · ", dataText(one.id), " ", mark(one)),
      h("p", {}, dataText(one.question)),
      one.answer &&
        h(
          "p",
          {},
          h("strong", {}, dataText(one.answer)),
          one.target && one.value !== null ? h("span", { class: "hint" }, " · expected ", dataText(one.target)) : "",
        ),
      one.note && h("p", { class: "hint" }, dataText(one.note)),
    ),
  );

const mark = (one: LiveAnswer): Node => {
  if (one.status === "ok" && one.value !== null && one.value >= 0 && one.value <= 1) {
    const kind = one.value === 1 ? "good" : one.value === 0 ? "bad" : "";
    const word = one.value === 1 ? "right" : one.value === 0 ? "wrong" : formatScore(one.value, 2);
    return h("span", { class: `chip ${kind}` }, word);
  }
  return h("span", { class: FINE.has(one.status) ? "chip" : "chip chip-bad" }, humanize(one.status));
};

const EVERY = 2000;
const main = document.getElementById("main") as HTMLElement;

const show = (run: LiveRun, lost = false): void => {
  const open = [...main.querySelectorAll("details[open]")].map((one) => one.id);
  main.replaceChildren(live(run, lost));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
};

let last = block<LiveRun>("live") as LiveRun;
let text = JSON.stringify(last);

const ask = async (): Promise<void> => {
  try {
    const reply = await fetch("state.json", { cache: "no-store" });
    const now = await reply.text();
    if (now !== text) {
      text = now;
      last = JSON.parse(now) as LiveRun;
      show(last);
    }
  } catch {
    show(last, true);
  }
  setTimeout(ask, EVERY);
};

show(last);
setTimeout(ask, EVERY);
