// The JSON that text/history.py writes: the runs of one model over time.

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
