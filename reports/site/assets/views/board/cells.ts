// What the board says of a row on a task or an average: the score, its gap to the best, and whether it can be trusted.

import { report } from "../../lib/data.ts";
import { type Child, dataText, h } from "../../lib/dom.ts";
import { formatCount, formatInterval, formatScore, formatSigned, humanize } from "../../lib/format.ts";
import { boardRows, gateOf, type Row } from "../../lib/runs.ts";
import type { Bar, BoardColumn, Gap, Task } from "../../lib/types.ts";

/** What stands below a score. */
export type Below = "gap" | "interval" | "rank" | "none";

export const gapOf = (column: BoardColumn | undefined, row: Row): Gap | null => column?.gaps[row.id] ?? null;

export const isBest = (column: BoardColumn | undefined, row: Row): boolean => column?.best === row.id;

const ends = ({ low, high }: Gap): string =>
  low === null || high === null ? "no interval" : `${formatSigned(low)} to ${formatSigned(high)}`;

/** The gap of a row, with its interval. One that is not of the same questions has a mark. */
export function gapLines(column: BoardColumn | undefined, row: Row): Child {
  if (isBest(column, row)) return Object.keys(column?.ranks ?? {}).length > 1 ? "best" : "–";
  const gap = gapOf(column, row);
  if (!gap) return "–";
  return [formatSigned(gap.value), h("span", { class: "under" }, gap.paired ? "" : "≈ ", ends(gap))];
}

const rankText = (column: BoardColumn | undefined, row: Row): string => {
  const rank = column?.ranks[row.id];
  return rank ? (rank[0] === rank[1] ? `rank ${rank[0]}` : `rank ${rank[0]}–${rank[1]}`) : "–";
};

/** All of it as one sentence, for a pointer that rests on the cell. */
export function sentence(column: BoardColumn | undefined, row: Row, name: string, bar: Bar): string {
  const best = boardRows().find((one) => one.id === column?.best);
  const gap = gapOf(column, row);
  const parts = [
    `${row.label} on ${name}: ${humanize(bar.name)} ${formatScore(bar.value)} (${formatInterval(bar)}, n = ${formatCount(bar.n)})`,
  ];
  if (best && best !== row && gap)
    parts.push(
      `${formatSigned(gap.value)} against ${best.label} (${ends(gap)}, ${gap.paired ? "the same questions" : "from the two intervals"})`,
    );
  parts.push(rankText(column, row));
  if (column?.few.includes(row.id)) parts.push("too few questions to tell");
  return parts.join("; ");
}

function below(column: BoardColumn | undefined, row: Row, bar: Bar, kind: Below): Child {
  const line = (text: string) => h("span", { class: "under" }, text);
  if (kind === "none") return null;
  if (kind === "interval") return line(formatInterval(bar));
  if (kind === "rank") return line(rankText(column, row));
  if (isBest(column, row)) {
    const others = Object.keys(column?.ranks ?? {}).length > 1;
    return line(others ? (column?.few.includes(row.id) ? "highest" : "best") : "alone");
  }
  const gap = gapOf(column, row);
  if (!gap) return line("–");
  return [
    h("span", { class: "under gap" }, formatSigned(gap.value)),
    gap.low === null || gap.high === null
      ? line("no interval")
      : h(
          "span",
          { class: "under tight" },
          gap.paired ? "" : "≈ ",
          `${formatSigned(gap.low)} to ${formatSigned(gap.high)}`,
        ),
  ];
}

/** A cell of the overview. */
export function scoreCell(
  column: BoardColumn | undefined,
  row: Row,
  name: string,
  bar: Bar,
  kind: Below,
  link: string | null,
  marks: Child = null,
): Child {
  const few = column?.few.includes(row.id) ?? false;
  const bold = column?.bold.includes(row.id) ?? false;
  const look = few ? "score few" : bold ? "score leading" : "score";
  const value = h(
    "span",
    { class: look },
    formatScore(bar.value),
    few ? h("span", { class: "doubt" }, "?", h("span", { class: "unseen" }, " too few questions to tell")) : null,
  );
  const content = [value, below(column, row, bar, kind)];
  const title = sentence(column, row, name, bar);
  return [
    link ? h("a", { class: "cell", href: link, title }, content) : h("span", { class: "cell", title }, content),
    marks,
  ];
}

/** The gate's outcome on the task of a cell, and the share of its questions that has no score. */
export function marks(row: Row, task: Task): Child {
  const gate = gateOf(row.cells[task.key], task.key);
  return [
    gate ? h("span", { class: `tag tag-${gate.outcome} small`, title: gate.reason }, `gate: ${gate.outcome}`) : null,
    task.coverage < 1
      ? h("span", { class: "under lacking" }, `${formatScore(100 * Math.min(task.coverage, 0.999))} % answered`)
      : null,
  ];
}

/** A long name that may break behind its marks. */
export const breakable = (name: string): HTMLElement => dataText(name.replace(/([:@+_=/.-])/g, "$1\u200b"));

/** The columns of tasks and averages alike. */
export const columnOf = (key: string): BoardColumn | undefined => report().columns[key] ?? report().averages[key];
