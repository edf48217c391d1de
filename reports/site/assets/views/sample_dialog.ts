// The dialog of one sample: image, prompt, answer, how it was parsed, and everything else that is recorded of it.

import { loadFiles } from "../lib/data.ts";
import { type Child, dataText, h } from "../lib/dom.ts";
import { formatCount, formatScore, humanize, shorten, statusLabel } from "../lib/format.ts";
import { factList, missingFile } from "../lib/panels.ts";
import type { Records, Sample } from "../lib/records.ts";
import { changeParams, linkTo } from "../lib/route.ts";
import { rowsOn, type RowTask } from "../lib/runs.ts";
import { dataTable } from "../lib/table.ts";
import type { Boxes, Judgement, Run, Tag, Task, Thumbnail, Turn } from "../lib/types.ts";
import type { VirtualList } from "../lib/virtual_list.ts";
import { imageNode, verdictNode } from "./sample_parts.ts";

const part = (name: string, content: Child): HTMLElement =>
  h("section", { class: "story" }, h("h3", {}, name), content);
const quote = (text: string): HTMLElement =>
  h("pre", { class: "quote", tabindex: "0" }, text ? dataText(text) : h("em", {}, "(empty)"));

function figure(run: Run, task: Task, image: Thumbnail, boxes: Boxes | null): HTMLElement {
  return h(
    "figure",
    {},
    imageNode(image, { large: true, boxes }),
    h(
      "figcaption",
      {},
      boxes
        ? h(
            "p",
            { class: "hint" },
            boxes[1] ? "Solid: target box. Dashed: predicted box." : "Target box; the answer holds none.",
          )
        : null,
      h(
        "a",
        { href: linkTo("samples", { run: run.id, task: task.key, image: image.name }) },
        "all questions about ",
        dataText(shorten(image.name, 48)),
      ),
    ),
  );
}

/** The choices, with their log-probabilities where the model gives them. */
function choices({ choices: names, scores }: Sample): HTMLElement {
  if (scores.length) {
    return dataTable(
      "Choices by log-probability",
      [
        { head: "choice", cell: ([choice]) => dataText(choice), plain: ([choice]) => choice },
        {
          head: "log-probability",
          class: "number",
          cell: ([, log]) => formatScore(log, 3),
          plain: ([, log]) => log,
        },
        { head: "tokens", class: "number", cell: ([, , tokens]) => tokens, plain: ([, , tokens]) => tokens },
      ],
      scores,
      { class: "slim" },
    );
  }
  return h(
    "ol",
    { class: "choices" },
    names.map((choice) => h("li", {}, dataText(choice))),
  );
}

const judge = (judged: Judgement[]): HTMLElement =>
  part(
    "Judge's reply",
    judged.map((verdict) => [
      h(
        "p",
        { class: "hint" },
        `run ${verdict.run + 1}: ${verdict.value === null ? statusLabel(verdict.status) : `grade ${verdict.value}`} `,
        dataText(verdict.model),
      ),
      verdict.note ? h("p", {}, dataText(verdict.note)) : null,
      verdict.replies.map(quote),
    ]),
  );

const dialogue = (turns: Turn[]): HTMLElement =>
  part(
    "Earlier turns",
    turns.map(([question, answer]) => [h("p", {}, dataText(question)), quote(answer)]),
  );

function facts(records: Records, row: number, sample: Sample): HTMLElement {
  return factList([
    ["id", records.id[row]],
    ["status", statusLabel(records.status(row))],
    ["value", records.value(row)],
    ["finish", sample.finish],
    ["prompt tokens", sample.prompt_tokens || null],
    ["new tokens", sample.new_tokens || null],
    ["of them thinking", sample.reasoning_tokens || null],
    ["seconds", sample.seconds ? sample.seconds.toPrecision(2) : null],
    ["margin", sample.margin?.toFixed(3)],
    ["rerun", sample.rerun ? "yes, unbatched" : null],
    ["key", sample.key],
  ]);
}

function story(run: Run, task: Task, records: Records, row: number): HTMLElement[] {
  const sample = records.sample(row);
  const tagLink = (tag: Tag) =>
    h(
      "a",
      {
        class: "chip",
        href: linkTo("samples", { run: run.id, task: task.key, [`tag.${tag.name}`]: records.tag(tag, row) }),
      },
      dataText(humanize(tag.name)),
      ": ",
      dataText(shorten(records.tag(tag, row), 60)),
    );
  const images = records.images(row);
  const tags = records.tags.filter((tag) => records.tag(tag, row) !== "");
  return [
    h(
      "div",
      { class: "detail-images" },
      images.length ? images.map((image) => figure(run, task, image, sample.boxes)) : imageNode(null),
    ),
    h(
      "div",
      { class: "detail-words" },
      h(
        "div",
        { class: "detail-question" },
        h("h2", { id: "detail-title", tabindex: "0" }, dataText(sample.question)),
        verdictNode(records, row),
      ),
      h(
        "div",
        { class: "compare" },
        part("Answer", quote(sample.text)),
        part("Parsed answer", h("p", { tabindex: "0" }, sample.parsed ? dataText(sample.parsed) : "–")),
        part("Target", h("p", { tabindex: "0" }, dataText(sample.target))),
      ),
      sample.reasoning ? part("Thought", quote(sample.reasoning)) : null,
      sample.error ? part("Error", quote(sample.error)) : null,
      sample.note ? part("Note", h("p", {}, dataText(sample.note))) : null,
      sample.judged.length ? judge(sample.judged) : null,
      sample.choices.length || sample.scores.length ? part("Choices", choices(sample)) : null,
      sample.history.length ? dialogue(sample.history) : null,
      part("Prompt", quote(sample.prompt)),
      tags.length ? part("Tags", h("p", { class: "chips" }, tags.map(tagLink))) : null,
      others(run, task, records.id[row]),
      part("Record", facts(records, row, sample)),
    ),
  ];
}

/** The same question in other runs. */
function others(run: Run, task: Task, id: string): Child {
  const same = rowsOn(task.key).filter((one) => one.run !== run && one.task.hashes.samples === task.hashes.samples);
  if (!same.length) return null;
  const link = (one: RowTask) =>
    h(
      "a",
      { class: "chip", href: linkTo("samples", { run: one.run.id, task: task.key, open: id }) },
      dataText(shorten(one.row.label, 48)),
    );
  return part("Same question, other runs", h("p", { class: "chips" }, same.map(link)));
}

export interface SampleDialog {
  node: HTMLElement;
  update: (params: URLSearchParams, rows: number[], list: VirtualList<number>) => void;
  step: (by: number) => boolean;
}

/** The dialog of a page of samples. `update` follows the URL; `step` goes to a neighbour among the filtered rows. */
export function sampleDialog(run: Run, task: Task, records: Records): SampleDialog {
  const where = h("span", { class: "hint" });
  const content = h("div", { class: "detail", tabindex: "0", role: "region", "aria-label": "The sample" });
  const close = () => changeParams({ open: null });
  const button = (text: string, label: string, action: () => unknown) =>
    h("button", { type: "button", "aria-label": label, onclick: action }, text);
  const [before, after] = [button("‹", "Previous sample", () => step(-1)), button("›", "Next sample", () => step(1))];
  const node: HTMLDialogElement = h(
    "dialog",
    {
      "aria-labelledby": "detail-title",
      oncancel: (event) => {
        event.preventDefault();
        close();
      },
      onclick: (event) => {
        if (event.target === node) close();
      },
    },
    h("div", { class: "detail-bar" }, before, after, where, h("span", { class: "grow" }), button("✕", "Close", close)),
    content,
  );
  let rows: number[] = [];
  let open: number | null = null;
  const step = (by: number) => {
    if (open === null) return false;
    const next = rows[rows.indexOf(open) + by];
    if (next !== undefined) changeParams({ open: records.id[next] }, { replace: true });
    return true;
  };
  /** Shows a row once its chunk is there; another one may have been opened meanwhile. */
  const fill = (row: number): void => {
    const waiting = loadFiles([records.chunk(row)]);
    if (!waiting) return void content.replaceChildren(...story(run, task, records, row));
    content.replaceChildren(
      h("h2", { id: "detail-title" }, dataText(records.question[row])),
      h("p", { class: "hint" }, "Loading …"),
    );
    waiting.then(
      () => open === row && fill(row),
      (error) =>
        open === row && content.replaceChildren(h("h2", { id: "detail-title" }, "Not found"), missingFile(error)),
    );
  };
  const update: SampleDialog["update"] = (params, filtered, list) => {
    rows = filtered;
    const row = params.has("open") ? records.rowOf(params.get("open")) : null;
    if (row === null) {
      if (node.open) node.close();
      if (open !== null && rows.includes(open)) list.reveal(rows.indexOf(open));
      open = null;
      return;
    }
    const at = rows.indexOf(row);
    where.textContent = at < 0 ? "outside the filters" : `${formatCount(at + 1)} of ${formatCount(rows.length)}`;
    before.disabled = at <= 0;
    after.disabled = at < 0 || at === rows.length - 1;
    if (row !== open) {
      open = row;
      fill(row);
      content.scrollTop = 0;
    }
    if (!node.open) node.showModal();
  };
  return { node, update, step };
}
