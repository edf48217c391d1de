"use strict";
// Charts of several runs at once, and of how sure a model was.

(() => {
  const COLOURS = 8;
  /** The colour of a run, the same on every page. */
  vb.colour = (id) => `var(--c${vb.runs().findIndex((run) => run.id === id) % COLOURS})`;

  const frame = (width, height, more) => ({
    className: "plot",
    style: { fontSize: "12px" },
    width,
    height,
    marginTop: 22,
    marginRight: 18,
    marginBottom: 38,
    marginLeft: 52,
    ...more,
  });

  /** Points that no other beats on both sides: less of x, more of y. */
  function front(points) {
    let best = -Infinity;
    return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter(({ y }) => y > best && ((best = y), true));
  }

  /** Score against what it costs; the stepped line joins those that no other run beats on both. */
  vb.pareto = (points, { label, xLabel, yLabel, told }) => {
    const words = points.map((one) => `${one.label}: ${vb.score(one.y)} at ${told(one.x)}`);
    const [least, most] = d3.extent(points, (one) => one.x);
    const spread = most > 20 * least;
    return vb.chart(
      `${label}. ${words.join("; ")}`,
      (width) =>
        Plot.plot(
          frame(width, 280, {
            x: {
              label: xLabel,
              type: spread ? "log" : "linear",
              domain: spread ? [least / 2, most * 2] : [Math.max(0, least - 0.3 * most), 1.2 * most],
              ticks: 4,
              tickFormat: told,
              labelArrow: "none",
            },
            y: { label: yLabel, ticks: 5, inset: 18, labelArrow: "none" },
            marks: [
              Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
              Plot.line(front(points), {
                x: "x",
                y: "y",
                curve: "step-after",
                stroke: "var(--muted)",
                strokeDasharray: "4 4",
              }),
              Plot.ruleX(
                points.filter((one) => one.low !== null),
                { x: "x", y1: "low", y2: "high", stroke: (one) => vb.colour(one.id) },
              ),
              Plot.dot(points, {
                x: "x",
                y: "y",
                r: 6,
                fill: (one) => vb.colour(one.id),
                stroke: "var(--surface)",
                strokeWidth: 1.5,
              }),
              Plot.text(points, {
                x: "x",
                y: "y",
                text: (one) => vb.shorten(one.label, Math.max(8, Math.floor(width / 26))),
                dy: -14,
                fill: "var(--ink)",
                stroke: "var(--surface)",
                strokeWidth: 3,
                fontSize: 11.5,
              }),
              Plot.tip(
                points,
                Plot.pointer({
                  x: "x",
                  y: "y",
                  title: (one) => `${one.label}\n${vb.score(one.y)} at ${told(one.x)}`,
                  ...vb.TIP,
                }),
              ),
            ],
          }),
        ),
      280,
    );
  };

  /** How often answers were right, by how sure the model was; on the dashed line it knows how sure to be. */
  vb.reliability = ({ bins, error }) => {
    const words = bins.map(
      (bin) => `sure ${vb.score(100 * bin.confidence)} %: right ${vb.score(100 * bin.right)} % of ${bin.count}`,
    );
    const most = d3.max(bins, (bin) => bin.count);
    return vb.chart(
      `Calibration. ${words.join("; ")}. Expected calibration error ${vb.score(100 * error)} points.`,
      (width) =>
        Plot.plot(
          frame(width, 230, {
            marginLeft: 40,
            x: { label: "how sure, %", domain: [bins[0].low < 0.5 ? 0 : 50, 100], ticks: 5, labelArrow: "none" },
            y: { label: "right, %", domain: [0, 100], ticks: 5, labelArrow: "none" },
            r: { range: [3, 10], domain: [0, most] },
            marks: [
              Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
              Plot.line(
                [
                  [0, 0],
                  [100, 100],
                ],
                { stroke: "var(--muted)", strokeDasharray: "4 4", clip: true },
              ),
              Plot.line(bins, {
                x: (bin) => 100 * bin.confidence,
                y: (bin) => 100 * bin.right,
                stroke: "var(--accent)",
              }),
              Plot.dot(bins, {
                x: (bin) => 100 * bin.confidence,
                y: (bin) => 100 * bin.right,
                r: "count",
                fill: "var(--accent)",
                stroke: "var(--surface)",
              }),
              Plot.tip(
                bins,
                Plot.pointer({
                  x: (bin) => 100 * bin.confidence,
                  y: (bin) => 100 * bin.right,
                  title: (bin) =>
                    `${vb.plural(bin.count, "answer")}\nsure ${vb.score(100 * bin.confidence)} %\nright ${vb.score(100 * bin.right)} %`,
                  ...vb.TIP,
                }),
              ),
            ],
          }),
        ),
      230,
    );
  };

  /** One row a label, one dot a run: breakdowns side by side. `rows` are {label, id, run, value, low, high, n}. */
  vb.sideBySide = (rows, label) => {
    const shown = rows.filter((row) => row.value !== null);
    const labels = [...new Set(shown.map((row) => row.label))];
    const ids = [...new Set(shown.map((row) => row.id))];
    const step = Math.max(28, 12 * ids.length + 12);
    const at = new Map(labels.map((one, place) => [one, place]));
    const y = (row) => at.get(row.label) + (ids.indexOf(row.id) + 1) / (ids.length + 1);
    const words = (row) =>
      `${row.run}, ${row.label}: ${vb.score(row.value)} (${vb.interval(row)}, n = ${vb.count(row.n)})`;
    const domain = vb.domain(shown);
    const height = labels.length * step + 40;
    return vb.chart(
      `${label}. ${shown.map(words).join("; ")}`,
      (width) => {
        const left = Math.min(Math.max(40, ...labels.map((one) => Math.min(one.length, 24) * 7 + 12)), width * 0.36);
        return Plot.plot(
          frame(width, height, {
            marginLeft: left,
            marginTop: 6,
            marginBottom: 30,
            x: { domain, label: null, ticks: width < 360 ? 3 : 5 },
            y: {
              domain: [0, labels.length],
              reverse: true,
              label: null,
              tickSize: 0,
              ticks: labels.map((_, place) => place + 0.5),
              tickFormat: (place) => vb.shorten(labels[Math.floor(place)], Math.max(6, Math.floor((left - 12) / 7))),
            },
            marks: [
              Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: width < 360 ? 3 : 5 }),
              Plot.ruleY(labels.map((_, place) => place).slice(1), { stroke: "var(--line)" }),
              Plot.ruleY(
                shown.filter((row) => row.low !== null),
                {
                  y,
                  x1: "low",
                  x2: "high",
                  stroke: (row) => vb.colour(row.id),
                  strokeOpacity: 0.45,
                  strokeWidth: 5,
                  strokeLinecap: "round",
                },
              ),
              Plot.dot(shown, {
                y,
                x: "value",
                r: 4,
                fill: (row) => vb.colour(row.id),
                stroke: "var(--surface)",
                strokeWidth: 1,
              }),
              Plot.tip(shown, Plot.pointer({ x: "value", y, title: words, ...vb.TIP })),
            ],
          }),
        );
      },
      height,
    );
  };

  /** What a colour stands for. */
  vb.legend = (runs) =>
    vb.h(
      "ul",
      { class: "legend" },
      runs.map((run) => {
        const dot = vb.h("span", { class: "legend-dot", "aria-hidden": "true" });
        dot.style.background = vb.colour(run.id);
        return vb.h("li", {}, dot, vb.said(run.label));
      }),
    );

  /** Paired differences with their intervals around zero. `rows` are {label, value, low, high, sure, gain}. */
  vb.differences = (rows, label) => {
    const ends = rows.flatMap((row) => [row.value, row.low, row.high, 0]).filter((end) => end !== null);
    const reach = Math.max(1, ...ends.map(Math.abs)) * 1.08;
    const domain = [d3.min(ends) < 0 ? -reach : -reach / 6, d3.max(ends) > 0 ? reach : reach / 6];
    const words = (row) => `${row.label}: ${vb.signed(row.value)} (${vb.interval(row)})`;
    const tone = (row) => (!row.sure || !row.gain ? "var(--muted)" : row.gain > 0 ? "var(--right)" : "var(--wrong)");
    const height = rows.length * 32 + 34;
    return vb.chart(
      `${label}. ${rows.map(words).join("; ")}`,
      (width) => {
        const left = Math.min(
          Math.max(60, ...rows.map((row) => Math.min(row.label.length, 30) * 7 + 12)),
          width * 0.42,
        );
        return Plot.plot(
          frame(width, height, {
            marginLeft: left,
            marginTop: 4,
            marginBottom: 30,
            x: { domain, label: null, ticks: 5, tickFormat: (value) => vb.signed(value, 0) },
            y: {
              domain: rows.map((_, place) => String(place)),
              label: null,
              tickSize: 0,
              tickFormat: (place) => vb.shorten(rows[place].label, Math.max(6, Math.floor((left - 12) / 7))),
            },
            marks: [
              Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
              Plot.ruleX([0], { stroke: "var(--line-strong)", strokeWidth: 1.5 }),
              Plot.ruleY(
                rows.filter((row) => row.low !== null),
                {
                  y: (row) => String(rows.indexOf(row)),
                  x1: "low",
                  x2: "high",
                  stroke: tone,
                  strokeOpacity: 0.45,
                  strokeWidth: 7,
                  strokeLinecap: "round",
                },
              ),
              Plot.dot(rows, {
                y: (row) => String(rows.indexOf(row)),
                x: "value",
                r: 4.5,
                fill: tone,
                stroke: "var(--surface)",
              }),
              Plot.tip(
                rows,
                Plot.pointerY({ x: "value", y: (row) => String(rows.indexOf(row)), title: words, ...vb.TIP }),
              ),
            ],
          }),
        );
      },
      height,
    );
  };

  const GATES = {
    pass: ["circle", "var(--right)"],
    fail: ["times", "var(--wrong)"],
    unknown: ["diamond", "var(--warn)"],
  };

  /** A score over several runs, oldest first; what a gate said of a run is a mark above it. */
  vb.trend = (points, label) => {
    const shown = points.map((point, at) => ({ ...point, at }));
    const words = (one) =>
      `${one.name}: ${vb.score(one.value)} (${vb.interval(one)})${one.gate ? `, gate: ${one.gate}` : ""}`;
    const known = shown.filter((one) => one.value !== null);
    const gated = shown.filter((one) => one.gate);
    return vb.chart(
      `${label}. ${shown.map(words).join("; ")}`,
      (width) =>
        Plot.plot(
          frame(width, 240, {
            marginLeft: 44,
            x: {
              type: "point",
              domain: shown.map((one) => one.at),
              label: null,
              tickFormat: (at) => vb.shorten(shown[at].name, Math.max(5, Math.floor(width / shown.length / 8))),
              padding: 0.5,
            },
            y: { label: null, ticks: 5, domain: vb.near(known), inset: 8 },
            marks: [
              Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
              Plot.areaY(
                known.filter((one) => one.low !== null),
                { x: "at", y1: "low", y2: "high", fill: "var(--accent)", fillOpacity: 0.14 },
              ),
              Plot.line(known, { x: "at", y: "value", stroke: "var(--accent)", strokeWidth: 1.8 }),
              Plot.ruleX(
                known.filter((one) => one.low !== null),
                {
                  x: "at",
                  y1: "low",
                  y2: "high",
                  stroke: "var(--accent)",
                  strokeOpacity: 0.4,
                  strokeWidth: 4,
                  strokeLinecap: "round",
                },
              ),
              Plot.dot(known, { x: "at", y: "value", r: 4.5, fill: "var(--accent)", stroke: "var(--surface)" }),
              Plot.dot(gated, {
                x: "at",
                frameAnchor: "top",
                dy: -8,
                r: 5,
                symbol: (one) => (GATES[one.gate] ?? GATES.unknown)[0],
                stroke: (one) => (GATES[one.gate] ?? GATES.unknown)[1],
                strokeWidth: 2.5,
              }),
              Plot.tip(known, Plot.pointerX({ x: "at", y: "value", title: words, ...vb.TIP })),
            ],
          }),
        ),
      240,
    );
  };
})();
