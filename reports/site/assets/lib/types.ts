// The JSON that the Python side writes into a report: report_data.py, answer_stats.py, sample_index.py,
// comparisons.py, run_groups.py, text/history.py, board_data.py, board/published.py and training_curves.py, in that order.

import type { Bar, BoardColumn, BoardRow, Costs, Direction, Suite } from "./types/board.ts";
import type { Status } from "./types/samples.ts";

export type * from "./types/board.ts";
export type * from "./types/samples.ts";

interface Estimated {
  value: number;
  low: number;
  high: number;
}

/** People's labels of a few answers beside the judge's grades of all; without `value`, too few labels. */
export interface Labelled {
  metric: string;
  judge: number;
  labels: number;
  value?: Estimated;
  people?: Estimated;
  bias?: Estimated;
  needed?: number | null;
  note?: string;
  kappa: number | null;
  krippendorff_alpha: number | null;
}

export type Outcome = "pass" | "fail" | "unknown";

/** What the first page knows of a task of a run. */
export interface Task {
  key: string;
  title: string;
  name: string;
  protocol: string;
  split: string;
  version: string | number | null;
  data: string;
  embedded: boolean;
  headline: string;
  /** The confidence level of its intervals. */
  level: number;
  coverage: number;
  statuses: Record<Status, number>;
  notes: string[];
  bar: Bar;
  labels: Labelled | null;
  hashes: { samples?: string; prompts?: string };
  count: number;
  /** The name of the file with its list of samples. */
  list: string;
  per_second: number | null;
  per_word: number | null;
}

export interface GateResult {
  key: string;
  outcome: Outcome;
  reason: string;
}

/** What the first page knows of a run. */
export interface Run {
  id: string;
  label: string;
  model: string;
  fingerprint: string;
  perturbation: string;
  change: string;
  skipped: Record<string, Record<string, number>>;
  /** Images before and after the run's perturbation, by the digest of the sheet that shows both. */
  changed: { task: string; question: string; largest: number; factor: number; sheet: string }[];
  limit: number | null;
  finished: string | null;
  commit: string;
  gate: { tasks: GateResult[] } | null;
  costs: Costs;
  tasks: Task[];
  suites: Suite[];
}

export interface PublishedFigure {
  model: string;
  metric: string;
  value: number;
  protocol: string;
  source: string;
  certainty: string;
  /** Why it cannot be set beside the runs; empty where it can. */
  why: string;
}

/** A run and its perturbed runs. */
export interface PerturbedRuns {
  base: string;
  runs: string[];
  p_holm?: Record<string, Record<string, number | null>>;
  same_holm?: Record<string, Record<string, number | null>>;
}

/** What the test for a drift says of one task of a history; runs by id. */
export interface Trend {
  headline: string;
  alpha: number;
  steps: { run: string; fall: number; error: number; p: number }[];
  alarms: { run: string; since: string; fall: number; p: number }[];
  breaks: { run: string; why: string }[];
  left_out: { run: string; why: string }[];
  /** All of it in sentences. */
  words: string[];
}

export interface History {
  name: string;
  runs: string[];
  trends: Record<string, Trend>;
}

/** What index.html carries. */
export interface Report {
  built: string;
  /** Changes with each report, so that a browser loads no data file of an earlier one. */
  stamp: string;
  vlmbench: string;
  sample_note: string;
  costs: Record<string, string>;
  runs: Run[];
  rows: BoardRow[];
  columns: Record<string, BoardColumn>;
  /** By suite. */
  averages: Record<string, BoardColumn>;
  published: Record<string, PublishedFigure[]>;
  perturbed: PerturbedRuns[];
  histories: History[];
  recipes: Recipe[];
  pairs: [string, string][];
}

// ---- run-ID.js: the details of a run

export interface YesNo {
  yes_yes: number;
  yes_no: number;
  no_yes: number;
  no_no: number;
  unclear: number;
  answered_yes: number | null;
  target_yes: number | null;
}

export interface Confusion {
  labels: string[];
  rows: number[][];
  other: number[];
}

export interface CalibrationBin {
  low: number;
  high: number;
  confidence: number;
  right: number;
  count: number;
}

export interface Calibration {
  of: string;
  bins: CalibrationBin[];
  error: number;
  count: number;
}

export interface LengthBin {
  label: string;
  count: number;
}

export interface CommonAnswer {
  answer: string;
  count: number;
  right: number;
}

/** What the answers to a task look like. */
export interface AnswerStats {
  lengths: LengthBin[];
  median_words: number | null;
  common: CommonAnswer[];
  yes_no: YesNo | null;
  confusion: Confusion | null;
  calibration: Calibration | null;
  words: number;
  seconds: number;
  prompt_tokens: number | null;
  new_tokens: number | null;
}

export interface AnswerCounts {
  total: number;
  unread: number;
  cut: number | null;
  empty: number;
  distinct: number;
  most_common: string;
  most_common_share: number | null;
}

export interface Judging {
  runs: number;
  models?: string[];
  run_values?: (number | null)[];
  std: number | null;
  krippendorff_alpha: number | null;
  verdicts: number;
  failed: number;
  prompt_hash: string;
  in_intervals: boolean;
}

export interface Breakdown {
  name: string;
  bars: Bar[];
}

export interface TaskDetails {
  source: string;
  note: string;
  metrics: Bar[];
  breakdowns: Breakdown[];
  prompt: string;
  generation: Record<string, unknown>;
  answers: AnswerCounts | null;
  images: number | null;
  judge: { name: string; prompt_hash: string } | null;
  judging: Judging | null;
  labels: Labelled | null;
  answer_stats: AnswerStats;
}

/** One line of a training log over its steps. */
export interface Series {
  step: number[];
  value: number[];
}

export interface TrainingStage {
  name: string;
  step: number[];
  loss: number[];
  lr?: number[];
  grad_norms?: Record<string, Series>;
  eval?: Record<string, Series>;
}

export type Facts = Record<string, string | number | boolean | null>;

export interface ModelDetails {
  name: string;
  fingerprint: string;
  facts: Facts;
  settings: Facts;
}

export interface Hardware {
  processor?: string;
  machine?: string;
  cores?: number;
  threads?: number;
  gpu?: string;
  memory_bytes?: number;
}

/** Seconds that answers take, as `vlmbench latency` measures them. */
export interface Latency {
  words: number;
  pixels: number;
  answers: number;
  prompt_tokens: number;
  first: number;
  first_range: [number, number];
  per_token: number;
  cpu: number;
  parts: Record<string, number>;
  decoding: number | null;
}

export interface RunDetails {
  folder: string;
  command: string;
  training: TrainingStage[] | null;
  latency: Latency[] | null;
  tasks: Record<string, TaskDetails>;
  model: ModelDetails;
  started: string | null;
  finished: string | null;
  seed: number | null;
  vlmbench: string;
  code: { commit?: string; changed?: boolean } | null;
  packages: Record<string, string> | null;
  hardware: Hardware | null;
  judge: { name: string } | null;
}

// ---- compare-A-B.js: two runs compared ahead

export interface PairedTest {
  difference: { value: number | null; low: number | null; high: number | null };
  p: number | null;
  method: string;
  n: number;
}

// ---- recipes: means over training seeds

export interface RecipeScore {
  key: string;
  metric: string;
  level: number;
  value: number | null;
  low: number | null;
  high: number | null;
  parts: {
    values: number[];
    between_questions: number;
    within_questions: number;
    between_runs: number;
  };
}

export interface Recipe {
  name: string;
  /** Ids of its seeds' runs. */
  runs: string[];
  tasks: RecipeScore[];
}

/** The test of "both are the same within a margin", which is in the metric's own unit. */
export interface Equivalence {
  margin: number;
  p: number | null;
  p_holm: number | null;
}

export interface Difference {
  name: string;
  label?: string;
  breakdown?: string;
  before: number | null;
  after: number | null;
  paired: PairedTest;
  p_holm?: number | null;
  equivalence?: Equivalence | null;
  better?: Direction;
  target?: number | null;
}

export interface TaskComparison {
  key: string;
  headline: string;
  /** The confidence level of its intervals. */
  level: number;
  differences: Difference[];
  breakdowns?: Difference[];
  flips: { gained: number; lost: number };
  agreement?: number | null;
  differs?: string[];
  notes?: string[];
  only_before: number;
  only_after: number;
  p_holm?: number | null;
  equivalence?: Equivalence | null;
}

export interface Comparison {
  tasks: TaskComparison[];
  /** By task why it could not be compared; "" stands for all of them. */
  failed: Record<string, string>;
}

// ---- ranges.html

export interface RangePanel {
  name: string;
  bars: { label: string; value: number; low: number; high: number }[];
}
