"use strict";
"use strict";
(() => {
  // lib/dom.ts
  function h(name, attributes = {}, ...children) {
    return filled(document.createElement(name), attributes, children);
  }
  function svg(name, attributes = {}, ...children) {
    return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
  }
  function filled(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === void 0 || value === false) continue;
      if (typeof value === "function") node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...nodes(children));
    return node;
  }
  var nodes = (children) => children.flatMap((child) => {
    if (Array.isArray(child)) return nodes(child);
    if (child === null || child === void 0 || child === false) return [];
    return [child instanceof Node ? child : String(child)];
  });
  var dataText = (text2) => h("bdi", { class: "data-text" }, text2);

  // lib/data.ts
  var blocks = /* @__PURE__ */ new Map();
  function block(id) {
    if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return blocks.get(id);
  }

  // lib/format.ts
  var grouped = new Intl.NumberFormat("en");
  var formatCount = (value) => grouped.format(value);
  var formatScore = (value, digits = 1) => {
    if (value === null || value === void 0) return "–";
    const text2 = value.toFixed(digits);
    return Number(text2) === 0 ? 0 .toFixed(digits) : text2;
  };
  var formatLevels = (levels) => [...new Set(levels)].sort((a, b) => a - b).map((level) => `${Number((100 * level).toPrecision(4))} %`).join(" / ");
  var humanize = (name) => name.replaceAll("_", " ");
  var plural = (count, word) => `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
  var BINARY_UNITS = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"]
  ];

  // pages/live.ts
  var FINE = /* @__PURE__ */ new Set(["ok", "unlabeled", "not_asked"]);
  var TAGS = { running: "tag", stopped: "tag tag-unknown", finished: "tag tag-pass" };
  var live = (run, lost) => {
    const parts = document.createDocumentFragment();
    if (lost)
      parts.append(h("p", { class: "notice", role: "alert" }, "`vlmbench watch` has ended: this is its last look."));
    if (run.error) parts.append(h("p", { class: "notice notice-fail", role: "alert" }, dataText(run.error)));
    parts.append(progress(run), scores(run), failures(run), latest(run));
    return parts;
  };
  var duration = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 60) return `${formatCount(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, "0")} min`;
    return minutes ? `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s` : `${Math.round(seconds)} s`;
  };
  var progress = (run) => {
    const share = run.planned ? run.answered / run.planned : 1;
    const words = [
      run.per_second > 0 && `${formatScore(run.per_second, run.per_second < 10 ? 1 : 0)} per second`,
      run.seconds_left !== null && `${duration(run.seconds_left)} left`,
      run.failed > 0 && `${formatCount(run.failed)} failed`,
      run.damaged > 0 && `${plural(run.damaged, "damaged line")} in the log`,
      `began ${run.started}`,
      run.finished && `finished ${run.finished}`
    ].filter(Boolean);
    return h(
      "section",
      { class: "card", "aria-labelledby": "progress" },
      h(
        "div",
        { class: "card-head" },
        h("h1", { id: "progress" }, dataText(run.model), h("span", { class: TAGS[run.state] }, run.state)),
        h("span", { class: "hint" }, dataText(run.folder))
      ),
      h(
        "p",
        { class: "live-count" },
        h("strong", {}, formatCount(run.answered)),
        ` of ${plural(run.planned, "question")} · ${(100 * share).toFixed(share < 1 ? 1 : 0)} %`
      ),
      h("progress", {
        class: "live-bar",
        max: Math.max(run.planned, 1),
        value: run.answered,
        "aria-label": "questions answered"
      }),
      h("p", { class: "hint" }, words.join(" · ")),
      run.again && h("p", { class: "notice" }, "No process works on it. ", dataText(run.again), " goes on.")
    );
  };
  var scores = (run) => {
    const levels = run.tasks.flatMap((task) => task.level === null ? [] : [task.level]);
    return h(
      "section",
      { class: "card", "aria-labelledby": "scores" },
      h("h2", { id: "scores" }, run.state === "finished" ? "Scores" : "Scores so far"),
      run.state !== "finished" && h(
        "p",
        { class: "hint" },
        "Images are asked about in a random order, and the intervals hold at every look: looking early does not bias them."
      ),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores of each task" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Task", "Asked", "Metric", "Score", `${formatLevels(levels)} interval`.trim(), "", "Without a score"].map(
                (name) => h("th", { scope: "col" }, name || h("span", { class: "sr" }, "Plot"))
              )
            )
          ),
          h("tbody", {}, run.tasks.map(row))
        )
      )
    );
  };
  var row = (task) => {
    const lacking = Object.entries(task.statuses).filter(([name]) => !FINE.has(name));
    const waits = task.judged ? "graded at the end" : task.reason;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, dataText(task.key)),
      h("td", {}, `${formatCount(task.asked)} of ${formatCount(task.planned)}`),
      h("td", {}, humanize(task.headline)),
      h("td", {}, h("strong", {}, formatScore(task.value))),
      h(
        "td",
        {},
        task.low === null || task.high === null ? h("span", { class: "hint" }, waits || "–") : `${formatScore(task.low)} – ${formatScore(task.high)}`
      ),
      h("td", {}, range(task)),
      h(
        "td",
        {},
        lacking.length && !task.judged ? lacking.map(
          ([name, count]) => h("span", { class: "chip chip-bad" }, `${formatCount(count)} ${humanize(name)}`)
        ) : "–"
      )
    );
  };
  var range = (task) => {
    if (task.value === null || task.low === null || task.high === null || task.value > 100 || task.high > 100.001 || task.low < 0)
      return false;
    return svg(
      "svg",
      { viewBox: "0 0 104 14", class: "live-range", "aria-hidden": "true" },
      svg("line", { x1: 2, x2: 102, y1: 7, y2: 7, class: "live-scale" }),
      svg("line", { x1: 2 + task.low, x2: 2 + task.high, y1: 7, y2: 7, class: "live-interval" }),
      svg("circle", { cx: 2 + task.value, cy: 7, r: 3, class: "live-dot" })
    );
  };
  var failures = (run) => {
    if (!run.failures.length) return "";
    const more = run.failure_count - run.failures.length;
    return h(
      "section",
      { class: "card", "aria-labelledby": "failures" },
      h("h2", { id: "failures" }, `${plural(run.failure_count, "question")} without a score`),
      run.failures.map(answer),
      more > 0 && h("p", { class: "hint" }, `and ${formatCount(more)} more`)
    );
  };
  var latest = (run) => run.latest.length ? h(
    "section",
    { class: "card", "aria-labelledby": "latest" },
    h("h2", { id: "latest" }, "Latest answers"),
    h("div", { class: "live-grid" }, run.latest.map(answer))
  ) : "";
  var answer = (one) => h(
    "article",
    { class: "live-answer" },
    one.images[0] && h("img", { src: `images/${encodeURIComponent(one.images[0])}.jpg`, alt: "", width: 96, loading: "lazy" }),
    h(
      "div",
      {},
      h("p", { class: "hint" }, dataText(one.task), " · ", dataText(one.id), " ", mark(one)),
      h("p", {}, dataText(one.question)),
      one.answer && h(
        "p",
        {},
        h("strong", {}, dataText(one.answer)),
        one.target && one.value !== null ? h("span", { class: "hint" }, " · expected ", dataText(one.target)) : ""
      ),
      one.note && h("p", { class: "hint" }, dataText(one.note))
    )
  );
  var mark = (one) => {
    if (one.status === "ok" && one.value !== null && one.value >= 0 && one.value <= 1) {
      const kind = one.value === 1 ? "good" : one.value === 0 ? "bad" : "";
      const word = one.value === 1 ? "right" : one.value === 0 ? "wrong" : formatScore(one.value, 2);
      return h("span", { class: `chip ${kind}` }, word);
    }
    return h("span", { class: FINE.has(one.status) ? "chip" : "chip chip-bad" }, humanize(one.status));
  };
  var EVERY = 2e3;
  var main = document.getElementById("main");
  var show = (run, lost = false) => {
    const open = [...main.querySelectorAll("details[open]")].map((one) => one.id);
    main.replaceChildren(live(run, lost));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  };
  var last = block("live");
  var text = JSON.stringify(last);
  var ask = async () => {
    try {
      const reply = await fetch("state.json", { cache: "no-store" });
      const now = await reply.text();
      if (now !== text) {
        text = now;
        last = JSON.parse(now);
        show(last);
      }
    } catch {
      show(last, true);
    }
    setTimeout(ask, EVERY);
  };
  show(last);
  setTimeout(ask, EVERY);
})();
