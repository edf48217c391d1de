// Two runs compared ahead: the paired difference of each metric, in either direction.

import { comparisonFile, report } from "./data.ts";
import { formatP, formatScore, formatSigned, humanize, intervalHead } from "./format.ts";
import type { DifferenceRow } from "./run_charts.ts";
import { findTask, rowOf } from "./runs.ts";
import type { Column } from "./table.ts";
import type { Bar, Difference, Direction, Run, TaskComparison } from "./types.ts";

/** The file that compares two rows or runs, and whether it holds them the other way round. */
export interface PairFile {
  name: string;
  turned: boolean;
}

function fileOf(before: string, after: string): PairFile | null {
  for (const [one, other] of report().pairs) {
    if (one === before && other === after) return { name: `compare-${one}-${other}`, turned: false };
    if (one === after && other === before) return { name: `compare-${one}-${other}`, turned: true };
  }
  return null;
}

/** The ids under which a side may have been compared: its own, and of a run the row that shows it on the task. */
function idsOf(id: string, key: string | null): string[] {
  const row = rowOf(id);
  const shown = row && key !== null && row.cells[key];
  if (!shown) return [id];
  return row.id === id ? [id, shown.id] : shown.id === id ? [id, row.id] : [id];
}

/** The file that compares two sides, on a task if one is named. */
export function pairFile(before: string, after: string, key: string | null = null): PairFile | null {
  for (const one of idsOf(before, key)) {
    for (const other of idsOf(after, key)) {
      const file = fileOf(one, other);
      if (file) return file;
    }
  }
  return null;
}

/** A task of two sides whose file is loaded, from the first to the second; null where they were not compared. */
export function comparisonOf(before: string, after: string, key: string): TaskComparison | null {
  const file = pairFile(before, after, key);
  const task = file && comparisonFile(file.name)?.tasks.find((one) => one.key === key);
  return task ? (file.turned ? turnedTask(task) : task) : null;
}

const minus = (value: number | null): number | null => (value === null ? null : -value);
const turned = (one: Difference): Difference => ({
  ...one,
  before: one.after,
  after: one.before,
  paired: {
    ...one.paired,
    difference: {
      ...one.paired.difference,
      value: minus(one.paired.difference.value),
      low: minus(one.paired.difference.high),
      high: minus(one.paired.difference.low),
    },
  },
});
const turnedTask = (task: TaskComparison): TaskComparison => ({
  ...task,
  differences: task.differences.map(turned),
  breakdowns: (task.breakdowns ?? []).map(turned),
  only_before: task.only_after,
  only_after: task.only_before,
});

/** One side of a difference. */
interface Side {
  headline: string;
  bar: Pick<Bar, "name" | "value">;
}

const NONE: Side = { headline: "", bar: { name: "", value: null } };

/** A metric of two runs, as a row of a chart or a table. */
export interface MetricDifference extends DifferenceRow {
  key: string;
  one: Side;
  other: Side;
  p: number | null;
  method: string;
  flips: { gained: number; lost: number } | null;
  /** The confidence level of its interval. */
  level: number | null;
  /** Words for what the corrected tests say. */
  verdict: string;
  better?: Direction;
  target?: number | null;
}

interface Change {
  better?: Direction;
  target?: number | null;
  before: number | null;
  after: number | null;
  value: number | null;
}

const ALPHA = 0.05;
/** The levels of the intervals that stand beside each other. */
export const levelsOf = (rows: MetricDifference[]): number[] => rows.flatMap((row) => row.level ?? []);

/** Whether a test, corrected for all that are shown, tells the two apart. An interval alone does not. */
export const isSignificant = (p: number | null | undefined): boolean => p !== null && p !== undefined && p < ALPHA;

/** 1 where the second is better, -1 where the first is, 0 where neither, or on either side of a target. */
export function gain({ better = "more", target = null, before, after, value }: Change): number {
  if (value === null || better === "neither") return 0;
  if (better === "target" && target !== null && before !== null && after !== null)
    return (before - target) * (after - target) < 0
      ? 0
      : Math.sign(Math.abs(before - target) - Math.abs(after - target));
  return better === "less" ? -Math.sign(value) : Math.sign(value);
}

/**
 * What two corrected tests say: that of a difference, and that of its being as large as a margin. `change` is 1 where
 * the second is better, -1 where it is worse.
 */
export function verdictWords(change: number, p: number | null, same: number | null, margin: number): string {
  const within = isSignificant(same);
  const amount = Number(margin.toPrecision(4));
  if (!isSignificant(p)) return within ? `the same within ${amount}` : "could not tell";
  const words = change > 0 ? "better" : change < 0 ? "worse" : "different";
  return within ? `${words}, by less than ${amount}` : words;
}

const bare = (name: string, value: number | null): Side => ({ headline: name, bar: { name, value } });

/**
 * The headline's difference as a row of a chart or a table; without a comparison it has no interval. Where the
 * headline is undefined in one run, the first metric that is not.
 */
export function headlineDifference(base: Run, run: Run, key: string): MetricDifference {
  const task = comparisonOf(base.id, run.id, key);
  const known = (one: Difference) => one.paired.difference.value !== null;
  const difference =
    task?.differences.find((one) => one.name === task.headline && known(one)) ?? task?.differences.find(known);
  const [before, after] = [findTask(base, key) ?? NONE, findTask(run, key) ?? NONE];
  const one = difference ? bare(difference.name, difference.before) : before;
  const other = difference ? bare(difference.name, difference.after) : after;
  const plain = one.bar.value !== null && other.bar.value !== null ? other.bar.value - one.bar.value : null;
  const { value, low, high } = difference?.paired.difference ?? { value: plain, low: null, high: null };
  const label = one.headline === before.headline ? key : `${key} (${humanize(one.headline)})`;
  const series = report().perturbed.find((entry) => entry.base === base.id);
  const p = (series?.p_holm?.[run.id] ? series.p_holm[run.id][key] : difference?.p_holm) ?? null;
  const equivalence = difference?.equivalence;
  const same = (series?.same_holm?.[run.id] ? series.same_holm[run.id][key] : equivalence?.p_holm) ?? null;
  const direction = difference ? gain({ ...difference, value }) : Math.sign(value ?? 0);
  const flips = task?.flips ?? null;
  return {
    label,
    key,
    one,
    other,
    value,
    low,
    high,
    flips,
    p,
    gain: direction,
    method: difference?.paired.method ?? "",
    significant: isSignificant(p),
    verdict: difference ? verdictWords(direction, p, same, equivalence?.margin ?? 0) : "–",
    level: (task ?? findTask(run, key))?.level ?? null,
  };
}

export function differenceColumns(before: string, after: string, rows: MetricDifference[]): Column<MetricDifference>[] {
  const interval = intervalHead(levelsOf(rows));
  const columns: Column<MetricDifference>[] = [
    { head: before, class: "number", cell: (row) => formatScore(row.one.bar.value), plain: (row) => row.one.bar.value },
    {
      head: after,
      class: "number",
      cell: (row) => formatScore(row.other.bar.value),
      plain: (row) => row.other.bar.value,
    },
    { head: "difference", class: "number strong", cell: (row) => formatSigned(row.value), plain: (row) => row.value },
    {
      head: interval,
      class: "number",
      cell: (row) => (row.low === null ? "–" : `${formatSigned(row.low)} to ${formatSigned(row.high)}`),
    },
    { head: "p (Holm)", class: "number", cell: (row) => formatP(row.p), plain: (row) => row.p },
    { head: `${after} is`, cell: (row) => row.verdict, plain: (row) => row.verdict },
    { head: "test", cell: (row) => row.method || "–" },
  ];
  return columns.map((column) => ({ ...column, small: String(column.head) })); // what a narrow screen shows
}
