// The runs and tasks of a report, and what sets them apart.

import { report, runFile } from "./data.ts";
import { formatAmount } from "./format.ts";
import type { GateResult, Run, RunDetails, Task } from "./types.ts";

/** A task of a run. */
export interface RunTask {
  run: Run;
  task: Task;
}

export const allRuns = (): Run[] => report().runs;

/** The runs of leaderboards: perturbed runs are shown beside their own run alone. */
export function contenders(): Run[] {
  const ids = report().contenders;
  return allRuns().filter((run) => ids.includes(run.id));
}

export const findRun = (id: string | null | undefined): Run | undefined => allRuns().find((run) => run.id === id);

export const findTask = (run: Run | undefined, key: string | null): Task | undefined =>
  run?.tasks.find((task) => task.key === key);

/** Everything about a run; its file `run-ID` must be loaded. */
export const detailsOf = (run: Run): RunDetails => runFile(run.id);

/** The contenders that took a task. */
export const runsOn = (key: string | undefined): RunTask[] =>
  contenders().flatMap((run) => run.tasks.filter((task) => task.key === key).map((task) => ({ run, task })));

export const taskKeys = (): string[] => [...new Set(contenders().flatMap((run) => run.tasks.map((task) => task.key)))];

/** The gate's result of a run on one task; null where no gate tested it. */
export const gateOf = (run: Run, key: string): GateResult | null =>
  run.gate?.tasks.find((task) => task.key === key) ?? null;

/** Whether runs got different prompts for the same questions. Different questions have different prompts anyway. */
export function promptsDiffer(rows: { task: Task }[]): boolean {
  const known = new Map<string | undefined, string | undefined>();
  return rows.some(({ task: { hashes } }) => {
    const before = known.get(hashes.samples) ?? hashes.prompts;
    known.set(hashes.samples, before);
    return before !== hashes.prompts;
  });
}

export const dataLabel = (task: Task): string =>
  [task.data, task.split && !task.data.includes(task.split) ? task.split : null].filter(Boolean).join(" · ");

export const speedText = (task: Task, unit = "/s"): string =>
  task.per_second ? `${formatAmount(task.per_second)}${unit}` : "–";
