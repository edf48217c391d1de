"use strict";
// The page of one task: how it is asked and scored, its board, score against cost, and breakdowns of all runs.

(() => {
  const { h, panel } = vb;
  const MOST_LABELS = 24;

  function rules(takers) {
    const seen = new Map();
    const worded = vb.otherPrompts(takers);
    for (const { run, task } of takers) {
      const more = vb.details(run).tasks[task.key];
      const key = [task.protocol, task.version, JSON.stringify(more.generation), worded ? more.prompt : ""].join("\n");
      if (!seen.has(key)) seen.set(key, { task, more, runs: [] });
      seen.get(key).runs.push(run.label);
    }
    return vb.card(
      "How it is asked",
      null,
      null,
      [...seen.values()].map(({ task, more, runs }) =>
        h(
          "div",
          { class: "rules" },
          seen.size > 1 ? h("p", { class: "hint" }, vb.said(vb.shorten(runs.join(", "), 200))) : null,
          h(
            "div",
            {},
            h("h3", {}, "A prompt, word for word"),
            h("pre", { class: "quote", tabindex: "0" }, vb.said(more.prompt || "–")),
          ),
          h("div", {}, h("h3", {}, "Rules"), vb.protocolFacts(task, more)),
        ),
      ),
    );
  }

  /** What stands beside the scores, by run. */
  function notes(takers) {
    const noted = takers.filter(({ task }) => task.notes?.length);
    return noted.length
      ? vb.card(
          "Notes",
          "What a reader of these scores should know.",
          null,
          noted.map(({ run, task }) => [h("h3", {}, vb.said(run.label)), vb.notes(task)]),
        )
      : null;
  }

  /** Score against seconds a question, and against memory. */
  function cost(takers) {
    const plots = [
      [
        "Score against time",
        "seconds a question",
        ({ task }) => (task.per_second ? 1 / task.per_second : null),
        vb.seconds,
      ],
      [
        "Score against memory",
        "peak memory",
        ({ run }) => run.costs.peak_memory_bytes / 2 ** 20,
        (value) => vb.bytes(value * 2 ** 20),
      ],
    ];
    const drawn = plots
      .map(([label, xLabel, of, told]) => {
        const points = takers
          .map((one) => ({
            id: one.run.id,
            label: one.run.label,
            x: of(one),
            y: one.task.bar.value,
            low: one.task.bar.low,
            high: one.task.bar.high,
          }))
          .filter((point) => point.x && point.y !== null);
        return points.length > 1
          ? panel(label, null, vb.pareto(points, { label, xLabel, yLabel: vb.words(takers[0].task.headline), told }))
          : null;
      })
      .filter(Boolean);
    return drawn.length
      ? vb.card(
          "Score against cost",
          "Runs on the dashed line are beaten by none on both.",
          null,
          h("div", { class: "halves" }, drawn),
        )
      : null;
  }

  function breakdowns(takers) {
    const names = [
      ...new Set(takers.flatMap(({ run, task }) => vb.details(run).tasks[task.key].breakdowns.map((one) => one.name))),
    ];
    if (!names.length) return null;
    const parts = names.map((name) => {
      const rows = takers.flatMap(({ run, task }) =>
        (vb.details(run).tasks[task.key].breakdowns.find((one) => one.name === name)?.bars ?? []).map((bar) => ({
          ...bar,
          id: run.id,
          run: run.label,
        })),
      );
      const labels = [...new Set(rows.map((row) => row.label))];
      const first = new Set(labels.slice(0, MOST_LABELS));
      const [shown, rest] = [rows.filter((row) => first.has(row.label)), rows.filter((row) => !first.has(row.label))];
      const label = `By ${vb.words(name)}`;
      return panel(
        h("span", {}, "By ", vb.said(vb.words(name))),
        null,
        vb.sideBySide(shown, label),
        rest.length
          ? h("details", {}, h("summary", {}, `${labels.length - MOST_LABELS} more`), vb.sideBySide(rest, label))
          : null,
        h("details", {}, h("summary", {}, "as a table"), breakdownTable(label, labels, rows, takers)),
      );
    });
    return vb.card("Breakdowns", null, vb.legend(takers.map(({ run }) => run)), h("div", { class: "halves" }, parts));
  }

  function breakdownTable(caption, labels, rows, takers) {
    const found = new Map(rows.map((row) => [`${row.id}\n${row.label}`, row]));
    return vb.table(
      caption,
      [
        { head: "", name: "label", cell: (label) => vb.said(label) },
        ...takers.map(({ run }) => ({
          head: vb.said(run.label),
          class: "number",
          cell: (label) => {
            const row = found.get(`${run.id}\n${label}`);
            return row ? [vb.score(row.value), h("span", { class: "under" }, vb.interval(row))] : "–";
          },
          plain: (label) => found.get(`${run.id}\n${label}`)?.value ?? null,
        })),
      ],
      labels,
      { class: "slim" },
    );
  }

  function answers(takers, params) {
    const chosen = takers.find(({ run }) => run.id === params.get("run")) ?? takers[0];
    const { run, task } = chosen;
    const panels = vb.answerPanels(run, task, vb.details(run).tasks[task.key].glance).filter(Boolean);
    return panels.length
      ? vb.card(
          "Answers",
          null,
          takers.length > 1
            ? vb.choice(
                "run",
                "run",
                run.id,
                takers.map((one) => [one.run.id, one.run.label]),
              )
            : null,
          h("div", { class: "panels" }, panels),
        )
      : null;
  }

  vb.views.task = {
    title: (params) => params.get("task") ?? "Task",
    needs: (params) => vb.takers(params.get("task") ?? vb.taskKeys()[0]).map(({ run }) => `run-${run.id}`),
    build: (main, params) => {
      const key = params.get("task") ?? vb.taskKeys()[0];
      const takers = vb.takers(key);
      if (!takers.length) return void main.append(vb.lost("There is no such task in this report."));
      const keys = vb.taskKeys();
      const { task } = takers[0];
      main.append(
        vb.page(
          vb.said(key),
          task.title ? vb.said(task.title) : null,
          keys.length > 1
            ? vb.choice(
                "task",
                "task",
                key,
                keys.map((one) => [one, one]),
                (one) => (location.hash = vb.link("task", { task: one })),
              )
            : null,
          vb.sampleNotice(takers.map((one) => one.task)),
          vb.board(key, params, { title: false }),
          notes(takers),
          rules(takers),
          cost(takers),
          breakdowns(takers),
          answers(takers, params),
        ),
      );
    },
  };
})();
