// The runs and tasks of a report, and what sets them apart.

import { report, runFile } from "./data.ts";
import { formatAmount } from "./format.ts";
import type { GateResult, Run, RunDetails, Suite, Task } from "./types.ts";

/** A row of the board, which can be used as a run: its tasks are those of the runs that it shows. */
export interface Row extends Run {
  differs: string;
  /** The runs that it is made of, newest first. */
  runs: Run[];
  /** By task, the run that is shown. */
  cells: Record<string, Run>;
  /** By task, the runs that are not shown. */
  older: Record<string, Run[]>;
}

/** A task of a row, and the run that it is from. */
export interface RowTask {
  row: Row;
  run: Run;
  task: Task;
}

export const allRuns = (): Run[] => report().runs;

let board: Row[] | null = null;

/** The rows of the board, in the order in which runs were named. Perturbed runs are shown beside their own run alone. */
export function boardRows(): Row[] {
  board ??= report().rows.map((row): Row => {
    const of = (id: string) => allRuns().find((run) => run.id === id) as Run;
    const cells = Object.fromEntries(Object.entries(row.cells).map(([key, id]) => [key, of(id)]));
    const runs = row.runs.map(of);
    return {
      ...runs[0],
      ...row,
      runs,
      cells,
      older: Object.fromEntries(Object.entries(row.older).map(([key, ids]) => [key, ids.map(of)])),
      tasks: Object.entries(cells).map(([key, run]) => findTask(run, key) as Task),
      gate: null, // of its runs: gateOf takes the run of the cell
    };
  });
  return board;
}

export const findRun = (id: string | null | undefined): Run | undefined => allRuns().find((run) => run.id === id);

/** The row that a run is part of. */
export const rowOf = (id: string): Row | undefined =>
  boardRows().find((row) => row.id === id || row.runs.some((run) => run.id === id));

/** What an id names: a run, or a row of several. */
export const findSide = (id: string | null | undefined): Run | undefined =>
  boardRows().find((row) => row.id === id) ?? findRun(id);

/** The run that holds a task of a run or a row. */
export const sourceOf = (side: Run, key: string): Run => ("cells" in side ? (side as Row).cells[key] : side);

export const findTask = (run: Run | undefined, key: string | null): Task | undefined =>
  run?.tasks.find((task) => task.key === key);

/** Everything about a run; its file `run-ID` must be loaded. */
export const detailsOf = (run: Run): RunDetails => runFile(run.id);

/** The rows that took a task. */
export const rowsOn = (key: string | undefined): RowTask[] =>
  boardRows().flatMap((row) =>
    row.tasks.filter((task) => task.key === key).map((task) => ({ row, run: row.cells[task.key], task })),
  );

export const taskKeys = (): string[] => [...new Set(boardRows().flatMap((row) => row.tasks.map((task) => task.key)))];

/** A value of a row on a task as it is sorted by: missing answers count as wrong, and less may be better. */
export function sortValue({ bar }: Pick<Task, "bar">): number | null {
  if (bar.value === null) return null;
  if (bar.better === "less") return -(bar.bounds ? bar.bounds[1] : bar.value);
  return bar.bounds ? bar.bounds[0] : bar.value;
}

/** The average of a suite in a row. */
export const suiteOf = (row: Row, key: string): Suite | undefined => row.suites.find((suite) => suite.key === key);

/** The suites of the board that have an average in some row. */
export const averageKeys = (): string[] =>
  Object.keys(report().averages).filter((key) =>
    boardRows().some((row) => (suiteOf(row, key)?.bar.value ?? null) !== null),
  );

/**
 * The mean share of the other rows that a row beats, over some tasks, in percent; rows that the corrected tests do not
 * tell apart count half. Null for a row that took none of them together with another row.
 */
export function winRate(row: Row, keys: string[]): number | null {
  const shares = keys.flatMap((key) => {
    const ranks = report().columns[key]?.ranks ?? {};
    const others = Object.keys(ranks).length - 1;
    const [first, last] = ranks[row.id] ?? [0, 0];
    return others > 0 && first ? [(100 * (2 * (others + 1) - first - last)) / (2 * others)] : [];
  });
  return shares.length ? shares.reduce((sum, one) => sum + one, 0) / shares.length : null;
}

/** The mean share of the other rows with a lower score; for the order of rows that tests tell nothing of. */
function scoreRate(row: Row, keys: string[]): number {
  const shares = keys.flatMap((key) => {
    const own = findTask(row, key);
    const value = own && sortValue(own);
    const others = rowsOn(key).filter((one) => one.row !== row);
    if (value === null || value === undefined || !others.length) return [];
    return [others.filter((one) => (sortValue(one.task) ?? -Infinity) < value).length / others.length];
  });
  return shares.length ? shares.reduce((sum, one) => sum + one, 0) / shares.length : -1;
}

/** The rows as the board shows them at first: by the first average that two rows have, else by their win rates. */
export function bestFirst(rows: Row[] = boardRows()): Row[] {
  const keys = taskKeys();
  const average = averageKeys().find((key) => boardRows().filter((row) => averageOf(row, key) !== null).length > 1);
  const order = new Map(
    rows.map((row) => [row, [average ? averageOf(row, average) : null, winRate(row, keys), scoreRate(row, keys)]]),
  );
  const compare = (a: Row, b: Row): number => {
    const theirs = order.get(b) ?? [];
    for (const [at, value] of (order.get(a) ?? []).entries()) {
      const ahead = (theirs[at] ?? -Infinity) - (value ?? -Infinity);
      if (ahead) return ahead; // NaN where neither has a value
    }
    return 0;
  };
  return [...rows].sort(compare);
}

export const averageOf = (row: Row, key: string): number | null => suiteOf(row, key)?.bar.value ?? null;

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
