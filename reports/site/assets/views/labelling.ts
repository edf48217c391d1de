// Grading answers by hand: one at a time, with image, question and reference; by keyboard or by buttons.

import { type Child, dataText, h } from "../lib/dom.ts";
import { formatCount, formatScore, humanize } from "../lib/format.ts";
import { type LabelItem, type LabelSheet, LabelStore } from "./label_store.ts";

const STEPS = 10;

/** The grades of a scale: whole numbers where there are few of them, tenths of the way otherwise. */
export function gradesOf({ low, high }: Pick<LabelItem, "low" | "high">): number[] {
  const whole = Number.isInteger(low) && Number.isInteger(high) && high - low > 1 && high - low <= STEPS;
  const count = whole ? high - low : STEPS;
  return Array.from({ length: count + 1 }, (_, step) => Number((low + ((high - low) * step) / count).toPrecision(6)));
}

/** What a digit means: the grade of that name; from 0 to 1, tenths; 0 is the last one where a scale begins at 1. */
export function gradeOfDigit(item: Pick<LabelItem, "low" | "high">, digit: number): number | null {
  const grades = gradesOf(item);
  if (grades.includes(digit)) return digit;
  if (item.low === 0 && item.high === 1) return digit / 10;
  return digit === 0 && grades.includes(10) ? 10 : null;
}

const KEYS: [keys: string, does: string][] = [
  ["0–9", "grade, and on to the next"],
  ["↑ ↓", "a step more or less"],
  ["← →", "previous, next"],
  ["S", "skip"],
  ["U", "undo"],
  ["R", "reference answer"],
];

const quote = (text: string, label: string): HTMLElement =>
  h(
    "pre",
    { class: "quote", tabindex: "0", role: "region", "aria-label": label },
    text ? dataText(text) : h("em", {}, "(empty)"),
  );

const section = (name: string, content: Child): HTMLElement =>
  h("section", { class: "story" }, h("h3", {}, name), content);

function save(name: string, kind: string, text: string): void {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const picture = (image: LabelSheet["images"][number], number: number): HTMLElement =>
  h(
    "figure",
    {},
    image.uri
      ? h("img", { src: image.uri, alt: `Image ${number} of the question` })
      : h("p", { class: "no-image" }, "The run kept no copy of this image."),
    h("figcaption", { class: "hint" }, dataText(image.name)),
  );

/** The whole page. */
export function labelling(sheet: LabelSheet): HTMLElement {
  const store = new LabelStore(sheet);
  const count = sheet.items.length;
  let referenceOpen = true;

  const bar = h("progress", { max: count, value: 0, "aria-label": "Answers graded" });
  const told = h("p", { class: "hint", role: "status" });
  const body = h("div", { class: "label-body" });
  const grades = h("div", { class: "grades", role: "group", "aria-label": "Grade" });
  const legend = h("p", { class: "hint" });
  const revealed = h("p", { class: "label-judge hint", role: "status" });
  const button = (text: string, does: () => void) =>
    h("button", { class: "button", type: "button", onclick: does }, text);
  const previous = button("← Previous", () => move(-1));
  const next = button("Next →", () => move(1));
  const undo = button("Undo", () => act(() => store.undo()));
  const skip = button("Skip", () => decide("skip"));

  /** Change what is graded, then draw. */
  function act(change: () => void): void {
    change();
    draw();
  }
  const move = (by: number) => act(() => store.go(store.at + by));

  /** A grade that hides no judge leads on; one that shows the judge's stays, so that it can be read. */
  function decide(grade: number | "skip"): void {
    act(() => {
      store.set(grade);
      if (grade === "skip" || store.item.judge === null) store.goToNext();
    });
  }

  function step(by: number): void {
    const all = gradesOf(store.item);
    const now = store.grade;
    const index = typeof now === "number" ? all.findIndex((grade) => grade >= now) + by : by > 0 ? 0 : all.length - 1;
    act(() => store.set(all[Math.min(Math.max(index, 0), all.length - 1)]));
  }

  function reference(item: LabelItem): HTMLElement | null {
    if (!item.target) return null;
    const shown: HTMLDetailsElement = h(
      "details",
      { class: "label-reference", open: referenceOpen },
      h("summary", {}, "Reference answer"),
      quote(item.target, "Reference answer"),
    );
    shown.addEventListener("toggle", () => {
      referenceOpen = shown.open;
    });
    return shown;
  }

  function draw(): void {
    const { item, grade } = store;
    bar.value = store.graded;
    const skipped = store.skipped ? `, ${formatCount(store.skipped)} skipped` : "";
    const storage = store.keeps ? "" : ". This browser keeps nothing: save the sheet before you close the page";
    told.textContent = `Answer ${store.at + 1} of ${formatCount(count)}: ${formatCount(store.graded)} graded${skipped}${storage}.`;
    body.replaceChildren(
      h(
        "div",
        { class: "detail-images" },
        item.images.map((place, at) => picture(sheet.images[place], at + 1)),
      ),
      h(
        "div",
        { class: "detail-words" },
        h("h2", { class: "label-question" }, dataText(item.question)),
        item.choices.length
          ? h(
              "ol",
              { class: "choices" },
              item.choices.map((choice) => h("li", {}, dataText(choice))),
            )
          : null,
        section("The model's answer", quote(item.answer, "The model's answer")),
        reference(item),
      ),
    );
    legend.textContent = `From ${item.low}, wrong, to ${item.high}, right`;
    grades.replaceChildren(
      ...gradesOf(item).map((value) =>
        h(
          "button",
          { type: "button", "aria-pressed": String(value === grade), onclick: () => decide(value) },
          String(value),
        ),
      ),
    );
    revealed.textContent =
      typeof grade === "number" && item.judge !== null
        ? `You: ${formatScore(grade, 2)}. The judge: ${formatScore(item.judge, 2)}.`
        : grade === "skip"
          ? "Skipped."
          : "";
    previous.disabled = store.at === 0;
    next.disabled = store.at === count - 1;
    undo.disabled = !store.canUndo;
  }

  const keys: Record<string, () => void> = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    ArrowUp: () => step(1),
    ArrowDown: () => step(-1),
    Enter: () => act(() => store.goToNext()),
    s: () => decide("skip"),
    u: () => act(() => store.undo()),
    r: () => body.querySelector<HTMLElement>("summary")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = event.target as HTMLElement;
    if (event.key === "Enter" && focused.matches("button, summary, a")) return;
    if (event.key.startsWith("Arrow") && focused.matches("pre") && focused.scrollHeight > focused.clientHeight) return;
    const digit = /^[0-9]$/.test(event.key) ? gradeOfDigit(store.item, Number(event.key)) : null;
    const does = digit !== null ? () => decide(digit) : Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (!does) return;
    event.preventDefault();
    does();
  });

  draw();
  const tasks = [...new Set(sheet.items.map(({ task }) => humanize(task)))].join(", ");
  return h(
    "div",
    { class: "label-page" },
    h(
      "div",
      { class: "title title-row" },
      h(
        "div",
        {},
        h("h1", {}, "Grade answers"),
        h("p", { class: "hint" }, dataText([tasks, sheet.model].filter(Boolean).join(", by "))),
      ),
      h(
        "div",
        { class: "chips" },
        button("Save as CSV", () => save("labels.csv", "text/csv;charset=utf-8", store.csv())),
        button("Save as JSON lines", () => save("labels.jsonl", "application/jsonl", store.jsonLines())),
      ),
    ),
    h("div", { class: "label-progress" }, bar, told),
    h("div", { class: "card" }, body),
    h(
      "div",
      { class: "card label-bar" },
      h("div", { class: "label-grades" }, legend, grades, revealed),
      h("div", { class: "chips" }, previous, next, skip, undo),
    ),
    h(
      "p",
      { class: "hint keys" },
      KEYS.flatMap(([name, does]) => [h("kbd", {}, name), ` ${does}   `]),
    ),
  );
}
