"use strict";
// The base of the page: building elements from text, loading data files, and the view's state in the URL hash.
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

  // ---- data: blocks in the page, and files beside it

  /** A JSON block of the page itself, parsed once. */
  const blocks = new Map();
  vb.block = (id) => {
    if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return blocks.get(id);
  };

  /** Called by the files in data/, each with one JSON text: scripts are what a page may load from file://. */
  const files = new Map();
  vb.take = (name, text) => files.set(name, { text });

  /** The content of a file that has been loaded. */
  vb.data = (name) => {
    const file = files.get(name);
    if (!file) return null;
    if (!("content" in file)) files.set(name, { content: JSON.parse(file.text) });
    return files.get(name).content;
  };

  const loading = new Map();
  const loadOne = (name) => {
    if (files.has(name)) return null;
    if (!loading.has(name)) {
      loading.set(
        name,
        new Promise((done, failed) => {
          const script = vb.h("script", { src: `data/${name}.js?${vb.block("report").stamp}` });
          const end = () => {
            script.remove();
            loading.delete(name);
            if (files.has(name)) done();
            else failed(new Error(`data/${name}.js`));
          };
          script.addEventListener("load", end);
          script.addEventListener("error", end);
          document.head.append(script);
        }),
      );
    }
    return loading.get(name);
  };

  /** Load files of data/ by name; nothing to wait for (null) when all are there. */
  vb.load = (names) => {
    const waiting = names.map(loadOne).filter(Boolean);
    return waiting.length ? Promise.all(waiting) : null;
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

  // ---- runs and tasks

  vb.runs = () => vb.block("report").runs;
  /** The runs of leaderboards: those under an ablation are shown beside their own run alone. */
  vb.contenders = () => {
    const { contenders } = vb.block("report");
    return vb.runs().filter((run) => contenders.includes(run.id));
  };
  vb.run = (id) => vb.runs().find((run) => run.id === id);
  vb.task = (run, key) => run?.tasks.find((task) => task.key === key);
  /** Everything about a run; its file `run-ID` must be loaded. */
  vb.details = (run) => vb.data(`run-${run.id}`);
  /** The contenders that took a task, as {run, task}. */
  vb.takers = (key) =>
    vb.contenders().flatMap((run) => run.tasks.filter((t) => t.key === key).map((task) => ({ run, task })));
  vb.taskKeys = () => [...new Set(vb.contenders().flatMap((run) => run.tasks.map((task) => task.key)))];
})();
