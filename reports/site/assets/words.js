"use strict";
// Numbers and names as people read them.

(() => {
  const grouped = new Intl.NumberFormat("en");
  vb.count = (value) => grouped.format(value);
  vb.score = (value, digits = 1) => {
    if (value === null || value === undefined) return "–";
    const text = value.toFixed(digits);
    return Number(text) === 0 ? (0).toFixed(digits) : text; // no -0.0
  };
  vb.signed = (value, digits = 1) =>
    value === null || value === undefined
      ? "–"
      : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(digits)}`;
  vb.percent = (share) => (share === 1 ? "100 %" : `${Math.min(100 * share, 99.9).toFixed(1)} %`);
  vb.interval = (bar) =>
    bar.low === null || bar.high === null ? "no interval" : `${vb.score(bar.low)} – ${vb.score(bar.high)}`;
  vb.words = (name) => name.replaceAll("_", " ");
  vb.plural = (count, word) => `${vb.count(count)} ${word}${count === 1 ? "" : "s"}`;
  vb.shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  vb.p = (p) => (p === null || p === undefined ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3));

  const UNITS = [
    [1e9, " B"],
    [1e6, " M"],
    [1e3, " k"],
    [1, ""],
    [1e-3, " m"],
    [1e-6, " µ"],
  ];
  vb.amount = (value) => {
    const [size, unit] = UNITS.slice(0, 4).find(([least]) => Math.abs(value) >= least) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))}${unit}`;
  };
  vb.bytes = (value) => {
    const [size, unit] = [
      [2 ** 30, "GiB"],
      [2 ** 20, "MiB"],
      [2 ** 10, "KiB"],
    ].find(([least]) => value >= least) ?? [1, "B"];
    return `${Number((value / size).toPrecision(3))} ${unit}`;
  };
  vb.seconds = (value) => {
    if (value === 0) return "0 s";
    const [size, unit] = UNITS.slice(3).find(([least]) => Math.abs(value) >= least) ?? UNITS[5];
    return `${Number((value / size).toPrecision(3))}${unit || " "}s`;
  };

  /** How each efficiency column is written. */
  const COSTS = {
    per_second: vb.amount,
    seconds_per_word: vb.seconds,
    peak_memory_bytes: vb.bytes,
    weight_bytes: vb.bytes,
    parameters: vb.amount,
    judge_usd: (value) => `${value.toFixed(value < 1 ? 3 : 2)} USD`,
    energy_joules: (value) => `${vb.amount(value)} J`,
  };
  vb.cost = (name, value) => (value === null || value === undefined ? "–" : COSTS[name](value));

  const LABELS = { judge_failed: "judge failed" };
  vb.statusLabel = (status) => LABELS[status] ?? status;
})();
