"use strict";
"use strict";
var vb = (() => {
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key2 of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key2) && key2 !== except)
          __defProp(to, key2, { get: () => from[key2], enumerable: !(desc = __getOwnPropDesc(from, key2)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

  // pages/report.ts
  var report_exports = {};
  __export(report_exports, {
    allRuns: () => allRuns,
    bestFirst: () => bestFirst,
    exportTable: () => exportTable,
    gain: () => gain,
    loadFiles: () => loadFiles,
    recordsOf: () => recordsOf,
    take: () => take,
    verdictWords: () => verdictWords
  });

  // lib/dom.ts
  function h(name, attributes = {}, ...children) {
    return filled(document.createElement(name), attributes, children);
  }
  function svg(name, attributes = {}, ...children) {
    return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
  }
  function filled(node, attributes, children) {
    for (const [key2, value] of Object.entries(attributes)) {
      if (value === null || value === void 0 || value === false) continue;
      if (typeof value === "function") node.addEventListener(key2.slice(2), value);
      else node.setAttribute(key2, value === true ? "" : String(value));
    }
    node.append(...nodes(children));
    return node;
  }
  var nodes = (children) => children.flatMap((child) => {
    if (Array.isArray(child)) return nodes(child);
    if (child === null || child === void 0 || child === false) return [];
    return [child instanceof Node ? child : String(child)];
  });
  var dataText = (text) => h("bdi", { class: "data-text" }, text);

  // lib/data.ts
  var blocks = /* @__PURE__ */ new Map();
  function block(id) {
    if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return blocks.get(id);
  }
  var report = () => block("report");
  var files = /* @__PURE__ */ new Map();
  var take = (name, text) => void files.set(name, { text });
  function content(name) {
    const file = files.get(name);
    if (!file) return null;
    if (!("content" in file)) {
      file.content = JSON.parse(file.text);
      file.text = "";
    }
    return file.content;
  }
  var runFile = (id) => content(`run-${id}`);
  var listFile = (name) => content(name);
  var chunkFile = (name) => content(name);
  var comparisonFile = (name) => content(name);
  var loading = /* @__PURE__ */ new Map();
  function loadOne(name) {
    if (files.has(name)) return null;
    const started = loading.get(name) ?? start(name);
    loading.set(name, started);
    return started;
  }
  var start = (name) => new Promise((resolve, reject) => {
    const script = h("script", { src: `data/${name}.js?${report().stamp}` });
    const end = () => {
      script.remove();
      loading.delete(name);
      if (files.has(name)) resolve();
      else reject(new Error(`data/${name}.js`));
    };
    script.addEventListener("load", end);
    script.addEventListener("error", end);
    document.head.append(script);
  });
  function loadFiles(names) {
    const waiting = names.map(loadOne).filter((one) => one !== null);
    return waiting.length ? Promise.all(waiting) : null;
  }

  // lib/format.ts
  var grouped = new Intl.NumberFormat("en");
  var formatCount = (value) => grouped.format(value);
  var formatScore = (value, digits = 1) => {
    if (value === null || value === void 0) return "–";
    const text = value.toFixed(digits);
    return Number(text) === 0 ? 0 .toFixed(digits) : text;
  };
  var formatSigned = (value, digits = 1) => value === null || value === void 0 ? "–" : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(digits)}`;
  var formatShare = (share) => share === 1 ? "100 %" : `${Math.min(100 * share, 99.9).toFixed(1)} %`;
  var formatInterval = (bar) => bar.low === null || bar.high === null ? bar.reason || "no interval" : `${formatScore(bar.low)} – ${formatScore(bar.high)}`;
  var formatLevels = (levels) => [...new Set(levels)].sort((a, b) => a - b).map((level) => `${Number((100 * level).toPrecision(4))} %`).join(" / ");
  var intervalHead = (levels) => `${formatLevels(levels)} interval`.trim();
  var humanize = (name) => name.replaceAll("_", " ");
  var plural = (count, word) => `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
  var shorten = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  var formatP = (p) => p === null || p === void 0 ? "–" : p < 1e-3 ? "< 0.001" : p.toFixed(3);
  var UNITS = [
    [1e9, " B"],
    [1e6, " M"],
    [1e3, " k"],
    [1, ""],
    [1e-3, " m"]
  ];
  var SMALLEST = [1e-6, " µ"];
  var formatAmount = (value) => {
    const [size, unit] = UNITS.slice(0, 4).find(([least]) => Math.abs(value) >= least) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))}${unit}`;
  };
  var BINARY_UNITS = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"]
  ];
  var formatBytes = (value) => {
    const [size, unit] = BINARY_UNITS.find(([least]) => value >= least) ?? [1, "B"];
    return `${Number((value / size).toPrecision(3))} ${unit}`;
  };
  var formatSeconds = (value) => {
    if (value === 0) return "0 s";
    const [size, unit] = [...UNITS.slice(3), SMALLEST].find(([least]) => Math.abs(value) >= least) ?? SMALLEST;
    return `${Number((value / size).toPrecision(3))}${unit || " "}s`;
  };
  var COSTS = {
    per_second: formatAmount,
    seconds_per_word: formatSeconds,
    peak_memory_bytes: formatBytes,
    weight_bytes: formatBytes,
    parameters: formatAmount,
    judge_usd: (value) => `${value.toFixed(value < 1 ? 3 : 2)} USD`,
    energy_joules: (value) => `${formatAmount(value)} J`
  };
  var formatCost = (name, value) => value === null || value === void 0 ? "–" : (COSTS[name] ?? formatAmount)(value);
  var LABELS = { judge_failed: "judge failed" };
  var statusLabel = (status) => LABELS[status] ?? status;

  // lib/runs.ts
  var allRuns = () => report().runs;
  var board = null;
  function boardRows() {
    board ??= report().rows.map((row) => {
      const of = (id) => allRuns().find((run) => run.id === id);
      const cells2 = Object.fromEntries(Object.entries(row.cells).map(([key2, id]) => [key2, of(id)]));
      const runs = row.runs.map(of);
      return {
        ...runs[0],
        ...row,
        runs,
        cells: cells2,
        older: Object.fromEntries(Object.entries(row.older).map(([key2, ids]) => [key2, ids.map(of)])),
        tasks: Object.entries(cells2).map(([key2, run]) => findTask(run, key2)),
        gate: null
        // of its runs: gateOf takes the run of the cell
      };
    });
    return board;
  }
  var findRun = (id) => allRuns().find((run) => run.id === id);
  var rowOf = (id) => boardRows().find((row) => row.id === id || row.runs.some((run) => run.id === id));
  var findSide = (id) => boardRows().find((row) => row.id === id) ?? findRun(id);
  var sourceOf = (side, key2) => "cells" in side ? side.cells[key2] : side;
  var findTask = (run, key2) => run?.tasks.find((task) => task.key === key2);
  var detailsOf = (run) => runFile(run.id);
  var rowsOn = (key2) => boardRows().flatMap(
    (row) => row.tasks.filter((task) => task.key === key2).map((task) => ({ row, run: row.cells[task.key], task }))
  );
  var taskKeys = () => [...new Set(boardRows().flatMap((row) => row.tasks.map((task) => task.key)))];
  function sortValue({ bar }) {
    if (bar.value === null) return null;
    if (bar.better === "less") return -(bar.bounds ? bar.bounds[1] : bar.value);
    return bar.bounds ? bar.bounds[0] : bar.value;
  }
  var suiteOf = (row, key2) => row.suites.find((suite) => suite.key === key2);
  var averageKeys = () => Object.keys(report().averages).filter(
    (key2) => boardRows().some((row) => (suiteOf(row, key2)?.bar.value ?? null) !== null)
  );
  function winRate(row, keys) {
    const shares = keys.flatMap((key2) => {
      const ranks = report().columns[key2]?.ranks ?? {};
      const others2 = Object.keys(ranks).length - 1;
      const [first, last] = ranks[row.id] ?? [0, 0];
      return others2 > 0 && first ? [100 * (2 * (others2 + 1) - first - last) / (2 * others2)] : [];
    });
    return shares.length ? shares.reduce((sum, one) => sum + one, 0) / shares.length : null;
  }
  function scoreRate(row, keys) {
    const shares = keys.flatMap((key2) => {
      const own = findTask(row, key2);
      const value = own && sortValue(own);
      const others2 = rowsOn(key2).filter((one) => one.row !== row);
      if (value === null || value === void 0 || !others2.length) return [];
      return [others2.filter((one) => (sortValue(one.task) ?? -Infinity) < value).length / others2.length];
    });
    return shares.length ? shares.reduce((sum, one) => sum + one, 0) / shares.length : -1;
  }
  function bestFirst(rows = boardRows()) {
    const keys = taskKeys();
    const average = averageKeys().find((key2) => boardRows().filter((row) => averageOf(row, key2) !== null).length > 1);
    const order = new Map(
      rows.map((row) => [row, [average ? averageOf(row, average) : null, winRate(row, keys), scoreRate(row, keys)]])
    );
    const compare = (a, b) => {
      const theirs = order.get(b) ?? [];
      for (const [at, value] of (order.get(a) ?? []).entries()) {
        const ahead = (theirs[at] ?? -Infinity) - (value ?? -Infinity);
        if (ahead) return ahead;
      }
      return 0;
    };
    return [...rows].sort(compare);
  }
  var averageOf = (row, key2) => suiteOf(row, key2)?.bar.value ?? null;
  var gateOf = (run, key2) => run.gate?.tasks.find((task) => task.key === key2) ?? null;
  function promptsDiffer(rows) {
    const known = /* @__PURE__ */ new Map();
    return rows.some(({ task: { hashes } }) => {
      const before = known.get(hashes.samples) ?? hashes.prompts;
      known.set(hashes.samples, before);
      return before !== hashes.prompts;
    });
  }
  var dataLabel = (task) => [task.data, task.split && !task.data.includes(task.split) ? task.split : null].filter(Boolean).join(" · ");
  var speedText = (task, unit = "/s") => task.per_second ? `${formatAmount(task.per_second)}${unit}` : "–";

  // lib/comparisons.ts
  function fileOf(before, after) {
    for (const [one, other] of report().pairs) {
      if (one === before && other === after) return { name: `compare-${one}-${other}`, turned: false };
      if (one === after && other === before) return { name: `compare-${one}-${other}`, turned: true };
    }
    return null;
  }
  function idsOf(id, key2) {
    const row = rowOf(id);
    const shown2 = row && key2 !== null && row.cells[key2];
    if (!shown2) return [id];
    return row.id === id ? [id, shown2.id] : shown2.id === id ? [id, row.id] : [id];
  }
  function pairFile(before, after, key2 = null) {
    for (const one of idsOf(before, key2)) {
      for (const other of idsOf(after, key2)) {
        const file = fileOf(one, other);
        if (file) return file;
      }
    }
    return null;
  }
  function comparisonOf(before, after, key2) {
    const file = pairFile(before, after, key2);
    const task = file && comparisonFile(file.name)?.tasks.find((one) => one.key === key2);
    return task ? file.turned ? turnedTask(task) : task : null;
  }
  var minus = (value) => value === null ? null : -value;
  var turned = (one) => ({
    ...one,
    before: one.after,
    after: one.before,
    paired: {
      ...one.paired,
      difference: {
        ...one.paired.difference,
        value: minus(one.paired.difference.value),
        low: minus(one.paired.difference.high),
        high: minus(one.paired.difference.low)
      }
    }
  });
  var turnedTask = (task) => ({
    ...task,
    differences: task.differences.map(turned),
    breakdowns: (task.breakdowns ?? []).map(turned),
    only_before: task.only_after,
    only_after: task.only_before
  });
  var NONE = { headline: "", bar: { name: "", value: null } };
  var ALPHA = 0.05;
  var levelsOf = (rows) => rows.flatMap((row) => row.level ?? []);
  var isSignificant = (p) => p !== null && p !== void 0 && p < ALPHA;
  function gain({ better = "more", target = null, before, after, value }) {
    if (value === null || better === "neither") return 0;
    if (better === "target" && target !== null && before !== null && after !== null)
      return (before - target) * (after - target) < 0 ? 0 : Math.sign(Math.abs(before - target) - Math.abs(after - target));
    return better === "less" ? -Math.sign(value) : Math.sign(value);
  }
  function verdictWords(change, p, same, margin) {
    const within = isSignificant(same);
    const amount = Number(margin.toPrecision(4));
    if (!isSignificant(p)) return within ? `the same within ${amount}` : "could not tell";
    const words = change > 0 ? "better" : change < 0 ? "worse" : "different";
    return within ? `${words}, by less than ${amount}` : words;
  }
  var bare = (name, value) => ({ headline: name, bar: { name, value } });
  function headlineDifference(base, run, key2) {
    const task = comparisonOf(base.id, run.id, key2);
    const known = (one2) => one2.paired.difference.value !== null;
    const difference = task?.differences.find((one2) => one2.name === task.headline && known(one2)) ?? task?.differences.find(known);
    const [before, after] = [findTask(base, key2) ?? NONE, findTask(run, key2) ?? NONE];
    const one = difference ? bare(difference.name, difference.before) : before;
    const other = difference ? bare(difference.name, difference.after) : after;
    const plain = one.bar.value !== null && other.bar.value !== null ? other.bar.value - one.bar.value : null;
    const { value, low, high } = difference?.paired.difference ?? { value: plain, low: null, high: null };
    const label2 = one.headline === before.headline ? key2 : `${key2} (${humanize(one.headline)})`;
    const series = report().perturbed.find((entry) => entry.base === base.id);
    const p = (series?.p_holm?.[run.id] ? series.p_holm[run.id][key2] : difference?.p_holm) ?? null;
    const equivalence = difference?.equivalence;
    const same = (series?.same_holm?.[run.id] ? series.same_holm[run.id][key2] : equivalence?.p_holm) ?? null;
    const direction2 = difference ? gain({ ...difference, value }) : Math.sign(value ?? 0);
    const flips2 = task?.flips ?? null;
    return {
      label: label2,
      key: key2,
      one,
      other,
      value,
      low,
      high,
      flips: flips2,
      p,
      gain: direction2,
      method: difference?.paired.method ?? "",
      significant: isSignificant(p),
      verdict: difference ? verdictWords(direction2, p, same, equivalence?.margin ?? 0) : "–",
      level: (task ?? findTask(run, key2))?.level ?? null
    };
  }
  function differenceColumns(before, after, rows) {
    const interval2 = intervalHead(levelsOf(rows));
    const columns3 = [
      { head: before, class: "number", cell: (row) => formatScore(row.one.bar.value), plain: (row) => row.one.bar.value },
      {
        head: after,
        class: "number",
        cell: (row) => formatScore(row.other.bar.value),
        plain: (row) => row.other.bar.value
      },
      { head: "difference", class: "number strong", cell: (row) => formatSigned(row.value), plain: (row) => row.value },
      {
        head: interval2,
        class: "number",
        cell: (row) => row.low === null ? "–" : `${formatSigned(row.low)} to ${formatSigned(row.high)}`
      },
      { head: "p (Holm)", class: "number", cell: (row) => formatP(row.p), plain: (row) => row.p },
      { head: `${after} is`, cell: (row) => row.verdict, plain: (row) => row.verdict },
      { head: "test", cell: (row) => row.method || "–" }
    ];
    return columns3.map((column2) => ({ ...column2, small: String(column2.head) }));
  }

  // lib/route.ts
  function currentRoute() {
    const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
    return { view: path || "leaderboard", params: new URLSearchParams(query ?? "") };
  }
  function linkTo(view, params = {}) {
    const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
    const kept = entries.filter((entry) => Boolean(entry[1]));
    const query = new URLSearchParams(kept).toString();
    return `#/${view === "leaderboard" ? "" : view}${query ? `?${query}` : ""}`;
  }
  function changeParams(changes, { replace = false } = {}) {
    const { view, params } = currentRoute();
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") params.delete(name);
      else params.set(name, value);
    }
    const hash = linkTo(view, params);
    if (hash === location.hash) return;
    if (replace) {
      history.replaceState(null, "", hash);
      window.dispatchEvent(new HashChangeEvent("hashchange"));
    } else location.hash = hash;
  }

  // lib/table.ts
  var line = (text) => text.replace(/\s+/g, " ").trim();
  var pipes = (text) => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll("<", "&lt;").replace(/([*`])/g, "\\$1").replaceAll("](", "]\\(");
  var inert = (text) => /^\s*[=+@-]/.test(text) && !/^[+-]?[\d.]+$|^-$/.test(text) ? `'${text}` : text;
  var field = (value) => {
    const text = typeof value === "number" ? String(value) : inert(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  var TEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}"
  };
  var tex = (text) => text.replace(/[\\~^<>{}$&#%_]/g, (one) => TEX[one] ?? `\\${one}`);
  var shown = (value) => value === null || value === void 0 || value === "" ? "-" : line(String(value));
  var FORMATS = {
    md: [
      "Markdown",
      (head, rows) => [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map((cell) => pipes(shown(cell))).join(" | ")} |
`).join("")
    ],
    csv: ["CSV", (head, rows) => [head, ...rows].map((row) => `${row.map(field).join(",")}
`).join("")],
    tex: [
      "LaTeX",
      (head, rows) => {
        const body = rows.map((row) => `${row.map((cell) => tex(shown(cell))).join(" & ")} \\\\
`).join("");
        const top = `${head.map(tex).join(" & ")} \\\\
`;
        return `\\begin{tabular}{${"l".repeat(head.length)}}
\\toprule
${top}\\midrule
${body}\\bottomrule
\\end{tabular}
`;
      }
    ],
    json: [
      "JSON",
      (head, rows) => `${JSON.stringify(
        rows.map((row) => Object.fromEntries(row.map((cell, at) => [head[at], cell ?? null]))),
        null,
        2
      )}
`
    ]
  };
  var exportTable = (format, head, rows) => FORMATS[format][1](head, rows);
  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    return Promise.reject(new Error("no clipboard"));
  }
  function save(text, name) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1e3);
  }
  function menu(caption, plain) {
    const status = h("span", { class: "hint", role: "status" });
    const name = caption.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60).replace(/^-|-$/g, "") || "table";
    const one = ([suffix, [label2, write]]) => h(
      "li",
      {},
      h("span", {}, label2),
      h(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": `Copy as ${label2}`,
          onclick: () => copy(write(...plain())).then(
            () => status.textContent = "copied",
            () => status.textContent = "the browser blocked the clipboard; save the file instead"
          )
        },
        "copy"
      ),
      h(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": `Save as ${label2}`,
          onclick: () => save(write(...plain()), `${name}.${suffix}`)
        },
        "save"
      )
    );
    const summary = h("summary", { "aria-label": `Export: ${caption}` }, "Export");
    const node = h(
      "details",
      {
        class: "export",
        onkeydown: (event) => {
          if (event.key !== "Escape" || !node.open) return;
          node.open = false;
          summary.focus();
        }
      },
      summary,
      h("ul", {}, Object.entries(FORMATS).map(one), h("li", {}, status))
    );
    return node;
  }
  function headCell(column2, sort) {
    const place = { scope: "col", class: column2.class };
    const { key: key2 } = column2;
    if (!sort || !key2) return h("th", place, column2.head, column2.foot);
    const now = sort.by === key2;
    return h(
      "th",
      { ...place, "aria-sort": now ? sort.down ? "descending" : "ascending" : null },
      h(
        "button",
        {
          type: "button",
          class: "sort",
          "data-sort": key2,
          onclick: () => sort.go(key2, now ? !sort.down : Boolean(column2.down))
        },
        column2.head
      ),
      column2.foot
    );
  }
  function cells(columns3, row, at) {
    const spans = row.spans ?? null;
    const filled2 = columns3.slice(0, spans?.from ?? columns3.length).map(
      (column2, place) => h(
        place === 0 ? "th" : "td",
        { scope: place === 0 ? "row" : null, class: column2.class, "data-head": column2.small ?? null },
        column2.cell(row, at)
      )
    );
    if (spans) filled2.push(h("td", { colspan: columns3.length - spans.from, class: "spans" }, spans.node));
    return filled2;
  }
  function dataTable(caption, columns3, rows, attributes = {}, { sort = null, name = null, pinned = false } = {}) {
    const plain = () => {
      const kept = columns3.filter((column2) => column2.plain !== null);
      const cell = (column2, row) => column2.plain ? column2.plain(row) : line(h("i", {}, column2.cell(row)).textContent);
      return [
        kept.map((column2) => column2.name ?? line(h("i", {}, column2.head).textContent)),
        rows.map((row) => kept.map((column2) => cell(column2, row)))
      ];
    };
    return h(
      "div",
      { class: "tabled" },
      h(
        "div",
        { class: pinned ? "scroll pinned" : "scroll", tabindex: "0", role: "region", "aria-label": caption },
        h(
          "table",
          attributes,
          h("caption", { class: "unseen" }, caption),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              columns3.map((column2) => headCell(column2, sort))
            )
          ),
          h(
            "tbody",
            {},
            rows.map((row, at) => h("tr", { class: row.marked ?? null }, cells(columns3, row, at)))
          )
        )
      ),
      menu(name ?? caption, plain)
    );
  }

  // lib/panels.ts
  var pageFrame = (title, hint, side, ...content2) => h(
    "div",
    { class: "page" },
    h(
      "div",
      { class: "title title-row" },
      h("div", {}, h("h1", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
      side
    ),
    content2
  );
  var panel = (title, hint, ...content2) => h("section", { class: "panel" }, h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, content2);
  var card = (title, hint, side, ...content2) => h(
    "section",
    { class: "card", "aria-label": typeof title === "string" ? title : title.textContent },
    h(
      "div",
      { class: "card-head" },
      h("div", {}, h("h2", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
      side
    ),
    content2
  );
  function choiceField(label2, name, value, entries, go = (now) => changeParams({ [name]: now })) {
    const control = h(
      "select",
      { onchange: () => go(control.value) },
      entries.map(([one, text]) => h("option", { value: one, selected: one === value }, shorten(text, 60)))
    );
    return h("label", { class: "field" }, h("span", {}, label2), control);
  }
  function statusChips(task, failures = false) {
    const entries = Object.entries(task.statuses).filter(([name]) => !failures || name !== "ok").sort(([a], [b]) => Number(b === "ok") - Number(a === "ok"));
    return h(
      "span",
      { class: "chips" },
      entries.map(
        ([name, count]) => h(
          "span",
          { class: `chip ${name === "ok" ? "chip-ok" : "chip-bad"}` },
          `${statusLabel(name)} ${formatCount(count)}`
        )
      )
    );
  }
  var coverageText = (task) => h("span", { class: task.coverage === 1 ? "" : "lacking" }, formatShare(task.coverage));
  var factList = (pairs) => h(
    "dl",
    { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== void 0 && value !== "").map(
      ([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value instanceof Node ? value : dataText(value)))
    )
  );
  var metricsTable = (task, metrics) => dataTable(
    `All metrics of ${task.key}`,
    [
      {
        head: "metric",
        plain: (bar) => bar.name,
        cell: (bar) => [
          dataText(humanize(bar.name)),
          bar.name === task.headline ? h("span", { class: "tag" }, "headline") : null,
          bar.note ? h("span", { class: "under wrap" }, dataText(bar.note)) : null
        ]
      },
      { head: "value", class: "number strong", cell: (bar) => formatScore(bar.value), plain: (bar) => bar.value },
      { head: intervalHead([task.level]), class: "number", cell: (bar) => formatInterval(bar) },
      { head: "n", class: "number", cell: (bar) => formatCount(bar.n), plain: (bar) => bar.n }
    ],
    metrics
  );
  var sampleNotice = (tasks) => tasks.some((task) => task.embedded) ? h(
    "p",
    { class: "notice", role: "note" },
    h("strong", {}, "Embedded sample. "),
    "These scores show that everything works; they are not comparable with papers."
  ) : null;
  var notesList = (task) => task.notes?.length ? h(
    "ul",
    { class: "notice notes", "aria-label": `Notes on ${task.key}` },
    task.notes.map((note) => h("li", {}, dataText(note)))
  ) : null;
  var notesMark = (task) => task.notes?.length ? h(
    "span",
    {
      class: "tag tag-unknown",
      role: "note",
      title: task.notes.join("\n"),
      "aria-label": `${plural(task.notes.length, "note")}: ${task.notes.join("; ")}`
    },
    plural(task.notes.length, "note")
  ) : null;
  var answerCounts = ({ answers: answers2 }) => answers2 && answers2.cut !== null ? panel(
    "Answers",
    null,
    factList([
      ["answers", formatCount(answers2.total)],
      ["unread", formatCount(answers2.unread)],
      ["cut at max_new_tokens", formatCount(answers2.cut)],
      ["empty", formatCount(answers2.empty)],
      ["distinct", formatCount(answers2.distinct)],
      [
        "most common",
        answers2.most_common_share ? `${answers2.most_common} (${formatShare(answers2.most_common_share)})` : null
      ]
    ])
  ) : null;
  var notFound = (text) => h(
    "div",
    { class: "page" },
    h("h1", {}, "Not found"),
    h("p", {}, text, " ", h("a", { href: "#/" }, "To the leaderboard"))
  );
  var missingFile = (error2) => h(
    "p",
    { class: "notice" },
    `${error2.message} is missing beside this page. A report is a folder: copy all of it, or build it again.`
  );

  // lib/records.ts
  var PART = 4e3;
  var readers = /* @__PURE__ */ new Map();
  function recordsOf(task) {
    const known = readers.get(task.list) ?? reader(task.list, listFile(task.list));
    readers.set(task.list, known);
    return known;
  }
  var coded = (column2) => (row) => column2.values[column2.codes[row]];
  var verdictOf = (value) => value === null ? "none" : value >= 1 ? "right" : value <= 0 ? "wrong" : "partly";
  function verdicts({ value, status }) {
    const of = value.values.map(verdictOf);
    const ok = status.values.map((one) => one === "ok");
    return (row) => ok[status.codes[row]] ? of[value.codes[row]] : "none";
  }
  function reader(name, list) {
    const [text, parsed, target] = [coded(list.text), coded(list.parsed), coded(list.target)];
    const searchable = new Array(list.id.length);
    const searchText = (row) => searchable[row] ??= [list.id[row], list.question[row], text(row), parsed(row), target(row)].join("\n").toLowerCase();
    prepare(searchText, list.id.length);
    return {
      count: list.id.length,
      id: list.id,
      question: list.question,
      length: list.length,
      margin: list.margin,
      seconds: list.seconds,
      tags: list.tags,
      text,
      parsed,
      target,
      searchText,
      status: coded(list.status),
      statuses: list.status.values,
      value: coded(list.value),
      verdict: verdicts(list),
      tag: (tag, row) => tag.values[tag.codes[row]],
      images: (row) => list.image_rows[row].map((index) => list.images[index]),
      rowOf: rowsById(list.id),
      chunk: (row) => `${name}-${Math.floor(row / list.chunk)}`,
      sample: (row) => sampleAt(name, list, row)
    };
  }
  function prepare(searchText, count) {
    const idle = window.requestIdleCallback ?? ((go) => setTimeout(go, 50));
    const part4 = (from) => {
      for (let row = from; row < Math.min(from + PART, count); row++) searchText(row);
      if (from + PART < count) idle(() => part4(from + PART));
    };
    idle(() => part4(0));
  }
  function rowsById(ids) {
    let rows = null;
    return (id) => {
      if (id === null) return null;
      rows ??= new Map(ids.map((each, row) => [each, row]));
      return rows.get(id) ?? null;
    };
  }
  function sampleAt(name, list, row) {
    const chunk = chunkFile(`${name}-${Math.floor(row / list.chunk)}`);
    const at = row % list.chunk;
    const of = (column2) => column2?.[at] ?? null;
    return {
      question: chunk.question[at],
      text: chunk.text[at],
      parsed: chunk.parsed[at],
      note: chunk.note[at],
      error: chunk.error[at],
      target: chunk.target[at],
      prompt: coded(chunk.prompt)(at).replace(
        /\ufffc[01]/g,
        (mark) => mark.endsWith("1") ? chunk.question[at] : "￼"
      ),
      finish: coded(chunk.finish)(at),
      choices: of(chunk.choices) ?? [],
      scores: of(chunk.choice_scores) ?? [],
      history: of(chunk.history) ?? [],
      judged: of(chunk.judged) ?? [],
      boxes: of(chunk.boxes),
      prompt_tokens: chunk.prompt_tokens[at],
      new_tokens: chunk.new_tokens[at],
      reasoning: of(chunk.reasoning),
      reasoning_tokens: of(chunk.reasoning_tokens),
      seconds: chunk.seconds[at],
      margin: chunk.margin[at],
      rerun: chunk.rerun[at],
      key: chunk.key[at]
    };
  }
  var thumbnailPath = ({ hash, kept }) => kept && /^[0-9a-f]{16}$/.test(hash) ? `images/${hash.slice(0, 2)}/${hash}.jpg` : null;

  // lib/charts.ts
  function chart(label2, draw2, height = 16) {
    const place = h("div", { class: "chart", role: "img", "aria-label": label2 });
    place.style.minHeight = `${height}px`;
    let width = 0;
    let near = false;
    const now = (entry) => {
      const wide = Math.floor(entry?.contentRect.width ?? place.clientWidth);
      if (!near || wide === width || wide < 40) return;
      width = wide;
      const drawn = draw2(width);
      drawn.setAttribute("aria-hidden", "true");
      place.replaceChildren(drawn);
    };
    const seen = new IntersectionObserver(
      ([entry]) => {
        if (!entry.isIntersecting) return;
        seen.disconnect();
        near = true;
        now();
      },
      { rootMargin: "600px" }
    );
    seen.observe(place);
    new ResizeObserver(([entry]) => now(entry)).observe(place);
    return place;
  }
  var TIP = {
    fill: "var(--surface)",
    stroke: "var(--line-strong)",
    fontSize: 12,
    lineHeight: 1.3,
    textPadding: 8
  };
  var barLabel = (bar) => `${bar.label || humanize(bar.name)}: ${formatScore(bar.value)} (${formatInterval(bar)}, n = ${formatCount(bar.n)})${shrunkWords(bar)}`;
  var shrunkWords = (bar) => shrunkOf([bar]).map((one) => `, shrunk ${formatScore(one.value)} (${formatInterval(one)})`).join("");
  var shrunkOf = (bars2) => bars2.flatMap((bar) => {
    const { value, low = null, high = null } = bar.shrunk ?? {};
    return value === void 0 || value === null ? [] : [{ ...bar, value, low, high }];
  });
  var shrunkMarks = (bars2, y, color) => {
    const drawn = shrunkOf(bars2);
    const place = { y, stroke: color, dy: 6 };
    return [
      Plot.ruleY(drawn, { x1: "low", x2: "high", ...place, strokeWidth: 1.5, strokeDasharray: "2 2" }),
      Plot.dot(drawn, { x: "value", ...place, r: 3.5, fill: "var(--surface)", strokeWidth: 1.5 })
    ];
  };
  var SHRUNK = "Hollow, dashed: shrunk. Drawn towards the mean of the breakdown; intervals hold on average over its bars, not for each bar.";
  function shrunkHint(bars2) {
    if (shrunkOf(bars2).length) return SHRUNK;
    const reason = bars2.find((bar) => bar.shrunk?.reason)?.shrunk?.reason;
    return reason ? `Not shrunk: ${reason}.` : null;
  }
  var endsOf = (bars2) => bars2.flatMap((bar) => [bar.value, bar.low, bar.high]).filter((end) => end !== null);
  function valueDomain(bars2) {
    const ends2 = endsOf(bars2);
    return [Math.min(0, ...ends2), Math.max(100, ...ends2)];
  }
  function barChart(bars2, label2) {
    const shown2 = bars2.filter((bar) => bar.value !== null).map((bar, place) => ({ ...bar, place: String(place) }));
    const domain = valueDomain([...shown2, ...shrunkOf(shown2)]);
    return chart(
      `${label2}. ${shown2.map(barLabel).join("; ")}`,
      (width) => {
        const letters = Math.min(24, Math.max(6, ...shown2.map((bar) => bar.label.length)));
        const left = Math.min(letters * 7 + 12, width * 0.4);
        const most = Math.max(6, Math.floor((left - 12) / 7));
        return Plot.plot({
          className: "plot",
          style: { fontSize: "12px" },
          width,
          height: shown2.length * 30 + 40,
          marginLeft: left,
          marginRight: 52,
          marginTop: 6,
          marginBottom: 30,
          x: { domain, label: null, ticks: width < 360 ? 3 : 5, insetRight: 4 },
          y: {
            domain: shown2.map((bar) => bar.place),
            label: null,
            tickSize: 0,
            padding: 0.3,
            tickFormat: (place) => shorten(shown2[Number(place)].label, most)
          },
          marks: [
            Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: width < 360 ? 3 : 5 }),
            Plot.barX(shown2, { x: "value", y: "place", fill: "var(--bar)", rx2: 3 }),
            ...interval(
              shown2.filter((bar) => bar.low !== null),
              "place"
            ),
            ...shrunkMarks(shown2, "place", () => "var(--accent)"),
            Plot.text(shown2, {
              x: domain[1],
              y: "place",
              text: (bar) => formatScore(bar.value),
              textAnchor: "start",
              dx: 10,
              fill: "var(--ink)",
              fontWeight: 600,
              fontSize: 12
            }),
            Plot.tip(shown2, Plot.pointerY({ x: "value", y: "place", title: barLabel, ...TIP }))
          ]
        });
      },
      shown2.length * 30 + 40
    );
  }
  function interval(bars2, y) {
    const ends2 = { y, stroke: "var(--ink)", strokeWidth: 1.5 };
    return [
      Plot.ruleY(bars2, { x1: "low", x2: "high", ...ends2 }),
      Plot.tickX(bars2, { x: "low", ...ends2, insetTop: 6, insetBottom: 6 }),
      Plot.tickX(bars2, { x: "high", ...ends2, insetTop: 6, insetBottom: 6 })
    ];
  }
  var intervalChart = (bar, domain, label2, color) => chart(
    `${label2}: ${barLabel(bar)}`,
    (width) => {
      const one = bar.value === null ? [] : [{ ...bar, place: "" }];
      const known = one.filter((only) => only.low !== null);
      return Plot.plot({
        className: "plot",
        width,
        height: 34,
        margin: 0,
        marginLeft: 6,
        marginRight: 6,
        x: { domain, axis: null },
        y: { domain: [""], axis: null, padding: 0 },
        marks: [
          Plot.ruleX(ticks(domain), { stroke: "var(--line)" }),
          Plot.ruleY(known, {
            x1: "low",
            x2: "high",
            y: "place",
            stroke: color,
            strokeOpacity: 0.28,
            strokeWidth: 9,
            strokeLinecap: "round"
          }),
          Plot.dot(one, {
            x: "value",
            y: "place",
            r: 4.5,
            fill: color,
            stroke: "var(--surface)",
            strokeWidth: 1.5
          })
        ]
      });
    },
    34
  );
  var intervalAxis = (domain) => chart(
    `axis from ${formatScore(domain[0], 0)} to ${formatScore(domain[1], 0)}`,
    (width) => Plot.plot({
      className: "plot",
      width,
      height: 16,
      margin: 0,
      marginLeft: 6,
      marginRight: 6,
      x: { domain, axis: null },
      marks: ticks(domain).map(
        (at) => Plot.text([at], {
          x: [at],
          frameAnchor: "middle",
          text: [formatScore(at, 0)],
          fill: "var(--muted)",
          fontSize: 11,
          textAnchor: at === domain[0] ? "start" : at === domain[1] ? "end" : "middle"
        })
      )
    })
  );
  var ticks = ([low, high]) => d3.ticks(low, high, 4).filter((at) => at >= low && at <= high);
  function zoomedDomain(bars2) {
    const ends2 = endsOf(bars2);
    if (!ends2.length) return [0, 100];
    const [low, high] = [Math.min(...ends2), Math.max(...ends2)];
    const air = Math.max(2.5, (high - low) * 0.15);
    const top = high <= 100 ? 100 : high + air;
    return [Math.max(Math.min(0, low), Math.floor((low - air) / 5) * 5), Math.min(top, Math.ceil((high + air) / 5) * 5)];
  }
  var lengthHistogram = (bins) => chart(
    `Answer length in words. ${bins.map((bin) => `${bin.label}: ${bin.count}`).join("; ")}`,
    (width) => Plot.plot({
      className: "plot",
      style: { fontSize: "12px" },
      width,
      height: 150,
      marginLeft: 8,
      marginRight: 8,
      marginTop: 22,
      marginBottom: 26,
      x: { domain: bins.map((bin) => bin.label), label: null, tickSize: 0, padding: bins.length < 3 ? 0.6 : 0.2 },
      y: { axis: null },
      marks: [
        Plot.barY(bins, { x: "label", y: "count", fill: "var(--bar)", ry2: 3 }),
        Plot.text(bins, {
          x: "label",
          y: "count",
          text: (bin) => formatCount(bin.count),
          dy: -9,
          fill: "var(--ink)",
          fontSize: 11
        }),
        Plot.ruleY([0], { stroke: "var(--line-strong)" })
      ]
    })
  );
  function lossCurve(stage) {
    const points = stage.step.map((step, at) => ({ step, loss: stage.loss[at] }));
    const last = points[points.length - 1];
    return chart(
      `Loss of stage ${stage.name}: from ${formatScore(points[0].loss, 3)} to ${formatScore(last.loss, 3)} in ${last.step} steps`,
      (width) => Plot.plot({
        className: "plot",
        style: { fontSize: "11px" },
        width,
        height: 200,
        marginLeft: 44,
        marginRight: 16,
        marginTop: 12,
        marginBottom: 34,
        x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
        y: { label: null, ticks: 5, zero: points.every((point) => point.loss >= 0) },
        marks: [
          Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
          Plot.line(points, { x: "step", y: "loss", stroke: "var(--accent)", strokeWidth: 1.8 }),
          Plot.tip(
            points,
            Plot.pointerX({
              x: "step",
              y: "loss",
              title: (point) => `step ${formatCount(point.step)}
loss ${formatScore(point.loss, 4)}`,
              ...TIP
            })
          )
        ]
      })
    );
  }
  var lineChart = (title, points) => chart(
    title,
    (width) => Plot.plot({
      className: "plot",
      style: { fontSize: "11px" },
      width,
      height: 140,
      marginLeft: 52,
      marginRight: 90,
      marginTop: 10,
      marginBottom: 30,
      x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
      y: { label: null, ticks: 4, zero: true, tickFormat: "~g" },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 4 }),
        Plot.line(points, { x: "step", y: "value", z: "name", stroke: "var(--accent)", strokeWidth: 1.4 }),
        Plot.text(
          points,
          Plot.selectLast({ x: "step", y: "value", z: "name", text: "name", textAnchor: "start", dx: 4 })
        )
      ]
    })
  );
  var plotFrame = (width, height, more) => ({
    className: "plot",
    style: { fontSize: "12px" },
    width,
    height,
    marginTop: 22,
    marginRight: 18,
    marginBottom: 38,
    marginLeft: 52,
    ...more
  });

  // lib/run_charts.ts
  var COLORS = 8;
  function runColor(id) {
    const row = rowOf(id);
    const place = row ? boardRows().indexOf(row) : allRuns().findIndex((run) => run.id === id);
    return `var(--c${place % COLORS})`;
  }
  function breakdownChart(rows, label2) {
    const shown2 = rows.filter((row) => row.value !== null);
    const labels = [...new Set(shown2.map((row) => row.label))];
    const ids = [...new Set(shown2.map((row) => row.id))];
    const step = Math.max(28, 12 * ids.length + 12);
    const at = new Map(labels.map((one, place) => [one, place]));
    const y = (row) => (at.get(row.label) ?? 0) + (ids.indexOf(row.id) + 1) / (ids.length + 1);
    const words = (row) => `${row.run}, ${row.label}: ${formatScore(row.value)} (${formatInterval(row)}, n = ${formatCount(row.n)})${shrunkWords(row)}`;
    const domain = valueDomain([...shown2, ...shrunkOf(shown2)]);
    const height = labels.length * step + 40;
    return chart(
      `${label2}. ${shown2.map(words).join("; ")}`,
      (width) => {
        const left = Math.min(Math.max(40, ...labels.map((one) => Math.min(one.length, 24) * 7 + 12)), width * 0.36);
        return Plot.plot(
          plotFrame(width, height, {
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
              tickFormat: (place) => shorten(labels[Math.floor(place)], Math.max(6, Math.floor((left - 12) / 7)))
            },
            marks: [
              Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: width < 360 ? 3 : 5 }),
              Plot.ruleY(labels.map((_, place) => place).slice(1), { stroke: "var(--line)" }),
              Plot.ruleY(
                shown2.filter((row) => row.low !== null),
                {
                  y,
                  x1: "low",
                  x2: "high",
                  stroke: (row) => runColor(row.id),
                  strokeOpacity: 0.45,
                  strokeWidth: 5,
                  strokeLinecap: "round"
                }
              ),
              Plot.dot(shown2, {
                y,
                x: "value",
                r: 4,
                fill: (row) => runColor(row.id),
                stroke: "var(--surface)",
                strokeWidth: 1
              }),
              ...shrunkMarks(shown2, y, (row) => runColor(row.id)),
              Plot.tip(shown2, Plot.pointer({ x: "value", y, title: words, ...TIP }))
            ]
          })
        );
      },
      height
    );
  }
  var legend = (runs) => h(
    "ul",
    { class: "legend" },
    runs.map((run) => {
      const dot = h("span", { class: "legend-dot", "aria-hidden": "true" });
      dot.style.background = runColor(run.id);
      return h("li", {}, dot, dataText(run.label));
    })
  );
  function differenceChart(rows, label2) {
    const ends2 = rows.flatMap((row) => [row.value, row.low, row.high, 0]).filter((end) => end !== null);
    const reach = Math.max(1, ...ends2.map(Math.abs)) * 1.08;
    const domain = [Math.min(...ends2) < 0 ? -reach : -reach / 6, Math.max(...ends2) > 0 ? reach : reach / 6];
    const words = (row) => `${row.label}: ${formatSigned(row.value)} (${formatInterval(row)})`;
    const tone = (row) => !row.significant || !row.gain ? "var(--muted)" : row.gain > 0 ? "var(--right)" : "var(--wrong)";
    const height = rows.length * 32 + 34;
    return chart(
      `${label2}. ${rows.map(words).join("; ")}`,
      (width) => {
        const left = Math.min(Math.max(60, ...rows.map((row) => Math.min(row.label.length, 30) * 7 + 12)), width * 0.42);
        return Plot.plot(
          plotFrame(width, height, {
            marginLeft: left,
            marginTop: 4,
            marginBottom: 30,
            x: { domain, label: null, ticks: 5, tickFormat: (value) => formatSigned(value, 0) },
            y: {
              domain: rows.map((_, place) => String(place)),
              label: null,
              tickSize: 0,
              tickFormat: (place) => shorten(rows[Number(place)].label, Math.max(6, Math.floor((left - 12) / 7)))
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
                  strokeLinecap: "round"
                }
              ),
              Plot.dot(rows, {
                y: (row) => String(rows.indexOf(row)),
                x: "value",
                r: 4.5,
                fill: tone,
                stroke: "var(--surface)"
              }),
              Plot.tip(
                rows,
                Plot.pointerY({
                  x: "value",
                  y: (row) => String(rows.indexOf(row)),
                  title: words,
                  ...TIP
                })
              )
            ]
          })
        );
      },
      height
    );
  }
  var GATES = {
    pass: ["circle", "var(--right)"],
    fail: ["times", "var(--wrong)"],
    unknown: ["diamond", "var(--warn)"]
  };
  function trendChart(points, label2) {
    const shown2 = points.map((point, at) => ({ ...point, at }));
    const words = (one) => `${one.name}: ${formatScore(one.value)} (${formatInterval(one)})${one.gate ? `, gate: ${one.gate}` : ""}${one.drift === null ? "" : `, drift of −${formatScore(one.drift)}`}`;
    const known = shown2.filter((one) => one.value !== null);
    const gated = shown2.filter((one) => one.gate);
    return chart(
      `${label2}. ${shown2.map(words).join("; ")}`,
      (width) => Plot.plot(
        plotFrame(width, 240, {
          marginLeft: 44,
          x: {
            type: "point",
            domain: shown2.map((one) => one.at),
            label: null,
            tickFormat: (at) => shorten(shown2[at].name, Math.max(5, Math.floor(width / shown2.length / 8))),
            padding: 0.5
          },
          y: { label: null, ticks: 5, domain: zoomedDomain(known), inset: 8 },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.ruleX(
              shown2.filter((one) => one.begins),
              { x: "at", dx: -6, stroke: "var(--line-strong)", strokeDasharray: "3 4" }
            ),
            Plot.ruleX(
              shown2.filter((one) => one.drift !== null),
              { x: "at", stroke: "var(--wrong)", strokeWidth: 1.5, strokeDasharray: "6 3" }
            ),
            Plot.text(
              shown2.filter((one) => one.drift !== null),
              {
                x: "at",
                frameAnchor: "bottom",
                dy: -6,
                text: () => "drift",
                fill: "var(--wrong)",
                stroke: "var(--surface)",
                strokeWidth: 4,
                fontWeight: 600
              }
            ),
            Plot.areaY(
              known.filter((one) => one.low !== null),
              { x: "at", y1: "low", y2: "high", fill: "var(--accent)", fillOpacity: 0.14 }
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
                strokeLinecap: "round"
              }
            ),
            Plot.dot(known, {
              x: "at",
              y: "value",
              r: 4.5,
              fill: "var(--accent)",
              stroke: "var(--surface)"
            }),
            Plot.dot(gated, {
              x: "at",
              frameAnchor: "top",
              dy: -8,
              r: 5,
              symbol: (one) => GATES[one.gate ?? "unknown"][0],
              stroke: (one) => GATES[one.gate ?? "unknown"][1],
              strokeWidth: 2.5
            }),
            Plot.tip(known, Plot.pointerX({ x: "at", y: "value", title: words, ...TIP }))
          ]
        })
      ),
      240
    );
  }

  // lib/virtual_list.ts
  var GAP = 12;
  var BEYOND = 700;
  function virtualList(label2, { card: card3, height, least }) {
    const list = h("ul", { class: "cards", "aria-label": label2 });
    const node = h("div", { class: "cards-all" }, list);
    const pitch = height + GAP;
    let rows = [];
    let columns3 = 1;
    let shown2 = [-1, -1];
    const draw2 = (again = false) => {
      if (!node.isConnected) return;
      const wide = Math.max(1, Math.floor((node.clientWidth + GAP) / (least + GAP)));
      const top = node.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor((-top - BEYOND) / pitch)) * wide;
      const to = Math.min(rows.length, Math.ceil((window.innerHeight - top + BEYOND) / pitch) * wide);
      if (!again && wide === columns3 && from === shown2[0] && to === shown2[1]) return;
      columns3 = wide;
      shown2 = [from, to];
      node.style.height = `${Math.max(0, Math.ceil(rows.length / columns3) * pitch - GAP)}px`;
      list.style.transform = `translateY(${from / columns3 * pitch}px)`;
      list.style.gridTemplateColumns = `repeat(${columns3}, minmax(0, 1fr))`;
      list.style.gridAutoRows = `${height}px`;
      const kept = new Map(
        again ? [] : [...list.children].map((item2) => [Number(item2.dataset.at), item2])
      );
      const items = [];
      for (let at = from; at < to; at++) items.push(kept.get(at) ?? item(at));
      const focused = list.contains(document.activeElement) ? document.activeElement?.closest("li") : null;
      list.replaceChildren(...items);
      if (focused?.isConnected) focused.firstElementChild.focus({ preventScroll: true });
    };
    const item = (at) => h("li", { "data-at": at, "aria-setsize": rows.length, "aria-posinset": at + 1 }, card3(rows[at]));
    const first = () => Math.max(0, Math.floor((80 - node.getBoundingClientRect().top) / pitch)) * columns3;
    const scrollTo = (at, margin = 80) => {
      const top = node.getBoundingClientRect().top + window.scrollY + Math.floor(at / columns3) * pitch;
      window.scrollTo({ top: Math.max(0, top - margin) });
      draw2();
    };
    const reveal = (at) => {
      const place = node.getBoundingClientRect().top + Math.floor(at / columns3) * pitch;
      if (place < 80) scrollTo(at);
      else if (place + height > window.innerHeight - 16) scrollTo(at, window.innerHeight - height - 24);
      list.querySelector(`[data-at="${at}"] > *`)?.focus({ preventScroll: true });
    };
    const STEPS = {
      ArrowRight: () => 1,
      ArrowLeft: () => -1,
      ArrowDown: () => columns3,
      ArrowUp: () => -columns3,
      Home: (at) => -at,
      End: (at) => rows.length - 1 - at
    };
    list.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      const at = Number(event.target.closest("li")?.dataset.at ?? -1);
      if (!step || at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const next = at + step(at);
      if (next >= 0 && next < rows.length) reveal(next);
    });
    let waiting = false;
    const soon = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw2();
      });
    };
    const size = new ResizeObserver(soon);
    size.observe(node);
    window.addEventListener("scroll", soon, { passive: true });
    window.addEventListener("resize", soon);
    return {
      node,
      first,
      scrollTo,
      reveal,
      set: (now) => {
        rows = now;
        draw2(true);
      },
      leave: () => {
        size.disconnect();
        window.removeEventListener("scroll", soon);
        window.removeEventListener("resize", soon);
      }
    };
  }

  // views/sample_parts.ts
  var VERDICTS = { right: "Right", wrong: "Wrong", partly: "Partly", none: "No score" };
  function imageNode(image, { large = false, boxes = null } = {}) {
    const source = image && thumbnailPath(image);
    if (!source) return h("span", { class: "no-image" }, image ? dataText(shorten(image.name, 60)) : "no image");
    const node = h("img", { src: source, alt: large ? `Image ${image.name}` : "", decoding: "async" });
    return boxes ? h("div", { class: "boxed" }, node, drawing(boxes)) : node;
  }
  function drawing([target, predicted]) {
    const box = ([x, y, width, height], kind) => svg("rect", { class: `box box-${kind}`, x, y, width, height, "vector-effect": "non-scaling-stroke" });
    const label2 = predicted ? "The target box (solid) and the predicted one (dashed)" : "The target box; none was predicted";
    return svg(
      "svg",
      { viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": label2 },
      box(target, "target"),
      predicted ? box(predicted, "predicted") : null
    );
  }
  function verdictNode(records, row) {
    const verdict = records.verdict(row);
    const text = verdict === "none" ? statusLabel(records.status(row)) : VERDICTS[verdict];
    return h("span", { class: `verdict verdict-${verdict}` }, text);
  }

  // views/compare.ts
  var HEIGHT = 148;
  var LEAST = 420;
  var KINDS = {
    lost: "A right, B wrong",
    gained: "A wrong, B right",
    changed: "Different wording",
    all: "All"
  };
  function opening() {
    const [best, ...others2] = bestFirst();
    const second = others2.find((row) => row.tasks.some((task) => findTask(best, task.key)));
    return second ? [best.id, second.id] : report().pairs[0] ?? [];
  }
  function chosen(params) {
    const first = params.has("a") && params.has("b") ? [] : opening();
    const a = findSide(params.get("a") ?? first[0]);
    const b = findSide(params.get("b") ?? first[1]);
    const keys = a && b ? a.tasks.map((task) => task.key).filter((key3) => findTask(b, key3)) : [];
    const key2 = params.get("task") ?? keys[0];
    return { a, b, keys, key: keys.includes(key2) ? key2 : null };
  }
  function sides() {
    const rows = bestFirst();
    const whole = new Set(rows.map((row) => row.id));
    const runs = allRuns().filter((run) => !whole.has(run.id));
    return [...rows, ...runs].map((side) => [side.id, "cells" in side ? side.label : `one run: ${side.label}`]);
  }
  function joined(one, other) {
    const pairs = [];
    one.id.forEach((id, row) => {
      const there = other.rowOf(id);
      if (there !== null) pairs.push([row, there]);
    });
    return pairs;
  }
  function kindOf(one, other, [row, there]) {
    const scored = one.verdict(row) !== "none" && other.verdict(there) !== "none";
    const [before, after] = [one.value(row), other.value(there)];
    if (scored && before !== after) return Number(after) > Number(before) ? "gained" : "lost";
    return one.parsed(row) !== other.parsed(there) || one.text(row) !== other.text(there) ? "changed" : "same";
  }
  function flipCard(one, other, pair, link) {
    const [row, there] = pair;
    const side = (records, at, name) => h(
      "span",
      { class: "flip-side" },
      h("span", { class: "hint" }, name),
      h("span", { class: "sample-answer" }, dataText(shorten(records.text(at) || records.parsed(at) || "(empty)", 60))),
      verdictNode(records, at)
    );
    return h(
      "a",
      { class: "sample", href: link, "data-row": row },
      h("span", { class: "sample-image" }, imageNode(one.images(row)[0])),
      h(
        "span",
        { class: "sample-words" },
        h(
          "span",
          { class: "sample-question" },
          dataText(shorten(one.question[row], 110)),
          h("span", { class: "hint" }, " target ", dataText(shorten(one.target(row), 30)))
        ),
        h("span", { class: "flip-sides" }, side(one, row, "A"), side(other, there, "B"))
      )
    );
  }
  function notice(a, b, key2) {
    const file = pairFile(a.id, b.id, key2);
    const why = (file && comparisonFile(file.name)?.failed) ?? {};
    const failed = file ? why[""] ?? why[key2] : "These two were not compared when the report was built; run `vlmbench compare`.";
    const task = comparisonOf(a.id, b.id, key2);
    return [
      failed ? h("p", { class: "notice", role: "note" }, h("strong", {}, "No intervals. "), dataText(failed)) : null,
      task?.differs?.length ? h(
        "p",
        { class: "notice", role: "note" },
        h("strong", {}, "Not the same test. "),
        "These runs differ in: ",
        dataText(task.differs.map(String).join("; "))
      ) : null,
      task?.notes?.length ? notesList({ key: key2, notes: task.notes.map(String) }) : null
    ];
  }
  var TOWARDS = {
    less: () => "less is better",
    target: ({ target }) => `nearer to ${formatScore(target)} is better`,
    neither: () => "neither is better"
  };
  function direction(rows) {
    const exceptions = rows.flatMap((row) => {
      const words = TOWARDS[row.better ?? "more"]?.(row);
      return words ? [`${row.label}: ${words}`] : [];
    });
    const suffix = exceptions.length ? ` Exceptions: ${exceptions.join("; ")}.` : "";
    return `Above zero: B is better.${suffix} Colored: p below 5 %, Holm-corrected over the metrics. “The same”: a difference of that size is excluded, by tests corrected likewise; otherwise there are too few questions to tell.`;
  }
  function differences(a, b, key2) {
    const task = comparisonOf(a.id, b.id, key2);
    const head = headlineDifference(a, b, key2);
    const row = (one) => {
      const change = gain({ ...one, value: one.paired.difference.value });
      const { p_holm: p = null, equivalence } = one;
      return {
        key: key2,
        label: humanize(one.label || one.name),
        one: { headline: one.name, bar: { name: one.name, value: one.before } },
        other: { headline: one.name, bar: { name: one.name, value: one.after } },
        ...one.paired.difference,
        p,
        gain: change,
        verdict: verdictWords(change, p, equivalence?.p_holm ?? null, equivalence?.margin ?? 0),
        better: one.better ?? "more",
        target: one.target ?? null,
        method: one.paired.method,
        flips: null,
        level: head.level,
        significant: isSignificant(p)
      };
    };
    const rows = task ? task.differences.map(row) : [{ ...head, label: humanize(head.one.headline) }];
    const parts2 = (task?.breakdowns ?? []).map(row);
    const drawn = rows.filter((one) => one.value !== null);
    const table = (caption, of) => dataTable(
      caption,
      [{ head: "metric", class: "stub", cell: (one) => dataText(one.label) }, ...differenceColumns("A", "B", of)],
      of,
      {
        class: "slim stacked"
      }
    );
    return card(
      "Differences",
      task?.agreement !== void 0 && task?.agreement !== null ? `The two agree on ${formatShare(task.agreement)} of the questions. ${direction(rows)}` : direction(rows),
      null,
      drawn.length ? differenceChart(drawn, `B minus A on ${key2}`) : null,
      table(`B minus A on ${key2}`, rows),
      parts2.length ? h(
        "details",
        {},
        h("summary", {}, `${parts2.length} more, by category`),
        table(`B minus A on ${key2}, by category`, parts2)
      ) : null
    );
  }
  function pickers(a, b, { keys, key: key2 }) {
    const runs = sides();
    return h(
      "div",
      { class: "filter-row" },
      choiceField("A (before)", "a", a.id, runs, (id) => changeParams({ a: id, b: b.id, at: null })),
      choiceField("B (after)", "b", b.id, runs, (id) => changeParams({ a: a.id, b: id, at: null })),
      choiceField(
        "task",
        "task",
        key2 ?? "",
        keys.map((one) => [one, one]),
        (one) => changeParams({ task: one, at: null })
      ),
      h("button", { type: "button", class: "plain", onclick: () => changeParams({ a: b.id, b: a.id }) }, "swap")
    );
  }
  function flips(b, tasks) {
    const { key: key2 } = tasks[0];
    const [one, other] = [recordsOf(tasks[0]), recordsOf(tasks[1])];
    const pairs = joined(one, other);
    const kinds = pairs.map((pair) => kindOf(one, other, pair));
    const counts = { lost: 0, gained: 0, changed: 0, all: pairs.length };
    for (const kind of kinds) if (kind !== "same") counts[kind] += 1;
    const list = virtualList("Flips", {
      height: HEIGHT,
      least: LEAST,
      card: (pair) => flipCard(one, other, pair, linkTo("samples", { run: sourceOf(b, key2).id, task: key2, open: other.id[pair[1]] }))
    });
    const status = h("p", { class: "hint", role: "status" });
    let typing = 0;
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search question, answer, id",
      "aria-label": "Search questions, answers and ids",
      autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => changeParams({ q: search.value }, { replace: true }), 150);
      }
    });
    const buttons = Object.entries(KINDS).map(
      ([kind, text]) => h(
        "button",
        { type: "button", "data-show": kind, onclick: () => changeParams({ show: kind === "lost" ? null : kind }) },
        `${text} `,
        h("span", { class: "dim" }, formatCount(counts[kind]))
      )
    );
    let before = null;
    const update = (params) => {
      const [show, words] = [params.get("show") ?? "lost", (params.get("q") ?? "").toLowerCase().trim()];
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === show));
      if (before === `${show} ${words}`) return;
      before = `${show} ${words}`;
      const rows = pairs.filter(
        ([row, there], at) => (show === "all" || kinds[at] === show) && (!words || one.searchText(row).includes(words) || other.searchText(there).includes(words))
      );
      status.textContent = plural(rows.length, "question");
      list.set(rows);
    };
    const form = {
      class: "filters filter-row",
      role: "search",
      "aria-label": "Filter questions",
      onsubmit: (event) => event.preventDefault()
    };
    const group = h("div", { class: "switch", role: "group", "aria-label": "Which questions" }, buttons);
    return {
      nodes: [h("h2", {}, "Questions"), h("form", form, search, group), status, list.node],
      update,
      leave: list.leave
    };
  }
  var compareView = {
    title: () => "Compare",
    same: (params) => ["a", "b", "task"].map((name) => params.get(name)).join(" "),
    needs: (params) => {
      const { a, b, key: key2 } = chosen(params);
      const tasks = [findTask(a, key2), findTask(b, key2)].filter((task) => task !== void 0);
      const file = a && b ? pairFile(a.id, b.id, key2) : null;
      return key2 ? [...tasks.map((task) => task.list), ...file ? [file.name] : []] : [];
    },
    build: (main2, params) => {
      const choice = chosen(params);
      const { a, b, key: key2 } = choice;
      if (!a || !b) return void main2.append(notFound("This report does not hold these two runs."));
      const [task, other] = [findTask(a, key2), findTask(b, key2)];
      if (!key2 || !task || !other) {
        const hint = "These two runs have no task in common.";
        return void main2.append(pageFrame("Compare", hint, pickers(a, b, choice)));
      }
      const shown2 = flips(b, [task, other]);
      main2.append(
        pageFrame(
          "Compare",
          [
            h("a", { href: linkTo("model", { run: sourceOf(a, key2).id, task: key2 }) }, "A: ", dataText(a.label)),
            " against ",
            h("a", { href: linkTo("model", { run: sourceOf(b, key2).id, task: key2 }) }, "B: ", dataText(b.label)),
            " on ",
            dataText(key2)
          ],
          pickers(a, b, choice),
          sampleNotice([task]),
          notice(a, b, key2),
          differences(a, b, key2),
          shown2.nodes
        )
      );
      return { update: shown2.update, leave: shown2.leave };
    }
  };

  // views/history.ts
  function named(run, runs) {
    const alone = runs.filter((one) => one.commit === run.commit).length === 1;
    return alone && run.commit || (run.finished ?? "").slice(0, 16).replace("T", " ") || run.id;
  }
  function changeAt(points, at, trend) {
    const { run, value, begins } = points[at];
    const step = trend.steps.find((one) => one.run === run.id);
    if (step) return -step.fall;
    const last = points[at - 1]?.value ?? null;
    return value !== null && last !== null && !begins && !trend.steps.length ? value - last : null;
  }
  function driftCell(point, trend) {
    const p = trend.steps.find((one) => one.run === point.run.id)?.p;
    if (point.drift !== null) return h("span", { class: "tag tag-fail" }, `drift, p ${formatP(p)}`);
    if (point.begins) return h("span", { class: "tag" }, "new stretch");
    return p === void 0 ? "–" : formatP(p);
  }
  function part(key2, runs, trend) {
    const points = runs.flatMap((run) => {
      const task = findTask(run, key2);
      const gate2 = gateOf(run, key2)?.outcome ?? null;
      const drift = trend.alarms.find((one) => one.run === run.id)?.fall ?? null;
      const begins = trend.breaks.some((one) => one.run === run.id);
      return task ? [{ ...task.bar, run, task, name: named(run, runs), gate: gate2, drift, begins }] : [];
    });
    if (points.length < 2) return null;
    return card(
      h("a", { href: linkTo("task", { task: key2 }) }, dataText(key2)),
      humanize(points[0].task.headline),
      null,
      trendChart(points, `${key2} over time`),
      h(
        "ul",
        { class: trend.alarms.length ? "notice remarks" : "hint remarks" },
        trend.words.map((words) => h("li", {}, dataText(words)))
      ),
      dataTable(
        `${key2} over time`,
        [
          {
            head: "run",
            class: "run",
            cell: ({ run }) => h("a", { href: linkTo("model", { run: run.id, task: key2 }) }, dataText(run.label))
          },
          {
            head: "finished",
            class: "nowrap",
            cell: ({ run }) => (run.finished ?? "–").replace("T", " ").replace("Z", "")
          },
          { head: "commit", cell: ({ run }) => run.commit || "–" },
          {
            head: "value",
            class: "number strong",
            cell: (one) => formatScore(one.value),
            plain: (one) => one.value
          },
          {
            head: intervalHead(points.map(({ task }) => task.level)),
            class: "number",
            cell: (one) => formatInterval(one)
          },
          {
            head: "change",
            class: "number",
            cell: (_, at) => formatSigned(changeAt(points, at ?? 0, trend)),
            plain: (one) => changeAt(points, points.indexOf(one), trend)
          },
          {
            head: "p of drift",
            class: "nowrap",
            cell: (one) => driftCell(one, trend),
            plain: (one) => trend.steps.find(({ run }) => run === one.run.id)?.p ?? null
          },
          { head: "gate", cell: ({ gate: gate2 }) => gate2 ? h("span", { class: `tag tag-${gate2}` }, gate2) : "–" },
          {
            head: h("span", { class: "unseen" }, "compare"),
            plain: null,
            cell: (one) => {
              const at = points.indexOf(one);
              if (at < 1) return null;
              const link = linkTo("compare", { a: points[at - 1].run.id, b: one.run.id, task: key2 });
              return h(
                "a",
                { href: link, "aria-label": `Compare ${one.name} with the run before it on ${key2}` },
                "compare"
              );
            }
          }
        ],
        points,
        { class: "slim" }
      )
    );
  }
  var historyView = {
    title: () => "History",
    build: (main2, params) => {
      const { histories } = report();
      const history2 = histories[Number(params.get("of") ?? 0)];
      if (!history2) return void main2.append(notFound("This report holds no model with several runs."));
      const runs = history2.runs.map(findRun).filter((run) => run !== void 0);
      const keys = [...new Set(runs.flatMap((run) => run.tasks.map((task) => task.key)))];
      const parts2 = keys.map((key2) => part(key2, runs, history2.trends[key2])).filter((one) => one !== null);
      main2.append(
        pageFrame(
          "History",
          [
            dataText(history2.name),
            `: ${plural(runs.length, "run")}, oldest first. Bands are ${formatLevels(runs.flatMap((run) => run.tasks.map((task) => task.level)))} intervals; marks above the line show the gate's result: ○ pass, × fail, ◇ could not tell. A dashed line marks a drift.`
          ],
          histories.length > 1 ? choiceField(
            "model",
            "of",
            String(histories.indexOf(history2)),
            histories.map((one, at) => [String(at), one.name])
          ) : null,
          sampleNotice(runs.flatMap((run) => run.tasks)),
          parts2.length ? parts2 : h(
            "p",
            { class: "notice", role: "note" },
            h("strong", {}, "No task in common. "),
            `Each of these ${runs.length} runs has other tasks (${keys.length} in all), so that nothing can be followed over time. A history begins when one of them is run again.`
          )
        )
      );
    }
  };

  // views/board/cells.ts
  var gapOf = (column2, row) => column2?.gaps[row.id] ?? null;
  var isBest = (column2, row) => column2?.best === row.id;
  var ends = ({ low, high }) => low === null || high === null ? "no interval" : `${formatSigned(low)} to ${formatSigned(high)}`;
  function gapLines(column2, row) {
    if (isBest(column2, row)) return Object.keys(column2?.ranks ?? {}).length > 1 ? "best" : "–";
    const gap = gapOf(column2, row);
    if (!gap) return "–";
    return [formatSigned(gap.value), h("span", { class: "under" }, gap.paired ? "" : "≈ ", ends(gap))];
  }
  var rankText = (column2, row) => {
    const rank = column2?.ranks[row.id];
    return rank ? rank[0] === rank[1] ? `rank ${rank[0]}` : `rank ${rank[0]}–${rank[1]}` : "–";
  };
  function sentence(column2, row, name, bar) {
    const best = boardRows().find((one) => one.id === column2?.best);
    const gap = gapOf(column2, row);
    const parts2 = [
      `${row.label} on ${name}: ${humanize(bar.name)} ${formatScore(bar.value)} (${formatInterval(bar)}, n = ${formatCount(bar.n)})`
    ];
    if (best && best !== row && gap)
      parts2.push(
        `${formatSigned(gap.value)} against ${best.label} (${ends(gap)}, ${gap.paired ? "the same questions" : "from the two intervals"})`
      );
    parts2.push(rankText(column2, row));
    if (column2?.few.includes(row.id)) parts2.push("too few questions to tell");
    return parts2.join("; ");
  }
  function below(column2, row, bar, kind) {
    const line2 = (text) => h("span", { class: "under" }, text);
    if (kind === "none") return null;
    if (kind === "interval") return line2(formatInterval(bar));
    if (kind === "rank") return line2(rankText(column2, row));
    if (isBest(column2, row)) {
      const others2 = Object.keys(column2?.ranks ?? {}).length > 1;
      return line2(others2 ? column2?.few.includes(row.id) ? "highest" : "best" : "alone");
    }
    const gap = gapOf(column2, row);
    if (!gap) return line2("–");
    return [
      h("span", { class: "under gap" }, formatSigned(gap.value)),
      gap.low === null || gap.high === null ? line2("no interval") : h(
        "span",
        { class: "under tight" },
        gap.paired ? "" : "≈ ",
        `${formatSigned(gap.low)} to ${formatSigned(gap.high)}`
      )
    ];
  }
  function scoreCell(column2, row, name, bar, kind, link, marks2 = null) {
    const few = column2?.few.includes(row.id) ?? false;
    const bold = column2?.bold.includes(row.id) ?? false;
    const look = few ? "score few" : bold ? "score leading" : "score";
    const value = h(
      "span",
      { class: look },
      formatScore(bar.value),
      few ? h("span", { class: "doubt" }, "?", h("span", { class: "unseen" }, " too few questions to tell")) : null
    );
    const content2 = [value, below(column2, row, bar, kind)];
    const title = sentence(column2, row, name, bar);
    return [
      link ? h("a", { class: "cell", href: link, title }, content2) : h("span", { class: "cell", title }, content2),
      marks2
    ];
  }
  function marks(row, task) {
    const gate2 = gateOf(row.cells[task.key], task.key);
    return [
      gate2 ? h("span", { class: `tag tag-${gate2.outcome} small`, title: gate2.reason }, `gate: ${gate2.outcome}`) : null,
      task.coverage < 1 ? h("span", { class: "under lacking" }, `${formatScore(100 * Math.min(task.coverage, 0.999))} % answered`) : null
    ];
  }
  var breakable = (name) => dataText(name.replace(/([:@+_=/.-])/g, "$1​"));
  var columnOf = (key2) => report().columns[key2] ?? report().averages[key2];

  // views/board/chooser.ts
  function chosenKeys(keys, params) {
    const named2 = new Set((params.get("cols") ?? "").split(","));
    const found = keys.filter((key2) => named2.has(key2));
    return found.length ? found : keys;
  }
  function suites(keys) {
    return Object.keys(report().averages).flatMap((key2) => {
      const members = boardRows().flatMap((row) => suiteOf(row, key2)?.members.map(({ task }) => task) ?? []);
      const here = keys.filter((one) => members.includes(one));
      return here.length > 1 && here.length < keys.length ? [[key2.replace(/^suite:/, ""), here]] : [];
    });
  }
  var open = false;
  function chooser(keys, shown2) {
    const show = (now) => changeParams({ cols: now.length === keys.length || !now.length ? null : now.join(",") }, { replace: true });
    const box = (key2) => {
      const control = h("input", {
        type: "checkbox",
        "data-column": key2,
        checked: shown2.includes(key2),
        onchange: () => show(keys.filter((one) => one === key2 ? control.checked : shown2.includes(one)))
      });
      return h("label", {}, control, breakable(key2));
    };
    const button = (text, now) => h("button", { type: "button", class: "plain", onclick: () => show(now) }, text);
    const node = h(
      "details",
      { class: "chooser", open },
      h("summary", { class: "button" }, `Columns: ${shown2.length} of ${keys.length}`),
      h(
        "div",
        { class: "chooser-body" },
        h(
          "div",
          { class: "chips" },
          button("all", keys),
          suites(keys).map(([name, members]) => button(`${name} alone`, members))
        ),
        h("div", { class: "chooser-boxes" }, keys.map(box))
      )
    );
    node.addEventListener("toggle", () => {
      open = node.open;
    });
    return node;
  }

  // views/board/overview.ts
  var VIEWS = {
    gap: "Gap to the best",
    interval: "Interval",
    rank: "Rank",
    none: "Score alone",
    cost: "Cost"
  };
  var viewOf = (params) => {
    const named2 = params.get("show") ?? "gap";
    return Object.hasOwn(VIEWS, named2) ? named2 : "gap";
  };
  function runsOf(row) {
    if (row.runs.length < 2) return null;
    const line2 = (run) => {
      const shown2 = run.tasks.filter((task) => row.cells[task.key] === run).length;
      const hidden = run.tasks.length - shown2;
      const words = [shown2 ? plural(shown2, "task") : null, hidden ? `${plural(hidden, "older result")} not shown` : null];
      return h(
        "li",
        {},
        h("a", { href: linkTo("model", { run: run.id }) }, (run.finished ?? run.id).slice(0, 16).replace("T", " ")),
        ` ${words.filter(Boolean).join(", ")}`
      );
    };
    return h(
      "details",
      { class: "merged" },
      h("summary", {}, `${row.runs.length} runs`),
      h("ul", {}, row.runs.map(line2))
    );
  }
  var nameColumn = {
    head: "model",
    key: "model",
    class: "run",
    plain: (row) => row.label,
    cell: (row) => [h("a", { href: linkTo("model", { run: row.runs[0].id }) }, breakable(row.label)), runsOf(row)]
  };
  function led(row, keys) {
    const taken = keys.filter((key2) => row.cells[key2]);
    return { bold: taken.filter((key2) => report().columns[key2]?.bold.includes(row.id)).length, taken: taken.length };
  }
  var winColumn = (keys) => ({
    head: ["win rate", h("span", { class: "under" }, "of its tasks")],
    name: "win rate",
    key: "wins",
    down: true,
    class: "number",
    plain: (row) => winRate(row, keys),
    cell: (row) => {
      const rate = winRate(row, keys);
      const { bold, taken } = led(row, keys);
      return [
        h("span", { class: "score" }, rate === null ? "–" : `${formatScore(rate, 0)} %`),
        h("span", { class: "under" }, `bold in ${bold}`),
        h("span", { class: `under ${taken < keys.length ? "lacking" : ""}` }, `of ${taken}`)
      ];
    }
  });
  var averageColumn = (key2, below2) => ({
    head: [breakable(key2.replace(/^suite:/, "")), h("span", { class: "under" }, "average")],
    name: key2,
    key: key2,
    down: true,
    class: "number average",
    plain: (row) => averageOf(row, key2),
    cell: (row) => {
      const suite = suiteOf(row, key2);
      if (!suite) return "–";
      if (suite.bar.value !== null) return scoreCell(columnOf(key2), row, key2, suite.bar, below2, null);
      const lacking = suite.members.filter((member) => member.figure === null).length;
      return h(
        "span",
        { class: "under lacking", title: suite.notes.join("\n") },
        `lacks ${lacking} of ${suite.members.length}`
      );
    }
  });
  var taskColumn = (key2, below2) => ({
    head: breakable(key2),
    foot: h(
      "a",
      {
        class: "under",
        href: linkTo("task", { task: key2 }),
        "aria-label": `${key2}: ${humanize(rowsOn(key2)[0].task.headline)}, to its page`
      },
      breakable(humanize(rowsOn(key2)[0].task.headline))
    ),
    name: key2,
    key: key2,
    down: true,
    class: "number",
    plain: (row) => findTask(row, key2)?.bar.value ?? null,
    cell: (row) => {
      const task = findTask(row, key2);
      if (!task) return "–";
      const link = linkTo("model", { run: row.cells[key2].id, task: key2 });
      return scoreCell(columnOf(key2), row, key2, task.bar, below2, link, marks(row, task));
    }
  });
  var costColumns = (rows) => Object.entries(report().costs).filter(([name]) => rows.some((row) => row.costs[name] !== null)).map(([name, head]) => ({
    head,
    key: name,
    down: name === "per_second",
    class: "number",
    plain: (row) => row.costs[name],
    cell: (row) => h("span", { class: "score" }, formatCost(name, row.costs[name]))
  }));
  function orderOf(row, by, keys) {
    if (by === "model") return [0, row.label.toLowerCase()];
    if (by === "wins") return pack(winRate(row, keys));
    if (Object.hasOwn(report().costs, by)) return pack(row.costs[by]);
    const few = columnOf(by)?.few.includes(row.id) ? 0 : 1;
    const suite = suiteOf(row, by);
    const task = suite ?? findTask(row, by);
    const value = task ? sortValue(task) : null;
    return value === null ? null : [few, value];
  }
  var pack = (value) => value === null ? null : [1, value];
  function sorted(rows, by, down, keys) {
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    return bestFirst(rows).map((row) => [row, orderOf(row, by, keys)]).sort(([, a], [, b]) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return order(b[0], a[0]) || (down ? order(b[1], a[1]) : order(a[1], b[1]));
    }).map(([row]) => row);
  }
  var firstSort = () => averageKeys().find((key2) => bestFirst().filter((row) => averageOf(row, key2) !== null).length > 1) ?? "wins";
  var legend2 = (view, rows, keys) => {
    if (view === "cost") return "Of each model's runs together: most memory, summed cost; speeds over its answers.";
    const gaps = keys.flatMap((key2) => rows.flatMap((row) => gapOf(columnOf(key2), row) ?? []));
    const few = keys.some((key2) => rows.some((row) => columnOf(key2)?.few.includes(row.id)));
    const levels = formatLevels(rows.flatMap((row) => row.tasks.map((task) => task.level)));
    return [
      h("strong", {}, "Bold"),
      ": the best of a column, or not told apart from it by a test corrected for all pairs of the column (5 %, Holm); the intervals are not corrected. ",
      few ? [
        h("span", { class: "doubt" }, "?"),
        ": too few questions to tell (its interval reaches a tenth of the scale or more to a side); such a score is never bold and sorts last. "
      ] : null,
      view === "gap" ? `Below a score: its gap to the best with the ${levels} interval of the difference on the same questions. ` : null,
      view === "interval" ? `Below a score: its ${levels} interval. ` : null,
      view === "gap" && gaps.some((gap) => !gap.paired) ? "≈: not the same questions; from the two intervals. " : null,
      keys.length > 1 && rows.length > 1 ? "Win rate: the mean share of the other models that a model beats; not told apart counts half." : null
    ];
  };
  function overview(rows, keys, params) {
    if (keys.length < 2 || !rows.length) return null;
    const view = viewOf(params);
    const shownKeys = chosenKeys(keys, params);
    const below2 = view === "cost" ? "none" : view;
    const averages = averageKeys();
    const scores = view === "cost" ? costColumns(rows) : shownKeys.map((key2) => taskColumn(key2, below2));
    const columns3 = [
      nameColumn,
      ...rows.length > 1 ? [winColumn(shownKeys)] : [],
      ...averages.map((key2) => averageColumn(key2, below2)),
      ...scores
    ];
    const by = params.get("by") ?? firstSort();
    const down = (params.get("order") ?? "down") === "down";
    const go = (now, turned2) => changeParams({ by: now, order: turned2 ? null : "up" });
    const shown2 = rows.filter((row) => shownKeys.some((key2) => row.cells[key2]));
    const buttons = Object.entries(VIEWS).map(
      ([name, text]) => h(
        "button",
        {
          type: "button",
          "data-view": name,
          "aria-pressed": String(name === view),
          onclick: () => changeParams({ show: name === "gap" ? null : name })
        },
        text
      )
    );
    return card(
      "All models",
      legend2(view, shown2, shownKeys),
      null,
      h(
        "div",
        { class: "filter-row" },
        h("div", { class: "switch", role: "group", "aria-label": "What the table shows" }, buttons),
        view === "cost" ? null : chooser(keys, shownKeys)
      ),
      dataTable(
        "Every model on every task",
        columns3,
        sorted(shown2, by, down, shownKeys),
        { class: `overview wide below-${below2}` },
        { sort: { by, down, go }, name: "All models", pinned: true }
      )
    );
  }

  // views/board/questions.ts
  var tile = ({ question, answer, more, link }) => {
    const content2 = [
      h("span", { class: "tile-name" }, question),
      h("span", { class: "tile-words" }, answer),
      h("span", { class: "hint" }, more)
    ];
    return link ? h("a", { class: "tile question", href: link }, content2) : h("div", { class: "tile question" }, content2);
  };
  function who(rows, keys) {
    const [best] = rows;
    const average = averageKeys().find((key2) => averageOf(best, key2) !== null);
    const bold = keys.filter((key2) => columnOf(key2)?.bold.includes(best.id)).length;
    const words = [
      average ? `${formatScore(averageOf(best, average))} on ${average.replace(/^suite:/, "")}` : null,
      `best or not told apart in ${bold} of ${plural(keys.filter((key2) => best.cells[key2]).length, "task")}`
    ];
    const link = linkTo("model", { run: best.runs[0].id });
    return { question: "Who is best?", answer: dataText(best.label), more: words.filter(Boolean).join("; "), link };
  }
  function byHowMuch(rows, keys) {
    const question = "By how much?";
    const [best, ...others2] = rows;
    const second = others2.find((row) => keys.some((key2) => row.cells[key2] && best.cells[key2]));
    if (!second) return { question, answer: "–", more: "no other model took the same tasks", link: null };
    const average = averageKeys().find((key2) => columnOf(key2)?.best === best.id && gapOf(columnOf(key2), second));
    const shared = keys.filter((key2) => best.cells[key2] && second.cells[key2]);
    const single = shared.length === 1 && columnOf(shared[0])?.best === best.id ? shared[0] : null;
    const gap = gapOf(columnOf(average ?? single ?? ""), second);
    const ahead = shared.filter((key2) => isAhead(columnOf(key2)?.ranks ?? {}, best.id, second.id));
    const answer = gap ? `${formatSigned(-gap.value)} points` : `On ${ahead.length} of ${plural(shared.length, "task")}`;
    const within = gap && gap.low !== null && gap.high !== null ? ` (${formatSigned(-gap.high)} to ${formatSigned(-gap.low)})` : "";
    const more = gap ? `ahead of ${second.label}${within}; ${plural(shared.length, "shared task")}` : `ahead of ${second.label} by the corrected tests`;
    return { question, answer, more, link: linkTo("compare", { a: best.id, b: second.id }) };
  }
  var isAhead = (ranks, one, other) => ranks[one] !== void 0 && ranks[other] !== void 0 && ranks[one][1] < ranks[other][0];
  function where(rows, keys) {
    const question = "Where does it fail?";
    const [best] = rows;
    const taken = keys.flatMap((key2) => findTask(best, key2) ?? []);
    const behind = taken.flatMap((task2) => {
      const gap = gapOf(columnOf(task2.key), best);
      const told = gap && !columnOf(task2.key)?.bold.includes(best.id) && !columnOf(task2.key)?.few.includes(best.id);
      return told ? [{ task: task2, gap, rank: columnOf(task2.key)?.ranks[best.id]?.[0] ?? 1 }] : [];
    }).sort((a, b) => b.rank - a.rank || a.gap.value - b.gap.value);
    const [worst] = behind;
    const percent = taken.filter(({ bar }) => bar.value !== null && bar.value <= 100);
    const lowest = [...percent].sort((a, b) => (a.bar.value ?? 0) - (b.bar.value ?? 0))[0];
    const task = worst?.task ?? lowest ?? taken[0];
    if (!task) return { question, answer: "–", more: "no score", link: null };
    const link = linkTo("samples", { run: best.cells[task.key].id, task: task.key, is: "wrong" });
    const more = worst ? `${formatSigned(worst.gap.value)} behind the best there; its wrong answers` : `its lowest score, ${formatScore(task.bar.value)}; its wrong answers`;
    return { question, answer: dataText(task.key), more, link };
  }
  function worse() {
    const question = "Did it get worse?";
    const { histories } = report();
    const drifts = histories.flatMap(
      (one, of) => Object.entries(one.trends).flatMap(([key2, trend]) => trend.alarms.length ? [{ of, key: key2, name: one.name }] : [])
    );
    const failed = allRuns().flatMap(
      (run) => (run.gate?.tasks ?? []).filter(({ outcome }) => outcome === "fail").map(({ key: key2 }) => ({ run, key: key2 }))
    );
    const gates = failed.length ? `a gate failed on ${failed.map(({ key: key2 }) => key2).slice(0, 2).join(", ")}` : "";
    if (drifts.length) {
      const more = [`${drifts[0].name} on ${drifts[0].key}`, gates].filter(Boolean).join("; ");
      return { question, answer: "Yes, a drift", more, link: linkTo("history", { of: String(drifts[0].of) }) };
    }
    if (failed.length) {
      const [{ run, key: key2 }] = failed;
      return { question, answer: "Yes, by a gate", more: gates, link: linkTo("model", { run: run.id, task: key2 }) };
    }
    const known = histories.findIndex(({ runs }) => sharedTasks(runs).length > 0);
    if (known < 0) return { question, answer: "Not known", more: "no model has two runs of one task", link: null };
    const tasks = sharedTasks(histories[known].runs).length;
    return {
      question,
      answer: "No drift seen",
      more: `${histories[known].name}: ${plural(histories[known].runs.length, "run")}, ${plural(tasks, "task")}`,
      link: linkTo("history", { of: String(known) })
    };
  }
  function sharedTasks(ids) {
    const keys = ids.flatMap(
      (id) => allRuns().find((run) => run.id === id)?.tasks.map((task) => task.key) ?? []
    );
    return [...new Set(keys.filter((key2, at) => keys.indexOf(key2) < at))];
  }
  function cost(rows) {
    const question = "What did it cost?";
    const [best] = rows;
    const known = Object.entries(report().costs).filter(([name]) => best.costs[name] !== null);
    const [first, ...others2] = known.map(
      ([name, head]) => name === "per_second" ? `${formatCost(name, best.costs[name])} questions/s` : `${formatCost(name, best.costs[name])} ${head}`
    );
    const more = others2.filter((words) => /memory|parameters|judge/.test(words)).join(", ");
    return { question, answer: first ?? "not measured", more, link: linkTo("leaderboard", { show: "cost" }) };
  }
  function questions(keys) {
    const rows = bestFirst();
    if (!rows.length || !keys.length) return null;
    const answers2 = [who(rows, keys), byHowMuch(rows, keys), where(rows, keys), worse(), cost(rows)];
    return h("nav", { class: "tiles questions", "aria-label": "Short answers" }, answers2.map(tile));
  }

  // views/board/recipes.ts
  var error = (value) => value.toFixed(2);
  var errorColumn = (head, of) => ({
    head,
    class: "number",
    cell: (row) => error(of(row)),
    plain: of
  });
  function recipeCard(recipes, keys) {
    const rows = recipes.flatMap(
      (recipe) => recipe.tasks.filter((score) => keys.includes(score.key)).map((score) => ({ recipe, score }))
    );
    if (!rows.length) return null;
    const columns3 = [
      {
        head: "recipe",
        class: "run",
        cell: ({ recipe }) => [dataText(recipe.name), h("span", { class: "under" }, plural(recipe.runs.length, "seed"))],
        plain: ({ recipe }) => recipe.name
      },
      { head: "task", cell: ({ score }) => dataText(score.key), plain: ({ score }) => score.key },
      { head: "metric", cell: ({ score }) => dataText(humanize(score.metric)), plain: ({ score }) => score.metric },
      {
        head: "mean over seeds",
        class: "number strong",
        cell: ({ score }) => [formatScore(score.value), h("span", { class: "under" }, formatInterval(score))],
        plain: ({ score }) => score.value
      },
      {
        head: "each seed",
        cell: ({ recipe, score }) => score.parts.values.map((value, place) => {
          const run = findRun(recipe.runs[place]);
          const text = formatScore(value);
          const link = run ? h("a", { href: linkTo("model", { run: run.id, task: score.key }) }, text) : text;
          return [place ? ", " : "", link];
        })
      },
      errorColumn("error: questions", ({ score }) => score.parts.between_questions),
      errorColumn("one seed's answers", ({ score }) => score.parts.within_questions),
      errorColumn("one seed as a whole", ({ score }) => score.parts.between_runs)
    ];
    const levels = formatLevels(rows.map(({ score }) => score.level));
    return card(
      "Recipes",
      `Models trained from several seeds. ${levels} intervals are over other questions and other seeds. More seeds make the last two errors smaller, not the first.`,
      null,
      dataTable("Means over training seeds", columns3, rows, { class: "overview" }, { name: "recipes" })
    );
  }

  // views/board/suites.ts
  var memberOf = ({ suite }, benchmark) => suite.members.find((member) => member.benchmark === benchmark);
  var sourceOfMember = (run, key2) => "cells" in run ? run.cells[key2] ?? null : run;
  var byAverage = (one, other) => (other.suite.bar.value ?? -Infinity) - (one.suite.bar.value ?? -Infinity) || 0;
  function columns(members) {
    const figures = members.map(({ benchmark, divide_by }) => ({
      head: [
        dataText(benchmark),
        divide_by === 1 ? null : h("span", { class: "under" }, `divided by ${divide_by}`)
      ],
      name: benchmark,
      class: "number",
      plain: (row) => memberOf(row, benchmark)?.figure ?? null,
      cell: (row) => {
        const member = memberOf(row, benchmark);
        const text = formatScore(member?.figure ?? null);
        const source = member?.task ? sourceOfMember(row.run, member.task) : null;
        return source ? h("a", { href: linkTo("model", { run: source.id, task: member?.task }) }, text) : text;
      }
    }));
    return [
      {
        head: "run",
        class: "run",
        plain: ({ run }) => run.label,
        cell: ({ run, suite }) => {
          const [only, ...others2] = "runs" in run ? run.runs : [run];
          const gate2 = others2.length ? null : gateOf(only, suite.key);
          return [
            h("a", { href: linkTo("model", { run: only.id }) }, dataText(run.label)),
            gate2 ? h("span", { class: `tag tag-${gate2.outcome}`, title: gate2.reason }, `gate: ${gate2.outcome}`) : null
          ];
        }
      },
      {
        head: "average",
        class: "number strong",
        plain: ({ suite }) => suite.bar.value,
        cell: ({ suite }) => [
          formatScore(suite.bar.value),
          h("span", { class: "under" }, suite.bar.value === null ? "" : formatInterval(suite.bar))
        ]
      },
      {
        head: "answered",
        class: "number",
        plain: ({ suite }) => suite.coverage,
        cell: ({ suite }) => coverageText(suite)
      },
      ...figures
    ];
  }
  var notes = (rows) => {
    const shared = (note) => rows.every(({ suite }) => suite.notes.includes(note));
    const texts = rows.flatMap(
      ({ run, suite }) => suite.notes.map((note) => shared(note) ? note : `${run.label}: ${note}`)
    );
    return [...new Set(texts)].map((text) => h("p", { class: "notice", role: "note" }, dataText(text)));
  };
  function suiteCards(runs) {
    const rows = runs.flatMap((run) => run.suites.map((suite) => ({ run, suite })));
    return [...new Set(rows.map(({ suite }) => suite.key))].map((key2) => {
      const own = rows.filter(({ suite: suite2 }) => suite2.key === key2).sort(byAverage);
      const { suite } = own[0];
      return card(
        dataText(key2),
        suite.title ? dataText(suite.title) : null,
        null,
        notes(own),
        dataTable(`Average of ${key2}`, columns(suite.members), own, { class: "overview suite" }, { name: key2 }),
        h(
          "p",
          { class: "hint" },
          suite.formula ? [dataText(`Average: ${suite.formula}. `)] : null,
          `Intervals are ${formatLevels(own.map((row) => row.suite.level))}, members taken as independent. List: `,
          dataText(suite.source)
        )
      );
    });
  }

  // lib/scatter_charts.ts
  function front(points) {
    let best = -Infinity;
    return [...points].sort((a, b) => a.x - b.x || b.least - a.least).filter(({ least }) => least > best && (best = least, true));
  }
  function paretoChart(points, { label: label2, xLabel, yLabel, format }) {
    const words = points.map((one) => `${one.label}: ${formatScore(one.y)} at ${format(one.x)}`);
    const costs = points.map((one) => one.x);
    const [least, most] = [Math.min(...costs), Math.max(...costs)];
    const spread = most > 20 * least;
    return chart(
      `${label2}. ${words.join("; ")}`,
      (width) => Plot.plot(
        plotFrame(width, 280, {
          x: {
            label: xLabel,
            type: spread ? "log" : "linear",
            domain: spread ? [least / 2, most * 2] : [Math.max(0, least - 0.3 * most), 1.2 * most],
            ticks: 4,
            tickFormat: format,
            labelArrow: "none"
          },
          y: { label: yLabel, ticks: 5, inset: 18, labelArrow: "none" },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.line(front(points), {
              x: "x",
              y: "y",
              curve: "step-after",
              stroke: "var(--muted)",
              strokeDasharray: "4 4"
            }),
            Plot.ruleX(
              points.filter((one) => one.low !== null),
              { x: "x", y1: "low", y2: "high", stroke: (one) => runColor(one.id) }
            ),
            Plot.dot(points, {
              x: "x",
              y: "y",
              r: 6,
              fill: (one) => runColor(one.id),
              stroke: "var(--surface)",
              strokeWidth: 1.5
            }),
            Plot.text(points, {
              x: "x",
              y: "y",
              text: (one) => shorten(one.label, Math.max(8, Math.floor(width / 26))),
              dy: -14,
              fill: "var(--ink)",
              stroke: "var(--surface)",
              strokeWidth: 3,
              fontSize: 11.5
            }),
            Plot.tip(
              points,
              Plot.pointer({
                x: "x",
                y: "y",
                title: (one) => `${one.label}
${formatScore(one.y)} at ${format(one.x)}`,
                ...TIP
              })
            )
          ]
        })
      ),
      280
    );
  }
  function reliabilityChart({ bins, error: error2 }) {
    const words = bins.map(
      (bin) => `confidence ${formatScore(100 * bin.confidence)} %: accuracy ${formatScore(100 * bin.right)} % of ${bin.count}`
    );
    const most = Math.max(...bins.map((bin) => bin.count));
    return chart(
      `Calibration. ${words.join("; ")}. Expected calibration error ${formatScore(100 * error2)} points.`,
      (width) => Plot.plot(
        plotFrame(width, 230, {
          marginLeft: 40,
          x: {
            label: "confidence, %",
            domain: [bins[0].low < 0.5 ? 0 : 50, 100],
            ticks: 5,
            labelArrow: "none"
          },
          y: { label: "accuracy, %", domain: [0, 100], ticks: 5, labelArrow: "none" },
          r: { range: [3, 10], domain: [0, most] },
          marks: [
            Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
            Plot.line(
              [
                [0, 0],
                [100, 100]
              ],
              { stroke: "var(--muted)", strokeDasharray: "4 4", clip: true }
            ),
            Plot.line(bins, {
              x: (bin) => 100 * bin.confidence,
              y: (bin) => 100 * bin.right,
              stroke: "var(--accent)"
            }),
            Plot.dot(bins, {
              x: (bin) => 100 * bin.confidence,
              y: (bin) => 100 * bin.right,
              r: "count",
              fill: "var(--accent)",
              stroke: "var(--surface)"
            }),
            Plot.tip(
              bins,
              Plot.pointer({
                x: (bin) => 100 * bin.confidence,
                y: (bin) => 100 * bin.right,
                title: (bin) => `${plural(bin.count, "answer")}
confidence ${formatScore(100 * bin.confidence)} %
accuracy ${formatScore(100 * bin.right)} %`,
                ...TIP
              })
            )
          ]
        })
      ),
      230
    );
  }

  // views/answer_panels.ts
  function yesNo(table) {
    const cell = (name, kind) => h("td", { class: `number ${kind}` }, formatCount(table[name]));
    const share = (value) => value === null ? "–" : `${(100 * value).toFixed(1)} %`;
    return panel(
      "Yes and no",
      `answered yes ${share(table.answered_yes)}, target yes ${share(table.target_yes)}`,
      h(
        "table",
        { class: "confusion" },
        h("caption", { class: "unseen" }, "Answers by target"),
        h(
          "thead",
          {},
          h("tr", {}, h("td", {}), h("th", { scope: "col" }, "answered yes"), h("th", { scope: "col" }, "answered no"))
        ),
        h(
          "tbody",
          {},
          h("tr", {}, h("th", { scope: "row" }, "target yes"), cell("yes_yes", "good"), cell("yes_no", "bad")),
          h("tr", {}, h("th", { scope: "row" }, "target no"), cell("no_yes", "bad"), cell("no_no", "good"))
        )
      ),
      table.unclear ? h("p", { class: "hint" }, `${formatCount(table.unclear)} without a clear yes or no`) : null
    );
  }
  function confusion(table, task) {
    const most = Math.max(1, ...table.rows.flat());
    const shade = (count) => `heat heat-${count ? Math.ceil(4 * count / most) : 0}`;
    return panel(
      "Confusion matrix",
      "rows: target; columns: parsed answer",
      dataTable(
        `Confusion matrix of ${task.key}`,
        [
          { head: "target", cell: (row) => dataText(row.label) },
          ...table.labels.map((label2, at) => ({
            head: dataText(shorten(label2, 14)),
            class: "number",
            cell: (row) => h("span", { class: shade(row.counts[at]) }, formatCount(row.counts[at])),
            plain: (row) => row.counts[at]
          })),
          { head: "other", class: "number", cell: (row) => formatCount(row.other), plain: (row) => row.other }
        ],
        table.labels.map((label2, at) => ({ label: label2, counts: table.rows[at], other: table.other[at] })),
        { class: "slim" }
      )
    );
  }
  var calibration = (stats) => panel(
    "Calibration",
    `expected calibration error ${formatScore(100 * stats.error)} points (${stats.of}; ${plural(stats.count, "answer")})`,
    reliabilityChart(stats)
  );
  function common(stats, task, run) {
    return panel(
      "Most common answers",
      "as parsed",
      dataTable(
        `Most common answers to ${task.key}`,
        [
          {
            head: "answer",
            plain: (one) => one.answer,
            cell: (one) => h(
              "a",
              { href: linkTo("samples", { run: run.id, task: task.key, q: one.answer }) },
              one.answer ? dataText(shorten(one.answer, 40)) : h("em", {}, "empty")
            )
          },
          { head: "count", class: "number", cell: (one) => formatCount(one.count), plain: (one) => one.count },
          { head: "right", class: "number", cell: (one) => `${Math.round(100 * one.right / one.count)} %` }
        ],
        stats.common,
        { class: "slim" }
      )
    );
  }
  function lengths({ lengths: bins, median_words: median }) {
    const [first] = bins;
    return bins.length > 1 ? panel("Answer length", `words per answer, median ${median}`, lengthHistogram(bins)) : panel(
      "Answer length",
      `${first.label} ${first.label === "1" ? "word" : "words"} per answer`,
      h("p", {}, `All ${formatCount(first.count)} answers.`)
    );
  }
  var answerPanels = (run, task, stats) => [
    stats.yes_no ? yesNo(stats.yes_no) : null,
    stats.confusion ? confusion(stats.confusion, task) : null,
    stats.calibration ? calibration(stats.calibration) : null,
    stats.words ? lengths(stats) : null,
    stats.common.some((one) => one.count > 1) ? common(stats, task, run) : null
  ].filter((panel2) => panel2 !== null);
  function breakdownPanel(task, { name, bars: bars2 }) {
    const label2 = `${task.key} by ${humanize(name)}`;
    const most = 30;
    const rest = bars2.slice(most);
    return panel(
      h("span", {}, "By ", dataText(humanize(name))),
      shrunkHint(bars2),
      barChart(bars2.slice(0, most), label2),
      rest.length ? h("details", {}, h("summary", {}, `${rest.length} more`), barChart(rest, label2)) : null
    );
  }
  var judgePanel = ({ judge: judge2, judging }) => judging?.runs ? panel(
    "Judge",
    judging.in_intervals ? "Intervals include the variance between judge runs." : "Intervals do not include the variance between judge runs.",
    factList([
      ["judge", judge2?.name],
      ["reported model", (judging.models ?? []).join(", ")],
      ["runs", judging.runs],
      ["score by run", (judging.run_values ?? []).map((value) => formatScore(value)).join(", ")],
      ["standard deviation", judging.std === null ? null : formatScore(judging.std, 2)],
      [
        "Krippendorff's alpha",
        judging.krippendorff_alpha === null ? null : formatScore(judging.krippendorff_alpha, 3)
      ],
      ["verdicts", formatCount(judging.verdicts)],
      ["failed", judging.failed || null],
      ["prompt", judging.prompt_hash]
    ])
  ) : null;
  function estimated({ metric }, one, signed = false) {
    const digits = metric === "mean grade" ? 2 : 1;
    const value = signed ? formatSigned(one.value, digits) : formatScore(one.value, digits);
    return `${value} (${formatScore(one.low, digits)} – ${formatScore(one.high, digits)})`;
  }
  var labelLines = (labels) => !labels ? [] : labels.value && labels.bias ? [
    `with ${plural(labels.labels, "label")}: ${estimated(labels, labels.value)}`,
    `judge's bias ${estimated(labels, labels.bias, true)}, kappa ${formatScore(labels.kappa, 2)}`
  ] : [`${plural(labels.labels, "label")}: too few for an estimate`];
  var labelPanel = ({ labels }) => labels ? panel(
    "Judge and people",
    labels.note ?? `${humanize(labels.metric)}: prediction-powered estimate of people's mean grade over all answers.`,
    factList([
      ["judge and labels", labels.value && estimated(labels, labels.value)],
      ["labels alone", labels.people && estimated(labels, labels.people)],
      ["judge alone", formatScore(labels.judge, labels.metric === "mean grade" ? 2 : 1)],
      ["judge's bias", labels.bias && estimated(labels, labels.bias, true)],
      ["weighted kappa", formatScore(labels.kappa, 2)],
      ["Krippendorff's alpha", formatScore(labels.krippendorff_alpha, 2)],
      ["labels", formatCount(labels.labels)],
      ["more that halve the width", labels.needed ? formatCount(labels.needed) : null]
    ])
  ) : null;
  function protocolFacts(task, more) {
    const settings = Object.entries(more.generation).filter(([, value]) => value !== null && String(value) !== "").map(([name, value]) => `${humanize(name)} ${value}`).join(", ");
    return factList([
      ["protocol", task.protocol],
      ["task version", task.version],
      ["note", more.note],
      ["source", more.source],
      ["generation", settings],
      ["judge", more.judge?.name],
      ["judge's prompt", more.judge?.prompt_hash],
      ["questions", formatCount(task.count)],
      ["images", more.images || null]
    ]);
  }

  // views/board/task_board.ts
  function differing(rows) {
    const aspects = {
      data: dataLabel,
      questions: (task) => task.hashes.samples,
      version: (task) => task.version
    };
    const names = Object.entries(aspects).filter(([, of]) => new Set(rows.map(({ task }) => of(task))).size > 1).map(([name]) => name);
    return promptsDiffer(rows) ? [...names, "prompts"] : names;
  }
  var rankOf = (key2, row) => report().columns[key2]?.ranks[row.id] ?? null;
  var rankText2 = (rank) => rank === null ? "–" : rank[0] === rank[1] ? `${rank[0]}` : `${rank[0]}–${rank[1]}`;
  var sortKeys = () => ({
    rank: ({ rank }) => rank ? rank[0] * 1e3 + rank[1] : null,
    score: ({ bar }) => bar.bounds ? bar.bounds[0] : bar.value,
    // missing answers lift no run
    run: (row) => nameOf(row).toLowerCase(),
    n: ({ task }) => task?.coverage ?? null,
    ...Object.fromEntries(
      Object.keys(report().costs).map((name) => [name, ({ row }) => row?.costs[name] ?? null])
    ),
    per_second: ({ task }) => task?.per_second ?? null
  });
  var nameOf = (row) => row.row?.label ?? row.paper?.model ?? "";
  function sorted2(rows, by, down) {
    const keys = sortKeys();
    const of = Object.hasOwn(keys, by) ? keys[by] : keys.score;
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    return [...rows].sort((one, other) => {
      const [a, b] = [of(one), of(other)];
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return down ? order(b, a) : order(a, b);
    });
  }
  var costColumns2 = (rows) => Object.entries(report().costs).filter(([name]) => rows.some(({ row }) => row && row.costs[name] !== null)).map(([name, head]) => {
    const of = ({ row, task }) => row ? name === "per_second" ? task.per_second : row.costs[name] : null;
    return {
      key: name,
      down: name === "per_second",
      head,
      small: head,
      class: "number",
      cell: (row) => formatCost(name, of(row)),
      plain: of
    };
  });
  var gateMark = (gate2) => gate2 ? h("span", { class: `tag tag-${gate2.outcome}`, title: gate2.reason }, `gate: ${gate2.outcome}`) : null;
  var runCell = ({ row, run, paper, task }) => row ? [
    h("a", { href: linkTo("model", { run: run.id, task: task.key }) }, dataText(row.label)),
    gateMark(gateOf(run, task.key))
  ] : [h("span", {}, paper.model), h("span", { class: "tag" }, "published")];
  var sourceOf2 = (paper) => [
    h(
      "span",
      { class: "under wrap" },
      `${humanize(paper.metric)}, protocol ${paper.protocol || "not known"}; ${paper.source}; ${paper.certainty}`
    ),
    h(
      "span",
      { class: `under wrap ${paper.why ? "lacking" : ""}` },
      paper.why ? `not comparable: ${paper.why}` : "comparable: same benchmark, split, protocol and metric"
    )
  ];
  function columns2(key2, task, rows, domain) {
    const intervalName = intervalHead(rows.flatMap((row) => row.task?.level ?? []));
    return [
      {
        key: "run",
        head: "run",
        class: "run",
        cell: runCell,
        plain: (row) => row.row ? row.row.label : `${row.paper.model} (published)`
      },
      {
        key: "rank",
        head: "rank",
        small: "rank",
        class: "number",
        cell: ({ rank, run }) => run ? rankText2(rank) : "–",
        plain: ({ rank }) => rank ? rankText2(rank) : null
      },
      {
        key: "score",
        down: true,
        head: humanize(task.headline),
        class: "number strong",
        cell: ({ bar, run, task: one }) => [
          formatScore(bar.value),
          run ? h("span", { class: "under" }, formatInterval(bar)) : null,
          bar.bounds ? h(
            "span",
            { class: "under" },
            `${formatScore(bar.bounds[0])} – ${formatScore(bar.bounds[1])} counting missing answers`
          ) : null,
          one ? labelLines(one.labels).map((line2) => h("span", { class: "under" }, line2)) : null,
          bar.bounds_interval ? h(
            "span",
            { class: "under" },
            `${formatScore(bar.bounds_interval[0])} – ${formatScore(bar.bounds_interval[1])} with their interval`
          ) : null,
          one ? notesMark(one) : null
        ],
        plain: ({ bar }) => bar.value
      },
      {
        head: "gap to the best",
        small: "gap",
        class: "number",
        cell: ({ row }) => row ? gapLines(report().columns[key2], row) : "–",
        plain: ({ row }) => row ? gapOf(report().columns[key2], row)?.value ?? null : null
      },
      {
        head: [h("span", { class: "axis-name" }, intervalName), intervalAxis(domain)],
        name: intervalName,
        class: "whisker",
        cell: (row) => intervalChart(row.bar, domain, nameOf(row), row.row ? runColor(row.row.id) : "var(--muted)"),
        plain: ({ bar }) => bar.low === null ? null : `${bar.low} to ${bar.high}`
      },
      {
        key: "n",
        down: true,
        head: "answered",
        small: "answered",
        class: "number",
        cell: ({ task: one }) => one ? [
          coverageText(one),
          h("span", { class: "under" }, `of ${formatCount(one.count)}`),
          one.coverage < 1 ? statusChips(one, true) : null
        ] : "–",
        plain: ({ task: one }) => one?.coverage ?? null
      },
      ...costColumns2(rows),
      {
        head: h("span", { class: "unseen" }, "samples"),
        class: "go",
        plain: null,
        cell: ({ row, run, task: one }) => row ? h(
          "a",
          {
            href: linkTo("samples", { run: run.id, task: key2 }),
            "aria-label": `Samples of ${row.label} on ${one.key}`
          },
          "samples"
        ) : null
      }
    ];
  }
  function rowsOf(key2, params) {
    const words = (params.get("q") ?? "").toLowerCase().trim();
    const fits = (name) => !words || name.toLowerCase().includes(words);
    const runs = rowsOn(key2).map((one) => ({ ...one, bar: one.task.bar, rank: rankOf(key2, one.row) })).filter(({ row }) => fits(row.label));
    const which = params.get("published") ?? "comparable";
    const figures = which === "none" ? [] : report().published[key2] ?? [];
    const papers = figures.filter((paper) => (which === "all" || !paper.why) && fits(paper.model)).map((paper) => ({
      paper,
      rank: null,
      marked: paper.why ? "published published-faint" : "published",
      spans: { from: 5, node: sourceOf2(paper) },
      bar: { name: paper.metric, label: "", value: paper.value, low: null, high: null, n: 0 }
    }));
    return { runs, papers };
  }
  function board2(key2, params, { title = true } = {}) {
    const { runs, papers } = rowsOf(key2, params);
    if (!runs.length) return null;
    const fitting = papers.filter(({ paper }) => paper.metric === runs[0].task.headline);
    const domain = runs.length + papers.length > 1 ? zoomedDomain([...runs, ...fitting].map(({ bar }) => bar)) : valueDomain([runs[0].bar]);
    const { task } = runs[0];
    const differ = differing(runs);
    const by = params.get("sort") ?? "score";
    const down = (params.get("dir") ?? (by === "score" ? "down" : "up")) === "down";
    const go = (now, turned2) => changeParams({
      sort: now === "score" && turned2 ? null : now,
      dir: now === "score" && turned2 ? null : turned2 ? "down" : "up"
    });
    const paired = report().columns[key2]?.paired;
    const facts2 = [
      ["headline", humanize(task.headline)],
      ["protocol", task.protocol],
      ["data", dataLabel(task)]
    ];
    const mini = h(
      "dl",
      { class: "mini" },
      facts2.map(
        ([name, value]) => h(
          "div",
          { class: name === "data" && task.embedded ? "mini-loud" : "" },
          h("dt", {}, name),
          h("dd", {}, dataText(value))
        )
      )
    );
    const hidden = (report().published[key2]?.length ?? 0) - papers.length;
    const heading = title ? h("a", { href: linkTo("task", { task: key2 }) }, dataText(key2)) : "Runs";
    return card(
      heading,
      title && task.title ? dataText(task.title) : null,
      mini,
      differ.length ? h(
        "p",
        { class: "notice", role: "note" },
        h("strong", {}, "Not the same test. "),
        `These runs differ in: ${differ.join(", ")}.`
      ) : null,
      dataTable(
        `Runs on ${key2}`,
        columns2(key2, task, [...runs, ...papers], domain),
        sorted2([...runs, ...papers], by, down),
        { class: "board" },
        { sort: { by, down, go }, name: key2 }
      ),
      h(
        "p",
        { class: "hint" },
        runs.length > 1 ? `Ranks are ranges: runs are told apart by ${paired ? "paired tests on the same questions" : "tests of the difference between two scores"} (5 % per task, Holm-corrected over its pairs), with missing answers taken to be wrong in the better run and right in the other. ` : null,
        hidden > 0 ? h("a", { href: published("all") }, `${plural(hidden, "published figure")} not shown`) : null
      )
    );
  }
  function published(which) {
    const { view, params } = currentRoute();
    params.set("published", which);
    return linkTo(view, params);
  }

  // views/board/leaderboard.ts
  var MOST_BOARDS = 6;
  var select = (field2) => field2.lastChild;
  function controls(keys) {
    let typing = 0;
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Filter models by name",
      "aria-label": "Filter models by name",
      autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => changeParams({ q: search.value }, { replace: true }), 150);
      }
    });
    const task = choiceField("board of one task", "task", "", [
      ["", "all"],
      ...keys.map((key2) => [key2, key2])
    ]);
    const papers = choiceField("published figures", "published", "", [
      ["", "comparable ones"],
      ["all", "all"],
      ["none", "none"]
    ]);
    const update = (params) => {
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      select(task).value = params.get("task") ?? "";
      select(papers).value = params.get("published") ?? "";
    };
    const form = {
      class: "filters filter-row",
      role: "search",
      "aria-label": "Filter",
      onsubmit: (event) => event.preventDefault()
    };
    return { node: h("form", form, search, task, papers), update };
  }
  var leaderboardView = {
    title: () => "Leaderboard",
    same: () => "",
    build: (main2) => {
      const { built } = report();
      const rows = boardRows();
      const keys = taskKeys();
      const tasks = rows.flatMap((row) => row.tasks);
      const answers2 = tasks.reduce((sum, task) => sum + task.count, 0);
      const made = new Set(rows.flatMap((row) => row.runs)).size;
      const bar = controls(keys);
      const boards = h("div", { class: "stack" });
      main2.append(
        pageFrame(
          "Leaderboard",
          `${plural(rows.length, "model")} from ${plural(made, "run")} on ${plural(keys.length, "task")}, ${plural(answers2, "answer")}. Intervals are ${formatLevels(tasks.map((task) => task.level))}, clustered by image. Built ${built}.`,
          h("a", { class: "button", href: "exports/leaderboard.csv", download: true }, "Save as CSV"),
          sampleNotice(tasks),
          questions(keys),
          bar.node,
          boards
        )
      );
      return {
        update: (params) => {
          bar.update(params);
          const only = params.get("task");
          const words = (params.get("q") ?? "").toLowerCase().trim();
          const fitting = bestFirst(rows.filter((row) => row.label.toLowerCase().includes(words)));
          const focus = document.activeElement?.dataset;
          const shown2 = only ? keys.filter((key2) => key2 === only) : keys.length <= MOST_BOARDS ? keys : [];
          const before = boards.querySelector(".pinned");
          const place = before && [before.scrollLeft, before.scrollTop];
          const parts2 = [
            only ? null : overview(fitting, keys, params),
            recipeCard(report().recipes, only ? [only] : keys),
            ...only ? [] : suiteCards(fitting),
            ...shown2.map((key2) => board2(key2, params))
          ].filter((part4) => part4 !== null);
          boards.replaceChildren(
            ...parts2.length ? parts2 : [h("p", { class: "nothing" }, "No model matches this filter.")]
          );
          if (place) boards.querySelector(".pinned")?.scrollTo({ left: place[0], top: place[1] });
          for (const [name, value] of Object.entries({ sort: focus?.sort, view: focus?.view, column: focus?.column }))
            if (value)
              boards.querySelector(`[data-${name}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
        }
      };
    }
  };

  // lib/training_curves.ts
  function lines(title, series, hint) {
    const points = Object.entries(series).flatMap(
      ([name, line2]) => line2.step.map((step, at) => ({ name, step, value: line2.value[at] }))
    );
    return points.length ? [h("p", { class: "hint" }, hint), lineChart(title, points)] : [];
  }
  var extras = (stage) => [
    ...lines(`Learning rate of stage ${stage.name}`, rates(stage), "learning rate"),
    ...lines(`Gradient norms of stage ${stage.name}`, stage.grad_norms ?? {}, "gradient norm, by part"),
    ...lines(`Evaluation during stage ${stage.name}`, stage.eval ?? {}, "evaluation during training, by task")
  ];
  var rates = ({ step, lr }) => lr?.length ? { lr: { step, value: lr } } : {};
  var trainingPanels = (stages) => h(
    "div",
    { class: "panels" },
    stages.filter((stage) => stage.step.length).map(
      (stage) => h(
        "section",
        { class: "panel" },
        h("h3", {}, dataText(humanize(stage.name))),
        h(
          "p",
          { class: "hint" },
          `loss, ${formatScore(stage.loss[0], 2)} → ${formatScore(stage.loss[stage.loss.length - 1], 3)} in ${plural(stage.step[stage.step.length - 1], "step")}`
        ),
        lossCurve(stage),
        ...extras(stage)
      )
    )
  );

  // views/latency.ts
  var PARTS = {
    vision_tower: "var(--c0)",
    connector: "var(--c1)",
    language_model: "var(--c2)",
    rest: "var(--c7)"
  };
  var milliseconds = (seconds) => formatScore(1e3 * seconds, 2);
  var label = (one) => `${one.words} words, ${one.pixels} px, ${one.answers}×`;
  var column = (head, cell, plain) => ({
    head,
    class: "number",
    cell,
    plain
  });
  var COLUMNS = [
    column(
      "words",
      (one) => String(one.words),
      (one) => one.words
    ),
    column(
      "pixels",
      (one) => String(one.pixels),
      (one) => one.pixels
    ),
    column(
      "answers",
      (one) => String(one.answers),
      (one) => one.answers
    ),
    column(
      "prompt tokens",
      (one) => one.prompt_tokens ? String(one.prompt_tokens) : "–",
      (one) => one.prompt_tokens
    ),
    column(
      "first token, ms",
      (one) => `${milliseconds(one.first)} (${one.first_range.map(milliseconds).join(" – ")})`,
      (one) => 1e3 * one.first
    ),
    column(
      "CPU, ms",
      (one) => milliseconds(one.cpu),
      (one) => 1e3 * one.cpu
    ),
    column(
      "per token, ms",
      (one) => milliseconds(one.per_token),
      (one) => 1e3 * one.per_token
    )
  ];
  function bars(measured) {
    const pieces = measured.flatMap(
      (one) => Object.entries(one.parts).map(([part4, seconds]) => ({ setting: label(one), part: part4, value: 1e3 * seconds }))
    );
    const said = (piece) => `${humanize(piece.part)}: ${formatScore(piece.value, 2)} ms`;
    return chart(
      `Milliseconds to the first token, by part. ${pieces.map((piece) => `${piece.setting}, ${said(piece)}`).join("; ")}`,
      (width) => Plot.plot({
        className: "plot",
        style: { fontSize: "11px" },
        width,
        height: 40 + 24 * measured.length,
        marginLeft: Math.min(170, width * 0.45),
        x: { label: "milliseconds to the first token", ticks: width < 360 ? 3 : 5 },
        y: { label: null, domain: measured.map(label) },
        color: { domain: Object.keys(PARTS), range: Object.values(PARTS), legend: false },
        marks: [
          Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
          Plot.barX(pieces, { x: "value", y: "setting", fill: "part" }),
          Plot.tip(pieces, Plot.pointerY(Plot.stackX({ x: "value", y: "setting", z: "part", title: said, ...TIP })))
        ]
      }),
      40 + 24 * measured.length
    );
  }
  var legend3 = () => h(
    "p",
    { class: "chips" },
    Object.entries(PARTS).map(([part4, color]) => {
      const mark = h("span", {}, "■ ");
      mark.style.color = color;
      return h("span", { class: "chip" }, mark, humanize(part4));
    })
  );
  var latencyCard = (measured) => card(
    "Latency",
    null,
    null,
    h(
      "div",
      { class: "panels" },
      panel("By setting", null, dataTable("Latency by setting", COLUMNS, measured, { class: "slim" })),
      measured.some((one) => Object.keys(one.parts).length) ? panel("Time to the first token, by part", null, legend3(), bars(measured)) : null
    )
  );

  // views/model.ts
  var tile2 = (name, value, hint = null, kind = "") => h(
    "div",
    { class: `tile ${kind}` },
    h("span", { class: "tile-name" }, name),
    h("span", { class: "tile-value" }, value),
    hint ? h("span", { class: "hint" }, hint) : null
  );
  function taskPart(run, task, more) {
    const { bar } = task;
    return card(
      h("a", { href: linkTo("task", { task: task.key, run: run.id }) }, dataText(task.key)),
      task.title ? dataText(task.title) : null,
      h(
        "a",
        { class: "button", href: linkTo("samples", { run: run.id, task: task.key }) },
        `See all ${formatCount(task.count)} samples`
      ),
      notesList(task),
      h(
        "div",
        { class: "tiles" },
        tile2(
          dataText(humanize(task.headline)),
          formatScore(bar.value),
          `${formatLevels([task.level])}: ${formatInterval(bar)}`,
          "tile-main"
        ),
        tile2("coverage", coverageText(task), statusChips(task)),
        tile2(
          "questions/s",
          speedText(task, ""),
          more.answer_stats.seconds ? `${formatSeconds(more.answer_stats.seconds)} for ${plural(task.count, "question")}` : ""
        ),
        h(
          "div",
          { class: `tile ${task.embedded ? "tile-loud" : ""}` },
          h("span", { class: "tile-name" }, "data"),
          h("span", { class: "tile-words" }, dataText(dataLabel(task))),
          h("span", { class: "hint" }, task.embedded ? "not comparable with papers" : "")
        )
      ),
      h(
        "div",
        { class: "panels" },
        panel("Metrics", null, metricsTable(task, more.metrics)),
        judgePanel(more),
        labelPanel(more),
        more.breakdowns.map((one) => breakdownPanel(task, one)),
        answerCounts(more),
        answerPanels(run, task, more.answer_stats),
        panel(
          "Protocol",
          null,
          protocolFacts(task, more),
          more.prompt ? [
            h("p", { class: "hint" }, "A prompt, word for word:"),
            h("pre", { class: "quote", tabindex: "0" }, dataText(more.prompt))
          ] : null
        )
      )
    );
  }
  var numberOf = (fact) => typeof fact === "number" ? fact : null;
  var PARTS2 = ["vision_tower", "connector", "language_model"];
  function parts({ facts: facts2 }) {
    const names = [
      .../* @__PURE__ */ new Set([...PARTS2, ...Object.keys(facts2).map((name) => name.match(/^parameters_(.+)$/)?.[1])])
    ].filter((name) => Boolean(name) && facts2[`parameters_${name}`] !== void 0);
    if (!names.length) return null;
    const amount = (name, format) => {
      const known = numberOf(facts2[name]);
      return known === null ? "–" : format(known);
    };
    const rows = [...names.map((name) => ({ name, key: `_${name}` })), { name: "all", key: "" }];
    return panel(
      "Parts",
      null,
      dataTable(
        "Parts of the model",
        [
          { head: "part", cell: (row) => humanize(row.name) },
          {
            head: "parameters",
            class: "number",
            cell: (row) => amount(`parameters${row.key}`, formatAmount),
            plain: (row) => numberOf(facts2[`parameters${row.key}`])
          },
          {
            head: "weights",
            class: "number",
            cell: (row) => amount(`weight_bytes${row.key}`, formatBytes),
            plain: (row) => numberOf(facts2[`weight_bytes${row.key}`])
          }
        ],
        rows,
        { class: "slim" }
      )
    );
  }
  function costTiles(run) {
    const known = Object.entries(report().costs).filter(([name]) => run.costs[name] !== null);
    return known.length ? h(
      "div",
      { class: "tiles" },
      known.map(([name, text]) => tile2(text, formatCost(name, run.costs[name])))
    ) : null;
  }
  function mean(details, name) {
    const known = Object.entries(details.tasks).flatMap(
      ([key2, { answer_stats }]) => answer_stats[name] ? [`${answer_stats[name].toFixed(1)} (${key2})`] : []
    );
    return known.length ? known.join(", ") : null;
  }
  function about(run, details) {
    const { model, hardware: machine, code } = details;
    const facts2 = Object.entries({ ...model.facts, ...model.settings }).filter(
      ([name, value]) => !/^(training_log|parameters|weight_bytes|peak_memory_bytes|seconds_per_)/.test(name) && value !== "" && value !== null
    ).map(([name, value]) => [
      humanize(name),
      typeof value === "number" && Math.abs(value) >= 1e4 ? formatAmount(value) : String(value)
    ]);
    const commit = code?.commit ? `${code.commit.slice(0, 12)}${code.changed ? ", changed" : ""}` : null;
    return card(
      "About this run",
      null,
      null,
      costTiles(run),
      h(
        "div",
        { class: "panels" },
        parts(model),
        panel("Model", null, factList([["name", model.name], ["weights", model.fingerprint.slice(0, 16)], ...facts2])),
        panel(
          "Run",
          null,
          factList([
            ["folder", details.folder],
            ["started", details.started],
            ["finished", details.finished],
            ["seed", details.seed],
            ["limit", run.limit],
            ["perturbation", run.perturbation],
            ["vlmbench", details.vlmbench],
            ["code", commit],
            ["judge", details.judge?.name],
            ["prompt tokens per question", mean(details, "prompt_tokens")],
            ["new tokens per question", mean(details, "new_tokens")]
          ]),
          details.command ? [
            h("p", { class: "hint" }, "Run it again:"),
            h("pre", { class: "quote", tabindex: "0" }, dataText(details.command))
          ] : null
        ),
        panel(
          "Machine and packages",
          null,
          factList([
            ["processor", machine?.processor || machine?.machine],
            ["cores", machine?.cores],
            ["threads", machine?.threads],
            ["GPU", machine?.gpu],
            ["memory", machine?.memory_bytes ? formatBytes(machine.memory_bytes) : null],
            ...Object.entries(details.packages ?? {})
          ])
        )
      )
    );
  }
  var gate = (run, tasks) => tasks.map((task) => gateOf(run, task.key)).filter((result) => result !== null).map(
    ({ key: key2, outcome, reason }) => h(
      "p",
      { class: `notice notice-${outcome}`, role: "note" },
      h("strong", {}, "Gate on ", dataText(key2), `: ${outcome}. `),
      dataText(reason ?? "")
    )
  );
  function otherRuns(run) {
    const row = rowOf(run.id);
    if (!row || row.runs.length < 2) return null;
    const hidden = run.tasks.filter((task) => row.cells[task.key] !== run).map((task) => task.key);
    const link = (other) => h(
      "a",
      {
        class: "chip",
        href: linkTo("model", { run: other.id }),
        title: other.tasks.map((task) => task.key).join(", ")
      },
      `${(other.finished ?? other.id).slice(0, 16).replace("T", " ")}, ${plural(other.tasks.length, "task")}`
    );
    return h(
      "div",
      { class: "other-runs" },
      h(
        "p",
        { class: "hint" },
        "On the leaderboard ",
        dataText(row.label),
        ` is one row of ${row.runs.length} runs. `,
        hidden.length ? `Another run is shown there for ${shorten(hidden.join(", "), 120)}.` : null
      ),
      h("p", { class: "chips" }, row.runs.filter((other) => other !== run).map(link))
    );
  }
  var modelView = {
    title: (params) => findRun(params.get("run"))?.label ?? "Model",
    needs: (params) => findRun(params.get("run")) ? [`run-${params.get("run")}`] : [],
    build: (main2, params) => {
      const run = params.has("run") ? findRun(params.get("run")) : null;
      if (!run) return void main2.append(notFound("There is no such run in this report."));
      const details = detailsOf(run);
      const only = findTask(run, params.get("task"));
      const tab = (key2) => h(
        "a",
        {
          href: linkTo("model", { run: run.id, task: key2 }),
          "aria-current": (only?.key ?? "") === key2 ? "page" : null
        },
        key2 ? dataText(key2) : "All"
      );
      const line2 = [
        run.finished ? `finished ${run.finished}` : null,
        `weights ${run.fingerprint.slice(0, 12)}`,
        run.limit ? `limit ${run.limit}` : null
      ];
      main2.append(
        pageFrame(
          dataText(run.label),
          line2.filter(Boolean).join(" · "),
          allRuns().length > 1 ? choiceField(
            "run",
            "run",
            run.id,
            allRuns().map((one) => [one.id, one.label]),
            (id) => {
              location.hash = linkTo("model", { run: id });
            }
          ) : null,
          sampleNotice(run.tasks),
          otherRuns(run),
          gate(run, only ? [only] : run.tasks),
          run.tasks.length > 1 ? h(
            "nav",
            { class: "tabs", "aria-label": "Tasks of this run" },
            tab(""),
            run.tasks.map((task) => tab(task.key))
          ) : null,
          only ? null : suiteCards([run]),
          (only ? [only] : run.tasks).map((task) => taskPart(run, task, details.tasks[task.key])),
          details.training?.length ? card("Training", null, null, trainingPanels(details.training)) : null,
          details.latency?.length ? latencyCard(details.latency) : null,
          about(run, details)
        )
      );
    }
  };

  // views/perturbations.ts
  var summed = ({ one, other }) => Math.max(one.bar.value ?? 0, other.bar.value ?? 0) > 100;
  var flipColumn = (name) => ({
    head: name,
    class: "number",
    cell: (row) => row.flips ? formatCount(row.flips[name]) : "–",
    plain: (row) => row.flips?.[name] ?? null
  });
  var skipped = (run) => Object.entries(run.skipped).flatMap(
    ([key2, reasons]) => Object.entries(reasons).map(
      ([why, count]) => h("p", { class: "hint" }, `${key2}: ${plural(count, "question")} skipped: ${why}`)
    )
  );
  var changedImages = (run) => {
    const sheets = run.changed.filter(({ sheet }) => /^[0-9a-f]{16}$/.test(sheet));
    if (!sheets.length) return null;
    const sizes = ({ largest, factor }) => factor ? `unperturbed, perturbed, difference × ${factor} (at most ${largest} of 255)` : "unperturbed, perturbed";
    return h(
      "div",
      { class: "changed-images" },
      sheets.map(
        (one) => h(
          "figure",
          {},
          h("img", {
            src: `images/${one.sheet.slice(0, 2)}/${one.sheet}.png`,
            alt: `Image under ${run.perturbation}: ${sizes(one)}`,
            loading: "lazy"
          }),
          h("figcaption", { class: "hint" }, dataText(one.task), ": ", dataText(one.question), h("br"), sizes(one))
        )
      )
    );
  };
  function overview2(base, runs) {
    if (runs.length < 2) return null;
    const keys = base.tasks.map((task) => task.key);
    const of = (run, key2) => findTask(run, key2) ? headlineDifference(base, run, key2) : null;
    const rows = runs.flatMap((run) => keys.flatMap((key2) => of(run, key2) ?? []));
    const shown2 = ({ value, low, high, significant }) => [
      h("span", { class: significant ? "strong" : "" }, formatSigned(value)),
      h("span", { class: "under" }, low === null ? "–" : `${formatSigned(low)} to ${formatSigned(high)}`)
    ];
    return card(
      "Overview",
      `Differences from the unperturbed run, with ${formatLevels(levelsOf(rows))} intervals. Bold: p below 5 %, Holm-corrected over all perturbations and tasks. –: does not apply to the task.`,
      null,
      dataTable(
        "Differences under every perturbation",
        [
          {
            head: "perturbation",
            class: "run",
            cell: (run) => dataText(run.perturbation),
            plain: (run) => run.perturbation
          },
          ...keys.map((key2) => ({
            head: dataText(key2),
            name: key2,
            class: "number",
            cell: (run) => {
              const row = of(run, key2);
              return row ? shown2(row) : "–";
            },
            plain: (run) => of(run, key2)?.value ?? null
          }))
        ],
        runs,
        { class: "overview" }
      )
    );
  }
  function part2(base, run) {
    const keys = base.tasks.map((task) => task.key).filter((key2) => findTask(run, key2));
    const rows = keys.map((key2) => headlineDifference(base, run, key2)).filter((row) => row.value !== null);
    return card(
      dataText(run.perturbation),
      `Change of the headline metric on the same questions${run.change ? `: ${run.change}` : ""}.`,
      null,
      [rows.filter((row) => !summed(row)), rows.filter(summed)].filter((some) => some.length).map((some) => differenceChart(some, `Differences under ${run.perturbation}`)),
      dataTable(
        `Differences under ${run.perturbation}`,
        [
          {
            head: "task",
            cell: (row) => h("a", { href: linkTo("compare", { a: base.id, b: run.id, task: row.key }) }, dataText(row.key))
          },
          { head: "metric", cell: (row) => humanize(row.one.headline) },
          ...differenceColumns("unperturbed", run.perturbation, rows),
          flipColumn("gained"),
          flipColumn("lost")
        ],
        rows,
        { class: "slim" }
      ),
      changedImages(run),
      skipped(run)
    );
  }
  function chosen2(params) {
    const { perturbed } = report();
    return perturbed.find((one) => one.base === params.get("run")) ?? (params.has("run") ? null : perturbed[0]);
  }
  var perturbationsView = {
    title: () => "Perturbations",
    needs: (params) => {
      const entry = chosen2(params);
      return (entry?.runs ?? []).flatMap((run) => pairFile(entry?.base ?? "", run)?.name ?? []);
    },
    build: (main2, params) => {
      const entry = chosen2(params);
      const base = findRun(entry?.base);
      if (!entry || !base) return void main2.append(notFound("This report holds no perturbed runs."));
      const { perturbed } = report();
      const runs = entry.runs.map(findRun).filter((run) => run !== void 0);
      main2.append(
        pageFrame(
          "Perturbations",
          [
            h("a", { href: linkTo("model", { run: base.id }) }, dataText(base.label)),
            " against itself under perturbations: a score that survives without the image needs no vision; one that small changes lower is fragile."
          ],
          perturbed.length > 1 ? choiceField(
            "run",
            "run",
            entry.base,
            perturbed.map((one) => [one.base, findRun(one.base)?.label ?? one.base])
          ) : null,
          sampleNotice(base.tasks),
          overview2(base, runs),
          runs.map((run) => part2(base, run))
        )
      );
    }
  };

  // views/filters.ts
  var MOST_OPTIONS = 300;
  var MOST_SELECTS = 7;
  var ORDERS = {
    "": { label: "original order" },
    margin: { label: "smallest margin first", by: (records) => (row) => records.margin[row] ?? Infinity },
    longest: { label: "longest answer first", by: (records) => (row) => -records.length[row] },
    slowest: { label: "slowest first", by: (records) => (row) => -(records.seconds[row] ?? 0) }
  };
  var imageName = (params) => params.get("image") ?? params.get("picture");
  function filteredRows(records, params) {
    const tests = [];
    const words = (params.get("q") ?? "").toLowerCase().trim();
    if (params.get("is")) tests.push((row) => records.verdict(row) === params.get("is"));
    if (params.get("status")) tests.push((row) => records.status(row) === params.get("status"));
    const name = imageName(params);
    if (name) tests.push((row) => records.images(row).some((image) => image.name === name));
    for (const tag of records.tags) {
      const wanted = params.get(`tag.${tag.name}`);
      if (wanted !== null) {
        const code = tag.values.indexOf(wanted);
        tests.push((row) => tag.codes[row] === code);
      }
    }
    if (words) tests.push((row) => records.searchText(row).includes(words));
    const rows = [];
    for (let row = 0; row < records.count; row++) if (tests.every((test) => test(row))) rows.push(row);
    const order = ORDERS[params.get("sort") ?? ""]?.by?.(records);
    if (order) {
      const keys = new Float64Array(records.count);
      for (const row of rows) keys[row] = order(row);
      rows.sort((a, b) => keys[a] - keys[b] || a - b);
    }
    return rows;
  }
  var set = (changes, options2) => changeParams({ ...changes, at: null, open: null }, options2);
  function select2(label2, name, options2) {
    const control = h(
      "select",
      { onchange: () => set({ [name]: control.value }) },
      options2.map(({ value, label: text }) => h("option", { value }, text))
    );
    return { name, control, node: h("label", { class: "field" }, h("span", {}, label2), control) };
  }
  var options = (all, values) => [
    { value: "", label: all },
    ...values.map((value) => ({ value, label: value === "" ? "(none)" : shorten(value, 40) }))
  ];
  function counted(records, of) {
    const counts = /* @__PURE__ */ new Map();
    for (let row = 0; row < records.count; row++) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
    return counts;
  }
  function verdicts2(records) {
    const counts = counted(records, records.verdict);
    const present = ["", ...Object.keys(VERDICTS).filter((name) => counts.has(name))];
    const buttons = present.map(
      (name) => h(
        "button",
        { type: "button", "data-is": name, onclick: () => set({ is: name }) },
        name ? `${VERDICTS[name]} ` : "All ",
        h("span", { class: "dim" }, formatCount(name ? counts.get(name) ?? 0 : records.count))
      )
    );
    return { buttons, node: h("div", { class: "switch", role: "group", "aria-label": "Right or wrong" }, buttons) };
  }
  function filterBar(records) {
    let typing = 0;
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search question, answer, target, id",
      "aria-label": "Search questions, answers, targets and ids",
      autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => set({ q: search.value }, { replace: true }), 150);
      }
    });
    const verdict = verdicts2(records);
    const { statuses } = records;
    const tags = records.tags.filter((tag) => tag.values.length > 1 && tag.values.length <= MOST_OPTIONS);
    const selects = [
      ...statuses.length > 1 ? [
        select2("status", "status", [
          { value: "", label: "any" },
          ...statuses.map((value) => ({ value, label: statusLabel(value) }))
        ])
      ] : [],
      select2(
        "order",
        "sort",
        Object.entries(ORDERS).map(([value, { label: label2 }]) => ({ value, label: label2 }))
      ),
      ...tags.map(
        (tag) => select2(humanize(tag.name), `tag.${tag.name}`, options("any", tag.values.filter((value) => value !== "").sort()))
      )
    ];
    const image = h("button", {
      type: "button",
      class: "chip chip-clear",
      onclick: () => set({ image: null, picture: null })
    });
    const clear = h(
      "button",
      {
        type: "button",
        class: "plain",
        onclick: () => set(
          Object.fromEntries(
            [...currentRoute().params.keys()].filter((name) => name !== "run" && name !== "task").map((name) => [name, null])
          )
        )
      },
      "Clear filters"
    );
    const node = h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter samples",
        onsubmit: (event) => event.preventDefault()
      },
      h("div", { class: "filter-row" }, search, verdict.node),
      h(
        "div",
        { class: "filter-row" },
        selects.slice(0, MOST_SELECTS).map((one) => one.node),
        image,
        clear
      ),
      selects.length > MOST_SELECTS ? h(
        "details",
        { class: "more" },
        h("summary", {}, "More filters"),
        h(
          "div",
          { class: "filter-row" },
          selects.slice(MOST_SELECTS).map((one) => one.node)
        )
      ) : null
    );
    const update = (params) => {
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      for (const button of verdict.buttons)
        button.setAttribute("aria-pressed", String(button.dataset.is === (params.get("is") ?? "")));
      for (const { name: name2, control } of selects) control.value = params.get(name2) ?? "";
      const name = imageName(params);
      image.hidden = name === null;
      image.replaceChildren("image ", dataText(shorten(name ?? "", 40)), " ✕");
      clear.hidden = ![...params.keys()].some((name2) => !["run", "task", "at", "open", "sort"].includes(name2));
    };
    return { node, update };
  }

  // views/sample_dialog.ts
  var part3 = (name, content2) => h("section", { class: "story" }, h("h3", {}, name), content2);
  var quote = (text) => h("pre", { class: "quote", tabindex: "0" }, text ? dataText(text) : h("em", {}, "(empty)"));
  function figure(run, task, image, boxes) {
    return h(
      "figure",
      {},
      imageNode(image, { large: true, boxes }),
      h(
        "figcaption",
        {},
        boxes ? h(
          "p",
          { class: "hint" },
          boxes[1] ? "Solid: target box. Dashed: predicted box." : "Target box; the answer holds none."
        ) : null,
        h(
          "a",
          { href: linkTo("samples", { run: run.id, task: task.key, image: image.name }) },
          "all questions about ",
          dataText(shorten(image.name, 48))
        )
      )
    );
  }
  function choices({ choices: names, scores }) {
    if (scores.length) {
      return dataTable(
        "Choices by log-probability",
        [
          { head: "choice", cell: ([choice]) => dataText(choice), plain: ([choice]) => choice },
          {
            head: "log-probability",
            class: "number",
            cell: ([, log]) => formatScore(log, 3),
            plain: ([, log]) => log
          },
          { head: "tokens", class: "number", cell: ([, , tokens]) => tokens, plain: ([, , tokens]) => tokens }
        ],
        scores,
        { class: "slim" }
      );
    }
    return h(
      "ol",
      { class: "choices" },
      names.map((choice) => h("li", {}, dataText(choice)))
    );
  }
  var judge = (judged) => part3(
    "Judge's reply",
    judged.map((verdict) => [
      h(
        "p",
        { class: "hint" },
        `run ${verdict.run + 1}: ${verdict.value === null ? statusLabel(verdict.status) : `grade ${verdict.value}`} `,
        dataText(verdict.model)
      ),
      verdict.note ? h("p", {}, dataText(verdict.note)) : null,
      verdict.replies.map(quote)
    ])
  );
  var dialogue = (turns) => part3(
    "Earlier turns",
    turns.map(([question, answer]) => [h("p", {}, dataText(question)), quote(answer)])
  );
  function facts(records, row, sample) {
    return factList([
      ["id", records.id[row]],
      ["status", statusLabel(records.status(row))],
      ["value", records.value(row)],
      ["finish", sample.finish],
      ["prompt tokens", sample.prompt_tokens || null],
      ["new tokens", sample.new_tokens || null],
      ["of them thinking", sample.reasoning_tokens || null],
      ["seconds", sample.seconds ? sample.seconds.toPrecision(2) : null],
      ["margin", sample.margin?.toFixed(3)],
      ["rerun", sample.rerun ? "yes, unbatched" : null],
      ["key", sample.key]
    ]);
  }
  function story(run, task, records, row) {
    const sample = records.sample(row);
    const tagLink = (tag) => h(
      "a",
      {
        class: "chip",
        href: linkTo("samples", { run: run.id, task: task.key, [`tag.${tag.name}`]: records.tag(tag, row) })
      },
      dataText(humanize(tag.name)),
      ": ",
      dataText(shorten(records.tag(tag, row), 60))
    );
    const images = records.images(row);
    const tags = records.tags.filter((tag) => records.tag(tag, row) !== "");
    return [
      h(
        "div",
        { class: "detail-images" },
        images.length ? images.map((image) => figure(run, task, image, sample.boxes)) : imageNode(null)
      ),
      h(
        "div",
        { class: "detail-words" },
        h(
          "div",
          { class: "detail-question" },
          h("h2", { id: "detail-title", tabindex: "0" }, dataText(sample.question)),
          verdictNode(records, row)
        ),
        h(
          "div",
          { class: "compare" },
          part3("Answer", quote(sample.text)),
          part3("Parsed answer", h("p", { tabindex: "0" }, sample.parsed ? dataText(sample.parsed) : "–")),
          part3("Target", h("p", { tabindex: "0" }, dataText(sample.target)))
        ),
        sample.reasoning ? part3("Thought", quote(sample.reasoning)) : null,
        sample.error ? part3("Error", quote(sample.error)) : null,
        sample.note ? part3("Note", h("p", {}, dataText(sample.note))) : null,
        sample.judged.length ? judge(sample.judged) : null,
        sample.choices.length || sample.scores.length ? part3("Choices", choices(sample)) : null,
        sample.history.length ? dialogue(sample.history) : null,
        part3("Prompt", quote(sample.prompt)),
        tags.length ? part3("Tags", h("p", { class: "chips" }, tags.map(tagLink))) : null,
        others(run, task, records.id[row]),
        part3("Record", facts(records, row, sample))
      )
    ];
  }
  function others(run, task, id) {
    const same = rowsOn(task.key).filter((one) => one.run !== run && one.task.hashes.samples === task.hashes.samples);
    if (!same.length) return null;
    const link = (one) => h(
      "a",
      { class: "chip", href: linkTo("samples", { run: one.run.id, task: task.key, open: id }) },
      dataText(shorten(one.row.label, 48))
    );
    return part3("Same question, other runs", h("p", { class: "chips" }, same.map(link)));
  }
  function sampleDialog(run, task, records) {
    const where2 = h("span", { class: "hint" });
    const content2 = h("div", { class: "detail", tabindex: "0", role: "region", "aria-label": "The sample" });
    const close = () => changeParams({ open: null });
    const button = (text, label2, action) => h("button", { type: "button", "aria-label": label2, onclick: action }, text);
    const [before, after] = [button("‹", "Previous sample", () => step(-1)), button("›", "Next sample", () => step(1))];
    const node = h(
      "dialog",
      {
        "aria-labelledby": "detail-title",
        oncancel: (event) => {
          event.preventDefault();
          close();
        },
        onclick: (event) => {
          if (event.target === node) close();
        }
      },
      h("div", { class: "detail-bar" }, before, after, where2, h("span", { class: "grow" }), button("✕", "Close", close)),
      content2
    );
    let rows = [];
    let open2 = null;
    const step = (by) => {
      if (open2 === null) return false;
      const next = rows[rows.indexOf(open2) + by];
      if (next !== void 0) changeParams({ open: records.id[next] }, { replace: true });
      return true;
    };
    const fill = (row) => {
      const waiting = loadFiles([records.chunk(row)]);
      if (!waiting) return void content2.replaceChildren(...story(run, task, records, row));
      content2.replaceChildren(
        h("h2", { id: "detail-title" }, dataText(records.question[row])),
        h("p", { class: "hint" }, "Loading …")
      );
      waiting.then(
        () => open2 === row && fill(row),
        (error2) => open2 === row && content2.replaceChildren(h("h2", { id: "detail-title" }, "Not found"), missingFile(error2))
      );
    };
    const update = (params, filtered, list) => {
      rows = filtered;
      const row = params.has("open") ? records.rowOf(params.get("open")) : null;
      if (row === null) {
        if (node.open) node.close();
        if (open2 !== null && rows.includes(open2)) list.reveal(rows.indexOf(open2));
        open2 = null;
        return;
      }
      const at = rows.indexOf(row);
      where2.textContent = at < 0 ? "outside the filters" : `${formatCount(at + 1)} of ${formatCount(rows.length)}`;
      before.disabled = at <= 0;
      after.disabled = at < 0 || at === rows.length - 1;
      if (row !== open2) {
        open2 = row;
        fill(row);
        content2.scrollTop = 0;
      }
      if (!node.open) node.showModal();
    };
    return { node, update, step };
  }

  // views/samples.ts
  var HEIGHT2 = 132;
  var LEAST2 = 330;
  function card2(records, row, link) {
    const answer = records.text(row) || records.parsed(row);
    return h(
      "a",
      { class: "sample", href: link, "data-row": row },
      h("span", { class: "sample-image" }, imageNode(records.images(row)[0])),
      h(
        "span",
        { class: "sample-words" },
        h("span", { class: "sample-question" }, dataText(shorten(records.question[row], 130))),
        h("span", { class: "sample-answer" }, dataText(answer ? shorten(answer, 80) : "(empty)")),
        h(
          "span",
          { class: "sample-foot" },
          verdictNode(records, row),
          records.verdict(row) === "right" ? null : h("span", { class: "hint" }, "target ", dataText(shorten(records.target(row), 40)))
        )
      )
    );
  }
  function picker(run, task) {
    const entries = allRuns().flatMap((one) => one.tasks.map((part4) => ({ run: one, task: part4 })));
    if (entries.length < 2) return null;
    return choiceField(
      "run and task",
      "",
      String(entries.findIndex((entry) => entry.run === run && entry.task === task)),
      entries.map((entry, at) => [String(at), `${shorten(entry.run.label, 36)} · ${entry.task.key}`]),
      (at) => {
        const { run: one, task: part4 } = entries[Number(at)];
        location.hash = linkTo("samples", { run: one.id, task: part4.key });
      }
    );
  }
  function chosen3(params) {
    const run = params.has("run") ? findRun(params.get("run")) : allRuns().find((one) => !params.has("task") || findTask(one, params.get("task")));
    return { run, task: params.has("task") ? findTask(run, params.get("task")) : run?.tasks[0] };
  }
  var key = (name) => h("kbd", {}, name);
  function keysOf(dialog) {
    return (event) => {
      const typing = event.target instanceof Element && event.target.matches("input, select, textarea");
      if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "/") {
        event.preventDefault();
        document.getElementById("search")?.focus();
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        if (dialog.step(event.key === "ArrowRight" ? 1 : -1)) event.preventDefault();
      }
    };
  }
  function build(main2, params) {
    const { run, task } = chosen3(params);
    if (!run || !task) return void main2.append(notFound("There is no such run or task in this report."));
    const records = recordsOf(task);
    const bar = filterBar(records);
    const status = h("p", { class: "hint", role: "status" });
    const nothing = h("p", { class: "nothing" }, "No sample matches these filters.");
    const dialog = sampleDialog(run, task, records);
    const list = virtualList("Samples", {
      height: HEIGHT2,
      least: LEAST2,
      card: (row) => {
        const link = new URLSearchParams(currentRoute().params);
        link.set("open", records.id[row]);
        return card2(records, row, linkTo("samples", link));
      }
    });
    const where2 = [h("a", { href: linkTo("model", { run: run.id, task: task.key }) }, dataText(run.label)), " on "];
    main2.append(
      pageFrame(
        "Samples",
        [...where2, h("a", { href: linkTo("task", { task: task.key, run: run.id }) }, dataText(task.key))],
        picker(run, task),
        sampleNotice([task]),
        bar.node,
        h(
          "div",
          { class: "count" },
          status,
          h(
            "p",
            { class: "hint keys" },
            key("/"),
            " search, ",
            key("arrows"),
            " move, ",
            key("Enter"),
            " open, ",
            key("Esc"),
            " close"
          )
        ),
        list.node,
        nothing
      ),
      dialog.node
    );
    let shown2 = null;
    const update = (now) => {
      bar.update(now);
      const filter = new URLSearchParams(now);
      ["open", "at"].forEach((name) => filter.delete(name));
      if (shown2?.filter !== filter.toString()) {
        const moved = shown2 !== null;
        shown2 = { filter: filter.toString(), rows: filteredRows(records, now) };
        const { rows } = shown2;
        status.textContent = rows.length === records.count ? plural(rows.length, "sample") : `${formatCount(rows.length)} of ${plural(records.count, "sample")}`;
        nothing.hidden = rows.length > 0;
        list.set(rows);
        if (!moved && now.has("at")) list.scrollTo(Math.min(rows.length - 1, Number(now.get("at")) || 0));
      }
      dialog.update(now, shown2.rows, list);
    };
    return { update, ...listeners(dialog, list) };
  }
  function listeners(dialog, list) {
    const keys = keysOf(dialog);
    let resting = 0;
    const rest = () => {
      clearTimeout(resting);
      resting = setTimeout(() => {
        const at = list.first();
        changeParams({ at: at > 0 ? String(at) : null }, { replace: true });
      }, 400);
    };
    document.addEventListener("keydown", keys);
    window.addEventListener("scroll", rest, { passive: true });
    return {
      leave: () => {
        clearTimeout(resting);
        document.removeEventListener("keydown", keys);
        window.removeEventListener("scroll", rest);
        list.leave();
      }
    };
  }
  var samplesView = {
    title: (params) => `Samples of ${params.get("task") ?? taskKeys()[0]}`,
    /** The same run and task keep their page: only what is shown changes. */
    same: (params) => `${params.get("run")} ${params.get("task")}`,
    needs: (params) => {
      const { task } = chosen3(params);
      return task ? [task.list] : [];
    },
    build
  };

  // views/task.ts
  var MOST_LABELS = 24;
  function promptCard(takers) {
    const seen = /* @__PURE__ */ new Map();
    const worded = promptsDiffer(takers);
    for (const { row, run, task } of takers) {
      const more = detailsOf(run).tasks[task.key];
      const key2 = [task.protocol, task.version, JSON.stringify(more.generation), worded ? more.prompt : ""].join("\n");
      const group = seen.get(key2) ?? { task, more, runs: [] };
      group.runs.push(row.label);
      seen.set(key2, group);
    }
    return card(
      "Prompt and protocol",
      null,
      null,
      [...seen.values()].map(
        ({ task, more, runs }) => h(
          "div",
          { class: "rules" },
          seen.size > 1 ? h("p", { class: "hint" }, dataText(shorten(runs.join(", "), 200))) : null,
          h(
            "div",
            {},
            h("h3", {}, "Example prompt"),
            h("pre", { class: "quote", tabindex: "0" }, dataText(more.prompt || "–"))
          ),
          h("div", {}, h("h3", {}, "Protocol"), protocolFacts(task, more))
        )
      )
    );
  }
  function notes2(takers) {
    const noted = takers.filter(({ task }) => task.notes?.length);
    return noted.length ? card(
      "Notes",
      "What a reader of these scores should know.",
      null,
      noted.map(({ row, task }) => [h("h3", {}, dataText(row.label)), notesList(task)])
    ) : null;
  }
  var MIB = 2 ** 20;
  var COST_AXES = [
    {
      title: "Score against time",
      label: "seconds per question",
      of: ({ task }) => task.per_second ? 1 / task.per_second : null,
      format: formatSeconds
    },
    {
      title: "Score against memory",
      label: "peak memory",
      of: ({ row }) => (row.costs.peak_memory_bytes ?? 0) / MIB,
      format: (value) => formatBytes(value * MIB)
    }
  ];
  var costPoints = (takers, of) => takers.flatMap((one) => {
    const { bar } = one.task;
    const x = of(one);
    return x && bar.value !== null ? [
      {
        id: one.row.id,
        label: one.row.label,
        x,
        y: bar.value,
        least: bar.bounds ? bar.bounds[0] : bar.value,
        low: bar.bounds_interval?.[0] ?? bar.low,
        high: bar.bounds_interval?.[1] ?? bar.high
      }
    ] : [];
  });
  function cost2(takers) {
    const yLabel = humanize(takers[0].task.headline);
    const charts = COST_AXES.flatMap(({ title, label: label2, of, format }) => {
      const points = costPoints(takers, of);
      return points.length > 1 ? [panel(title, null, paretoChart(points, { label: title, xLabel: label2, yLabel, format }))] : [];
    });
    return charts.length ? card(
      "Score against cost",
      "No other run beats those on the dashed line on both axes.",
      null,
      h("div", { class: "halves" }, charts)
    ) : null;
  }
  function breakdowns(takers) {
    const names = [
      ...new Set(takers.flatMap(({ run, task }) => detailsOf(run).tasks[task.key].breakdowns.map((one) => one.name)))
    ];
    if (!names.length) return null;
    const parts2 = names.map((name) => {
      const rows = takers.flatMap(
        ({ row, run, task }) => (detailsOf(run).tasks[task.key].breakdowns.find((one) => one.name === name)?.bars ?? []).map((bar) => ({
          ...bar,
          id: row.id,
          run: row.label
        }))
      );
      const labels = [...new Set(rows.map((row) => row.label))];
      const first = new Set(labels.slice(0, MOST_LABELS));
      const [shown2, rest] = [rows.filter((row) => first.has(row.label)), rows.filter((row) => !first.has(row.label))];
      const label2 = `By ${humanize(name)}`;
      return panel(
        h("span", {}, "By ", dataText(humanize(name))),
        shrunkHint(rows),
        breakdownChart(shown2, label2),
        rest.length ? h("details", {}, h("summary", {}, `${labels.length - MOST_LABELS} more`), breakdownChart(rest, label2)) : null,
        h("details", {}, h("summary", {}, "as a table"), breakdownTable(label2, labels, rows, takers))
      );
    });
    return card("Breakdowns", null, legend(takers.map(({ row }) => row)), h("div", { class: "halves" }, parts2));
  }
  function breakdownTable(caption, labels, rows, takers) {
    const byRun = new Map(rows.map((row) => [`${row.id}
${row.label}`, row]));
    return dataTable(
      caption,
      [
        { head: "", name: "label", cell: (label2) => dataText(label2) },
        ...takers.map(({ row: taker }) => ({
          head: dataText(taker.label),
          class: "number",
          cell: (label2) => {
            const row = byRun.get(`${taker.id}
${label2}`);
            if (!row) return "–";
            const under = [
              formatInterval(row),
              ...shrunkOf([row]).map((one) => `shrunk ${formatScore(one.value)}: ${formatInterval(one)}`)
            ];
            return [formatScore(row.value), under.map((words) => h("span", { class: "under" }, words))];
          },
          plain: (label2) => byRun.get(`${taker.id}
${label2}`)?.value ?? null
        }))
      ],
      labels,
      { class: "slim" }
    );
  }
  function answers(takers, params) {
    const chosen4 = takers.find(({ run: run2 }) => run2.id === params.get("run")) ?? takers[0];
    const { run, task } = chosen4;
    const panels = answerPanels(run, task, detailsOf(run).tasks[task.key].answer_stats).filter(Boolean);
    return panels.length ? card(
      "Answers",
      null,
      takers.length > 1 ? choiceField(
        "run",
        "run",
        run.id,
        takers.map((one) => [one.run.id, one.row.label])
      ) : null,
      h("div", { class: "panels" }, panels)
    ) : null;
  }
  var taskView = {
    title: (params) => params.get("task") ?? "Task",
    needs: (params) => rowsOn(params.get("task") ?? taskKeys()[0]).map(({ run }) => `run-${run.id}`),
    build: (main2, params) => {
      const key2 = params.get("task") ?? taskKeys()[0];
      const takers = rowsOn(key2);
      if (!takers.length) return void main2.append(notFound("There is no such task in this report."));
      const keys = taskKeys();
      const { task } = takers[0];
      main2.append(
        pageFrame(
          dataText(key2),
          task.title ? dataText(task.title) : null,
          keys.length > 1 ? choiceField(
            "task",
            "task",
            key2,
            keys.map((one) => [one, one]),
            (one) => {
              location.hash = linkTo("task", { task: one });
            }
          ) : null,
          sampleNotice(takers.map((one) => one.task)),
          board2(key2, params, { title: false }),
          notes2(takers),
          promptCard(takers),
          cost2(takers),
          breakdowns(takers),
          answers(takers, params)
        )
      );
    }
  };

  // pages/report.ts
  var VIEWS2 = {
    leaderboard: leaderboardView,
    task: taskView,
    model: modelView,
    samples: samplesView,
    compare: compareView,
    perturbations: perturbationsView,
    ablations: perturbationsView,
    // links of earlier reports
    history: historyView
  };
  var main = document.getElementById("main");
  var current = null;
  var requests = 0;
  function navigation(view) {
    const { perturbed, histories, pairs, runs } = report();
    const entries = [
      ["leaderboard", "Leaderboard"],
      ["task", "Tasks"],
      ["model", "Models", true, { run: bestFirst()[0]?.runs[0].id ?? runs[0]?.id ?? "" }],
      ["samples", "Samples"],
      ["compare", "Compare", pairs.length > 0],
      ["perturbations", "Perturbations", perturbed.length > 0],
      ["history", "History", histories.length > 0]
    ];
    const links = entries.filter(([, , shown2 = true]) => shown2).map(
      ([name, text, , params]) => h("a", { href: linkTo(name, params), "aria-current": VIEWS2[view] === VIEWS2[name] ? "page" : null }, text)
    );
    document.getElementById("nav")?.replaceChildren(...links);
    document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }
  function draw(page, params, same, moved) {
    main.replaceChildren();
    main.removeAttribute("aria-busy");
    const shown2 = page ? page.build(main, params) : void main.append(notFound("There is no such page in this report."));
    current = { same, ...shown2 };
    current.update?.(params);
    main.dataset.shown = location.hash;
    if (moved) {
      if (!params.has("at")) window.scrollTo({ top: 0 });
      main.focus({ preventScroll: true });
    }
  }
  function showView() {
    const { view, params } = currentRoute();
    const page = Object.hasOwn(VIEWS2, view) ? VIEWS2[view] : null;
    const same = page?.same ? `${view} ${page.same(params)}` : location.hash;
    requests += 1;
    if (current?.same === same) {
      current.update?.(params);
      main.dataset.shown = location.hash;
      return;
    }
    const moved = current !== null;
    current?.leave?.();
    current = { same: null };
    navigation(view);
    document.title = `${page ? page.title(params) : "Not found"} · vlmbench`;
    const waiting = loadFiles(page?.needs?.(params) ?? []);
    if (!waiting) return draw(page, params, same, moved);
    const request = requests;
    main.setAttribute("aria-busy", "true");
    main.replaceChildren(h("div", { class: "page" }, h("p", { class: "hint loading", role: "status" }, "Loading …")));
    waiting.then(
      () => {
        if (request === requests) draw(page, currentRoute().params, same, moved);
      },
      (error2) => {
        if (request !== requests) return;
        main.removeAttribute("aria-busy");
        main.replaceChildren(h("div", { class: "page" }, h("h1", {}, "Not found"), missingFile(error2)));
        main.dataset.shown = location.hash;
      }
    );
  }
  window.addEventListener("hashchange", showView);
  showView();
  return __toCommonJS(report_exports);
})();
