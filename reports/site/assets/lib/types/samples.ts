// The JSON of list-ID-N.js and list-ID-N-M.js: the samples of a task, written by sample_index.py.

export type Status = string;

/** Distinct values, and for each row which of them. */
export interface Coded<T> {
  values: T[];
  codes: number[];
}

export interface Tag extends Coded<string> {
  name: string;
}

export interface Thumbnail {
  name: string;
  hash: string;
  kept: boolean;
}

export interface SampleList {
  id: string[];
  question: string[];
  text: Coded<string>;
  parsed: Coded<string>;
  target: Coded<string>;
  status: Coded<Status>;
  value: Coded<number | null>;
  length: number[];
  margin: (number | null)[];
  seconds: (number | null)[];
  tags: Tag[];
  images: Thumbnail[];
  /** By row, places in `images`. */
  image_rows: number[][];
  chunk: number;
}

/** x, y, width and height as shares of the image's sides. */
export type Box = [number, number, number, number];
/** The right box, and the one that was answered. */
export type Boxes = [Box, Box | null];
export type ChoiceScore = [choice: string, logprob: number | null, tokens: number];
export type Turn = [question: string, answer: string];

export interface Judgement {
  run: number;
  value: number | null;
  status: Status;
  note: string;
  replies: string[];
  model: string;
}

export interface SampleChunk {
  question: string[];
  text: string[];
  parsed: string[];
  note: string[];
  error: string[];
  target: string[];
  prompt: Coded<string>;
  finish: Coded<string>;
  choices: string[][] | null;
  choice_scores: ChoiceScore[][] | null;
  history: Turn[][] | null;
  judged: (Judgement[] | null)[] | null;
  boxes: (Boxes | null)[] | null;
  reasoning: string[] | null;
  reasoning_tokens: number[] | null;
  prompt_tokens: number[];
  new_tokens: number[];
  seconds: (number | null)[];
  margin: (number | null)[];
  rerun: boolean[];
  key: string[];
}
