"use strict";
// Panels on what a task's answers look like: confusions, how sure, how long, which words.

(() => {
  const { h, panel } = vb;

  function yesNo(table) {
    const cell = (name, kind) => h("td", { class: `number ${kind}` }, vb.count(table[name]));
    const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
    return panel(
      "Yes and no",
      `answered yes ${share(table.answered_yes)}, truly yes ${share(table.truly_yes)}`,
      h(
        "table",
        { class: "confusion" },
        h("caption", { class: "unseen" }, "Answers against truths"),
        h(
          "thead",
          {},
          h("tr", {}, h("td", {}), h("th", { scope: "col" }, "answered yes"), h("th", { scope: "col" }, "answered no")),
        ),
        h(
          "tbody",
          {},
          h("tr", {}, h("th", { scope: "row" }, "truly yes"), cell("yes_yes", "good"), cell("yes_no", "bad")),
          h("tr", {}, h("th", { scope: "row" }, "truly no"), cell("no_yes", "bad"), cell("no_no", "good")),
        ),
      ),
      table.unclear ? h("p", { class: "hint" }, `${vb.count(table.unclear)} without a clear yes or no`) : null,
    );
  }

  function confusion(table, task) {
    const most = Math.max(1, ...table.rows.flat());
    const shade = (count) => `heat heat-${count ? Math.ceil((4 * count) / most) : 0}`;
    return panel(
      "Confusions",
      "rows: the truth; columns: what was read",
      vb.table(
        `Confusions on ${task.key}`,
        [
          { head: "truth", cell: (row) => vb.said(row.label) },
          ...table.labels.map((label, at) => ({
            head: vb.said(vb.shorten(label, 14)),
            class: "number",
            cell: (row) => h("span", { class: shade(row.counts[at]) }, vb.count(row.counts[at])),
            plain: (row) => row.counts[at],
          })),
          { head: "other", class: "number", cell: (row) => vb.count(row.other), plain: (row) => row.other },
        ],
        table.labels.map((label, at) => ({ label, counts: table.rows[at], other: table.other[at] })),
        { class: "slim" },
      ),
    );
  }

  const calibration = (found) =>
    panel(
      "Calibration",
      `${vb.score(100 * found.error)} points from what it was sure of, on average (${found.of}; ${vb.plural(found.count, "answer")})`,
      vb.reliability(found),
    );

  function common(glance, task, run) {
    return panel(
      "Commonest answers",
      "as they were read",
      vb.table(
        `Commonest answers to ${task.key}`,
        [
          {
            head: "answer",
            plain: (one) => one.answer,
            cell: (one) =>
              h(
                "a",
                { href: vb.link("samples", { run: run.id, task: task.key, q: one.answer }) },
                one.answer ? vb.said(vb.shorten(one.answer, 40)) : h("em", {}, "empty"),
              ),
          },
          { head: "given", class: "number", cell: (one) => vb.count(one.count), plain: (one) => one.count },
          { head: "right", class: "number", cell: (one) => `${Math.round((100 * one.right) / one.count)} %` },
        ],
        glance.common,
        { class: "slim" },
      ),
    );
  }

  function lengths({ lengths: bins, median_words: median }) {
    const [first] = bins;
    return bins.length > 1
      ? panel("Answer length", `words an answer, median ${median}`, vb.lengths(bins))
      : panel(
          "Answer length",
          `${first.label} ${first.label === "1" ? "word" : "words"} an answer`,
          h("p", {}, `All ${vb.count(first.count)} answers.`),
        );
  }

  /** The panels of one run's answers to a task. */
  vb.answerPanels = (run, task, glance) => [
    glance.yes_no ? yesNo(glance.yes_no) : null,
    glance.confusion ? confusion(glance.confusion, task) : null,
    glance.calibration ? calibration(glance.calibration) : null,
    glance.words ? lengths(glance) : null,
    glance.common.some((one) => one.count > 1) ? common(glance, task, run) : null,
  ];

  /** One breakdown of one run, as bars. */
  vb.breakdownPanel = (task, { name, bars }) => {
    const label = `${task.key} by ${vb.words(name)}`;
    const most = 30;
    const rest = bars.slice(most);
    return panel(
      h("span", {}, "By ", vb.said(vb.words(name))),
      null,
      vb.bars(bars.slice(0, most), label),
      rest.length ? h("details", {}, h("summary", {}, `${rest.length} more`), vb.bars(rest, label)) : null,
    );
  };

  /** Who graded, how far its runs agree, and how much they differ; nothing where no judge did. */
  vb.judgePanel = ({ judge, judging }) =>
    judging?.runs
      ? panel(
          "Judge",
          judging.in_intervals
            ? "Intervals carry how far its runs differ."
            : "Intervals leave out how far a judge differs from itself.",
          vb.facts([
            ["judge", judge?.name],
            ["said to be", (judging.models ?? []).join(", ")],
            ["runs", judging.runs],
            ["score by run", (judging.run_values ?? []).map((value) => vb.score(value)).join(", ")],
            ["standard deviation", judging.std === null ? null : vb.score(judging.std, 2)],
            [
              "Krippendorff's alpha",
              judging.krippendorff_alpha === null ? null : vb.score(judging.krippendorff_alpha, 3),
            ],
            ["verdicts", vb.count(judging.verdicts)],
            ["failed", judging.failed || null],
            ["prompt", judging.prompt_hash],
          ]),
        )
      : null;

  /** Whose rules, which words: the prompt as it was asked. */
  vb.protocolFacts = (task, more) => {
    const settings = Object.entries(more.generation)
      .filter(([, value]) => value !== null && String(value) !== "")
      .map(([name, value]) => `${vb.words(name)} ${value}`)
      .join(", ");
    return vb.facts([
      ["protocol", task.protocol],
      ["task version", task.version],
      ["note", more.note],
      ["source", more.source],
      ["generation", settings],
      ["judge", more.judge?.name],
      ["judge's prompt", more.judge?.prompt_hash],
      ["questions", vb.count(task.count)],
      ["images", more.images || null],
    ]);
  };
})();
