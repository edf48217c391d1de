// Numbers and names as people read them.

import type { Bar } from "./types.ts";

type Maybe = number | null | undefined;

const grouped = new Intl.NumberFormat("en");
export const formatCount = (value: number): string => grouped.format(value);
export const formatScore = (value: Maybe, digits = 1): string => {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text; // no -0.0
};
export const formatSigned = (value: Maybe, digits = 1): string =>
  value === null || value === undefined
    ? "–"
    : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(digits)}`;
export const formatShare = (share: number): string =>
  share === 1 ? "100 %" : `${Math.min(100 * share, 99.9).toFixed(1)} %`;
export const formatInterval = (bar: Pick<Bar, "low" | "high" | "reason">): string =>
  bar.low === null || bar.high === null
    ? bar.reason || "no interval"
    : `${formatScore(bar.low)} – ${formatScore(bar.high)}`;

/** `95 %`; where intervals of several levels stand beside each other, `90 % / 95 %`. */
export const formatLevels = (levels: number[]): string =>
  [...new Set(levels)]
    .sort((a, b) => a - b)
    .map((level) => `${Number((100 * level).toPrecision(4))} %`)
    .join(" / ");

/** The head of a column of intervals. */
export const intervalHead = (levels: number[]): string => `${formatLevels(levels)} interval`.trim();

export const humanize = (name: string): string => name.replaceAll("_", " ");
export const plural = (count: number, word: string): string => `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
export const shorten = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
export const formatP = (p: Maybe): string =>
  p === null || p === undefined ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3);

type Unit = [size: number, suffix: string];

const UNITS: Unit[] = [
  [1e9, " B"],
  [1e6, " M"],
  [1e3, " k"],
  [1, ""],
  [1e-3, " m"],
];
const SMALLEST: Unit = [1e-6, " µ"];

export const formatAmount = (value: number): string => {
  const [size, unit] = UNITS.slice(0, 4).find(([least]) => Math.abs(value) >= least) ?? [1, ""];
  return `${Number((value / size).toPrecision(3))}${unit}`;
};
const BINARY_UNITS: Unit[] = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
];
export const formatBytes = (value: number): string => {
  const [size, unit] = BINARY_UNITS.find(([least]) => value >= least) ?? [1, "B"];
  return `${Number((value / size).toPrecision(3))} ${unit}`;
};
export const formatSeconds = (value: number): string => {
  if (value === 0) return "0 s";
  const [size, unit] = [...UNITS.slice(3), SMALLEST].find(([least]) => Math.abs(value) >= least) ?? SMALLEST;
  return `${Number((value / size).toPrecision(3))}${unit || " "}s`;
};

/** How each efficiency column is written. */
const COSTS: Record<string, (value: number) => string> = {
  per_second: formatAmount,
  seconds_per_word: formatSeconds,
  peak_memory_bytes: formatBytes,
  weight_bytes: formatBytes,
  parameters: formatAmount,
  judge_usd: (value) => `${value.toFixed(value < 1 ? 3 : 2)} USD`,
  energy_joules: (value) => `${formatAmount(value)} J`,
};
export const formatCost = (name: string, value: Maybe): string =>
  value === null || value === undefined ? "–" : (COSTS[name] ?? formatAmount)(value);

const LABELS: Record<string, string> = { judge_failed: "judge failed" };
export const statusLabel = (status: string): string => LABELS[status] ?? status;
