"use strict";
// Pieces that several pages share: titles, panels, statuses, coverage, lists of facts, tables of metrics.

(() => {
  const { h } = vb;

  /** A page: its heading, a line below it, what stands at the right, and the rest. */
  vb.page = (title, hint, side, ...content) =>
    h(
      "div",
      { class: "page" },
      h(
        "div",
        { class: "title title-row" },
        h("div", {}, h("h1", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
        side,
      ),
      content,
    );

  vb.panel = (title, hint, ...content) =>
    h("section", { class: "panel" }, h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, content);

  vb.card = (title, hint, side, ...content) =>
    h(
      "section",
      { class: "card", "aria-label": typeof title === "string" ? title : title.textContent },
      h(
        "div",
        { class: "card-head" },
        h("div", {}, h("h2", {}, title), hint ? h("p", { class: "hint" }, hint) : null),
        side,
      ),
      content,
    );

  /** A choice that changes one parameter of the URL. `entries` are [value, text]. */
  vb.choice = (label, name, value, entries, go = (now) => vb.change({ [name]: now })) => {
    const control = h(
      "select",
      { onchange: () => go(control.value) },
      entries.map(([one, text]) => h("option", { value: one, selected: one === value }, vb.shorten(text, 60))),
    );
    return h("label", { class: "field" }, h("span", {}, label), control);
  };

  /** Statuses as chips: ok quietly (or not at all), the others in colour. */
  vb.statuses = (task, failures = false) => {
    const entries = Object.entries(task.statuses)
      .filter(([name]) => !failures || name !== "ok")
      .sort(([a], [b]) => (b === "ok") - (a === "ok"));
    return h(
      "span",
      { class: "chips" },
      entries.map(([name, count]) =>
        h(
          "span",
          { class: `chip ${name === "ok" ? "chip-ok" : "chip-bad"}` },
          `${vb.statusLabel(name)} ${vb.count(count)}`,
        ),
      ),
    );
  };

  vb.coverage = (task) => h("span", { class: task.coverage === 1 ? "" : "lacking" }, vb.percent(task.coverage));

  /** Facts as pairs; those without a value are left out. */
  vb.facts = (pairs) =>
    h(
      "dl",
      { class: "facts" },
      pairs
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) =>
          h("div", {}, h("dt", {}, name), h("dd", {}, value instanceof Node ? value : vb.said(value))),
        ),
    );

  vb.metrics = (task) =>
    vb.table(
      `All metrics of ${task.key}`,
      [
        {
          head: "metric",
          plain: (bar) => bar.name,
          cell: (bar) => [
            vb.said(vb.words(bar.name)),
            bar.name === task.headline ? h("span", { class: "tag" }, "headline") : null,
            bar.note ? h("span", { class: "under wrap" }, vb.said(bar.note)) : null,
          ],
        },
        { head: "value", class: "number strong", cell: (bar) => vb.score(bar.value), plain: (bar) => bar.value },
        { head: "95 % interval", class: "number", cell: (bar) => vb.interval(bar) },
        { head: "n", class: "number", cell: (bar) => vb.count(bar.n), plain: (bar) => bar.n },
      ],
      task.metrics,
    );

  /** The loud line beside scores on data that ship with the package. */
  vb.sampleNotice = (tasks) =>
    tasks.some((task) => task.embedded)
      ? h(
          "p",
          { class: "notice", role: "note" },
          h("strong", {}, "Embedded sample. "),
          "These scores show that everything works; they are not comparable with papers.",
        )
      : null;

  /** Warnings that stand beside a task's scores, each a line. */
  vb.notes = (task) =>
    task.notes?.length
      ? h(
          "ul",
          { class: "notice notes", "aria-label": `Notes on ${task.key}` },
          task.notes.map((note) => h("li", {}, vb.said(note))),
        )
      : null;

  /** The same as a mark with the lines as its hint, for a cell of a table. */
  vb.notesMark = (task) =>
    task.notes?.length
      ? h(
          "span",
          {
            class: "tag tag-unknown",
            role: "note",
            title: task.notes.join("\n"),
            "aria-label": `${vb.plural(task.notes.length, "note")}: ${task.notes.join("; ")}`,
          },
          vb.plural(task.notes.length, "note"),
        )
      : null;

  /** How the answers came out: unread, cut, empty, equal to each other; nothing where that is not known. */
  vb.answerCounts = ({ answers }) =>
    answers && answers.cut !== null
      ? vb.panel(
          "Answers",
          null,
          vb.facts([
            ["answers", vb.count(answers.total)],
            ["unread", vb.count(answers.unread)],
            ["cut at max_new_tokens", vb.count(answers.cut)],
            ["empty", vb.count(answers.empty)],
            ["different", vb.count(answers.distinct)],
            [
              "most often",
              answers.most_common_share ? `${answers.most_common} (${vb.percent(answers.most_common_share)})` : null,
            ],
          ]),
        )
      : null;

  /** What a gate said of a run on one task: {outcome, reason}; null where none tested it. */
  vb.gate = (run, key) => run.gate?.tasks.find((task) => task.key === key) ?? null;

  /** Whether runs asked the same questions in other words. Other questions have other prompts anyway. */
  vb.otherPrompts = (rows) => {
    const known = new Map();
    return rows.some(({ task: { hashes } }) => {
      const before = known.get(hashes.samples) ?? hashes.prompts;
      known.set(hashes.samples, before);
      return before !== hashes.prompts;
    });
  };

  vb.dataLine = (task) =>
    [task.data, task.split && !task.data.includes(task.split) ? task.split : null].filter(Boolean).join(" · ");

  vb.speed = (task, unit = "/s") => (task.per_second ? `${vb.amount(task.per_second)}${unit}` : "–");
})();
