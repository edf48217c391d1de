"use strict";
// Pieces that several pages share: statuses, coverage, lists of facts, tables of metrics.

(() => {
  const { h } = vb;

  /** Statuses as chips: ok quietly, the others in colour. */
  vb.statuses = (task) => {
    const entries = Object.entries(task.statuses).sort(([a], [b]) => (b === "ok") - (a === "ok"));
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

  /** A table: `columns` are {head, cell(row), class, label}. */
  vb.table = (caption, columns, rows, attributes = {}) =>
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
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
            columns.map((column) => h("th", { scope: "col", class: column.class }, column.head)),
          ),
        ),
        h(
          "tbody",
          {},
          rows.map((row, at) =>
            h(
              "tr",
              {},
              columns.map((column, place) =>
                h(
                  place === 0 ? "th" : "td",
                  { scope: place === 0 ? "row" : null, class: column.class },
                  column.cell(row, at),
                ),
              ),
            ),
          ),
        ),
      ),
    );

  vb.metrics = (task) =>
    vb.table(
      `All metrics of ${task.key}`,
      [
        {
          head: "metric",
          cell: (bar) => [
            vb.said(vb.words(bar.name)),
            bar.name === task.headline ? h("span", { class: "tag" }, "headline") : null,
            bar.note ? h("span", { class: "under wrap" }, vb.said(bar.note)) : null,
          ],
        },
        { head: "value", class: "number strong", cell: (bar) => vb.score(bar.value) },
        { head: "95 % interval", class: "number", cell: (bar) => vb.interval(bar) },
        { head: "n", class: "number", cell: (bar) => vb.count(bar.n) },
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

  vb.head = (task) =>
    task.metrics.find((bar) => bar.name === task.headline) ?? {
      name: task.headline,
      label: "",
      value: null,
      low: null,
      high: null,
      n: 0,
    };

  vb.dataLine = (task) =>
    [task.data, task.split && !task.data.includes(task.split) ? task.split : null].filter(Boolean).join(" · ");

  vb.speed = (task, unit = "/s") => (task.glance.per_second ? `${vb.amount(task.glance.per_second)}${unit}` : "–");
})();
