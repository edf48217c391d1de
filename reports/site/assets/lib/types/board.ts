// Metrics, rows and columns: report_data.py and board_data.py.

export type Direction = "more" | "less" | "target" | "neither";
export type Costs = Record<string, number | null>;

/** A metric with its interval. */
export interface Bar {
  name: string;
  label: string;
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
  note?: string;
  /** Why it has no interval. */
  reason?: string;
  /** The value if every question without a score were wrong, or right. */
  bounds?: [number, number] | null;
  /** The interval around both. */
  bounds_interval?: [number, number] | null;
  better?: Direction;
  /** Of a breakdown's bar, its value drawn towards the others, or the reason why there is none; null if not asked for. */
  shrunk?: { value?: number; low?: number; high?: number; reason?: string } | null;
}

/** The average of a suite in a run; `figure` is in the benchmark's own unit, `task` null while it is not built in. */
export interface Suite {
  key: string;
  title: string;
  formula: string;
  source: string;
  level: number;
  coverage: number;
  notes: string[];
  bar: Bar;
  members: { benchmark: string; task: string | null; figure: number | null; divide_by: number }[];
}

/** A row of the board: the runs of one model with the same settings. */
export interface BoardRow {
  id: string;
  label: string;
  /** What sets it apart from other rows of the same name. */
  differs: string;
  /** Ids, newest first. */
  runs: string[];
  /** By task, the run that is shown. */
  cells: Record<string, string>;
  /** By task, the runs that are not shown. */
  older: Record<string, string[]>;
  costs: Costs;
  suites: Suite[];
}

/** How far a row is from the best of a task; below 0 is a lower score. */
export interface Gap {
  value: number;
  low: number | null;
  high: number | null;
  /** Whether both answered the same questions. */
  paired: boolean;
}

/** How the rows of the board compare on one task or average, by row id. */
export interface BoardColumn {
  best: string | null;
  ranks: Record<string, [first: number, last: number]>;
  paired: boolean;
  gaps: Record<string, Gap>;
  /** The best, and what the corrected tests do not tell apart from it. */
  bold: string[];
  /** Those with too few questions to tell. */
  few: string[];
}
