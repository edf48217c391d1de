"use strict";
// The base of the page: building elements from text, reading the data blocks, and the view's state in the URL hash.
// Everything a model or a benchmark said goes through h() as text. Nothing on this page parses HTML from data.

const vb = { views: {} };

(() => {
  const SVG = new Set(["svg", "path", "rect", "circle", "line"]);

  /** Build an element. Functions in `attributes` become listeners; children that are not nodes become text. */
  vb.h = (name, attributes = {}, ...children) => {
    const node = SVG.has(name)
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(
      ...children
        .flat(3)
        .filter((child) => child !== null && child !== undefined && child !== false)
        .map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))),
    );
    return node;
  };

  /** Text from data: shown in a direction and a place of its own, whatever direction marks it holds. */
  vb.said = (text, attributes = {}) => vb.h("bdi", { class: "said", ...attributes }, text);

  /** A JSON data block, parsed once, when first needed. */
  const parsed = new Map();
  vb.block = (id) => {
    if (!parsed.has(id)) parsed.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return parsed.get(id);
  };

  /** The records of a task, with the functions that read one row. */
  const readers = new Map();
  vb.records = (task) => {
    if (!readers.has(task.records)) readers.set(task.records, reader(vb.block(task.records)));
    return readers.get(task.records);
  };

  function reader(data) {
    const coded = (column) => (row) => column.values[column.codes[row]];
    const prompt = coded(data.prompt);
    let searchable = null;
    return {
      ...data,
      count: data.id.length,
      status: coded(data.status),
      finish: coded(data.finish),
      prompt: (row) => prompt(row).split("\ufffc").join(data.question[row]),
      tag: (tag, row) => tag.values[tag.codes[row]],
      images: (row) => data.shown[row].map((index) => data.pictures[index]),
      verdict: (row) => {
        const value = data.value[row];
        if (value === null || coded(data.status)(row) !== "ok") return "none";
        return value >= 1 ? "right" : value <= 0 ? "wrong" : "partly";
      },
      text: data.text,
      find: (row) => {
        searchable ??= data.id.map((id, at) =>
          [id, data.question[at], data.text[at], data.read[at], data.target[at]].join("\n").toLowerCase(),
        );
        return searchable[row];
      },
    };
  }

  /** A picture as a data URI, or null when the report does not carry it. */
  vb.picture = (hash) => {
    const found = Object.hasOwn(vb.block("pictures"), hash) ? vb.block("pictures")[hash] : null;
    return found && `data:image/jpeg;base64,${found}`;
  };

  // ---- the state of the view: #/VIEW?name=value&...

  vb.route = () => {
    const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
    return { view: path || "leaderboard", params: new URLSearchParams(query ?? "") };
  };

  vb.link = (view, params = {}) => {
    const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
    const query = new URLSearchParams(
      entries.filter(([, value]) => value !== "" && value !== null && value !== undefined),
    ).toString();
    return `#/${view === "leaderboard" ? "" : view}${query ? `?${query}` : ""}`;
  };

  /** Change some parameters of the current view; null or "" removes one. */
  vb.change = (changes, { replace = false } = {}) => {
    const { view, params } = vb.route();
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") params.delete(name);
      else params.set(name, value);
    }
    const hash = vb.link(view, params);
    if (hash === location.hash) return;
    if (replace) {
      history.replaceState(null, "", hash);
      vb.show();
    } else location.hash = hash;
  };

  vb.run = (id) => vb.block("report").runs.find((run) => run.id === id);
  vb.task = (run, key) => run?.tasks.find((task) => task.key === key);

  // ---- numbers and words

  const grouped = new Intl.NumberFormat("en");
  vb.count = (value) => grouped.format(value);
  vb.score = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  vb.percent = (share) => (share === 1 ? "100 %" : `${Math.min(100 * share, 99.9).toFixed(1)} %`);
  vb.interval = (bar) =>
    bar.low === null || bar.high === null ? "no interval" : `${vb.score(bar.low)} – ${vb.score(bar.high)}`;
  vb.words = (name) => name.replaceAll("_", " ");
  vb.plural = (count, word) => `${vb.count(count)} ${word}${count === 1 ? "" : "s"}`;
  vb.amount = (value) => {
    const units = [
      [1e9, " B"],
      [1e6, " M"],
      [1e3, " k"],
    ];
    const [size, unit] = units.find(([least]) => Math.abs(value) >= least) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))}${unit}`;
  };
  vb.shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  const LABELS = {
    ok: "ok",
    error: "error",
    truncated: "truncated",
    unparsed: "unparsed",
    judge_failed: "judge failed",
    withheld: "withheld",
  };
  vb.statusLabel = (status) => LABELS[status] ?? status;
})();
