// The records of a task: the index that is shown and searched, and the whole of one record when it is opened.

import { chunkFile, listFile } from "./data.ts";
import type { Boxes, ChoiceScore, Coded, Judgement, SampleList, Status, Tag, Task, Thumbnail, Turn } from "./types.ts";

const PART = 4000;
const readers = new Map<string, Records>();

export type Verdict = "right" | "partly" | "wrong" | "none";

/** Everything recorded about one sample. */
export interface Sample {
  question: string;
  text: string;
  parsed: string;
  note: string;
  error: string;
  target: string;
  prompt: string;
  finish: string;
  choices: string[];
  scores: ChoiceScore[];
  history: Turn[];
  judged: Judgement[];
  boxes: Boxes | null;
  prompt_tokens: number;
  new_tokens: number;
  reasoning: string | null;
  reasoning_tokens: number | null;
  seconds: number | null;
  margin: number | null;
  rerun: boolean;
  key: string;
}

/** The samples of a task, by row. */
export interface Records {
  count: number;
  id: string[];
  question: string[];
  length: number[];
  margin: (number | null)[];
  seconds: (number | null)[];
  tags: Tag[];
  statuses: Status[];
  text: (row: number) => string;
  parsed: (row: number) => string;
  target: (row: number) => string;
  /** What search looks through, in lower case. */
  searchText: (row: number) => string;
  status: (row: number) => Status;
  value: (row: number) => number | null;
  verdict: (row: number) => Verdict;
  tag: (tag: Tag, row: number) => string;
  images: (row: number) => Thumbnail[];
  /** The row of an id; null where there is none. */
  rowOf: (id: string | null) => number | null;
  /** The file with the whole of a row. */
  chunk: (row: number) => string;
  sample: (row: number) => Sample;
}

/** The records of a task whose list is loaded, with the functions that read one row. */
export function recordsOf(task: Task): Records {
  const known = readers.get(task.list) ?? reader(task.list, listFile(task.list));
  readers.set(task.list, known);
  return known;
}

const coded =
  <T>(column: Coded<T>) =>
  (row: number): T =>
    column.values[column.codes[row]];

const verdictOf = (value: number | null): Verdict =>
  value === null ? "none" : value >= 1 ? "right" : value <= 0 ? "wrong" : "partly";

function verdicts({ value, status }: SampleList): (row: number) => Verdict {
  const of = value.values.map(verdictOf);
  const ok = status.values.map((one) => one === "ok");
  return (row) => (ok[status.codes[row]] ? of[value.codes[row]] : "none");
}

function reader(name: string, list: SampleList): Records {
  const [text, parsed, target] = [coded(list.text), coded(list.parsed), coded(list.target)];
  const searchable = new Array<string | undefined>(list.id.length);
  const searchText = (row: number) =>
    (searchable[row] ??= [list.id[row], list.question[row], text(row), parsed(row), target(row)]
      .join("\n")
      .toLowerCase());
  prepare(searchText, list.id.length);
  return {
    count: list.id.length,
    id: list.id,
    question: list.question,
    length: list.length,
    margin: list.margin,
    seconds: list.seconds,
    tags: list.tags,
    text,
    parsed,
    target,
    searchText,
    status: coded(list.status),
    statuses: list.status.values,
    value: coded(list.value),
    verdict: verdicts(list),
    tag: (tag, row) => tag.values[tag.codes[row]],
    images: (row) => list.image_rows[row].map((index) => list.images[index]),
    rowOf: rowsById(list.id),
    chunk: (row) => `${name}-${Math.floor(row / list.chunk)}`,
    sample: (row) => sampleAt(name, list, row),
  };
}

/** Lower-case texts are prepared in parts while the browser is idle, so that the first search is fast too. */
function prepare(searchText: (row: number) => string, count: number): void {
  const idle = window.requestIdleCallback ?? ((go: () => void) => setTimeout(go, 50));
  const part = (from: number) => {
    for (let row = from; row < Math.min(from + PART, count); row++) searchText(row);
    if (from + PART < count) idle(() => part(from + PART));
  };
  idle(() => part(0));
}

function rowsById(ids: string[]): (id: string | null) => number | null {
  let rows: Map<string, number> | null = null;
  return (id) => {
    if (id === null) return null;
    rows ??= new Map(ids.map((each, row) => [each, row]));
    return rows.get(id) ?? null;
  };
}

/** Everything recorded about one row; its chunk must be loaded. */
function sampleAt(name: string, list: SampleList, row: number): Sample {
  const chunk = chunkFile(`${name}-${Math.floor(row / list.chunk)}`);
  const at = row % list.chunk;
  const of = <T>(column: T[] | null): T | null => column?.[at] ?? null;
  return {
    question: chunk.question[at],
    text: chunk.text[at],
    parsed: chunk.parsed[at],
    note: chunk.note[at],
    error: chunk.error[at],
    target: chunk.target[at],
    prompt: coded(chunk.prompt)(at).replace(/\ufffc[01]/g, (mark) =>
      mark.endsWith("1") ? chunk.question[at] : "\ufffc",
    ),
    finish: coded(chunk.finish)(at),
    choices: of(chunk.choices) ?? [],
    scores: of(chunk.choice_scores) ?? [],
    history: of(chunk.history) ?? [],
    judged: of(chunk.judged) ?? [],
    boxes: of(chunk.boxes),
    prompt_tokens: chunk.prompt_tokens[at],
    new_tokens: chunk.new_tokens[at],
    reasoning: of(chunk.reasoning),
    reasoning_tokens: of(chunk.reasoning_tokens),
    seconds: chunk.seconds[at],
    margin: chunk.margin[at],
    rerun: chunk.rerun[at],
    key: chunk.key[at],
  };
}

/** Where an image's thumbnail lies, or null when the run kept none. */
export const thumbnailPath = ({ hash, kept }: Thumbnail): string | null =>
  kept && /^[0-9a-f]{16}$/.test(hash) ? `images/${hash.slice(0, 2)}/${hash}.jpg` : null;
