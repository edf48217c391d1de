"use strict";
// The page of one run of a model: its parts, memory, speed and cost, its scores with breakdowns, and how it was trained.

(() => {
  const { h, panel } = vb;

  const tile = (name, value, hint, kind = "") =>
    h(
      "div",
      { class: `tile ${kind}` },
      h("span", { class: "tile-name" }, name),
      h("span", { class: "tile-value" }, value),
      hint ? h("span", { class: "hint" }, hint) : null,
    );

  function taskPart(run, task, more) {
    const { bar } = task;
    return vb.card(
      h("a", { href: vb.link("task", { task: task.key, run: run.id }) }, vb.said(task.key)),
      task.title ? vb.said(task.title) : null,
      h(
        "a",
        { class: "button", href: vb.link("samples", { run: run.id, task: task.key }) },
        `See all ${vb.count(task.count)} samples`,
      ),
      vb.notes(task),
      h(
        "div",
        { class: "tiles" },
        tile(vb.said(vb.words(task.headline)), vb.score(bar.value), `95 %: ${vb.interval(bar)}`, "tile-main"),
        tile("coverage", vb.coverage(task), vb.statuses(task)),
        tile(
          "questions a second",
          vb.speed(task, ""),
          more.glance.seconds ? `${vb.seconds(more.glance.seconds)} for ${vb.plural(task.count, "question")}` : "",
        ),
        h(
          "div",
          { class: `tile ${task.embedded ? "tile-loud" : ""}` },
          h("span", { class: "tile-name" }, "data"),
          h("span", { class: "tile-words" }, vb.said(vb.dataLine(task))),
          h("span", { class: "hint" }, task.embedded ? "not comparable with papers" : ""),
        ),
      ),
      h(
        "div",
        { class: "panels" },
        panel("Metrics", null, vb.metrics({ ...task, metrics: more.metrics })),
        vb.judgePanel(more),
        more.breakdowns.map((one) => vb.breakdownPanel(task, one)),
        vb.answerCounts(more),
        vb.answerPanels(run, task, more.glance),
        panel(
          "Protocol",
          null,
          vb.protocolFacts(task, more),
          more.prompt
            ? [
                h("p", { class: "hint" }, "A prompt, word for word:"),
                h("pre", { class: "quote", tabindex: "0" }, vb.said(more.prompt)),
              ]
            : null,
        ),
      ),
    );
  }

  const PARTS = ["vision_tower", "connector", "language_model"];

  /** Parameters and bytes by part, where the model tells them. */
  function parts({ facts }) {
    const names = [
      ...new Set([...PARTS, ...Object.keys(facts).map((name) => name.match(/^parameters_(.+)$/)?.[1])]),
    ].filter((name) => name && facts[`parameters_${name}`] !== undefined);
    if (!names.length) return null;
    const rows = [...names.map((name) => ({ name, key: `_${name}` })), { name: "all", key: "" }];
    return panel(
      "Parts",
      null,
      vb.table(
        "Parts of the model",
        [
          { head: "part", cell: (row) => vb.words(row.name) },
          {
            head: "parameters",
            class: "number",
            cell: (row) =>
              facts[`parameters${row.key}`] === undefined ? "–" : vb.amount(facts[`parameters${row.key}`]),
            plain: (row) => facts[`parameters${row.key}`] ?? null,
          },
          {
            head: "weights",
            class: "number",
            cell: (row) =>
              facts[`weight_bytes${row.key}`] === undefined ? "–" : vb.bytes(facts[`weight_bytes${row.key}`]),
            plain: (row) => facts[`weight_bytes${row.key}`] ?? null,
          },
        ],
        rows,
        { class: "slim" },
      ),
    );
  }

  function costTiles(run) {
    const known = Object.entries(vb.block("report").costs).filter(([name]) => run.costs[name] !== null);
    return known.length
      ? h(
          "div",
          { class: "tiles" },
          known.map(([name, text]) => tile(text, vb.cost(name, run.costs[name]))),
        )
      : null;
  }

  const mean = (details, name) => {
    const known = Object.entries(details.tasks).filter(([, task]) => task.glance[name]);
    return known.length ? known.map(([key, task]) => `${task.glance[name].toFixed(1)} (${key})`).join(", ") : null;
  };

  function about(run, details) {
    const { model, hardware: machine, code } = details;
    const facts = Object.entries({ ...model.facts, ...model.settings })
      .filter(
        ([name, value]) =>
          !/^(training_log|parameters|weight_bytes|peak_memory_bytes|seconds_per_)/.test(name) &&
          value !== "" &&
          value !== null,
      )
      .map(([name, value]) => [
        vb.words(name),
        typeof value === "number" && Math.abs(value) >= 1e4 ? vb.amount(value) : String(value),
      ]);
    const commit = code?.commit ? `${code.commit.slice(0, 12)}${code.changed ? ", changed" : ""}` : null;
    return vb.card(
      "About this run",
      null,
      null,
      costTiles(run),
      h(
        "div",
        { class: "panels" },
        parts(model),
        panel("Model", null, vb.facts([["name", model.name], ["weights", model.fingerprint.slice(0, 16)], ...facts])),
        panel(
          "Run",
          null,
          vb.facts([
            ["folder", details.folder],
            ["started", details.started],
            ["finished", details.finished],
            ["seed", details.seed],
            ["limit", run.limit],
            ["ablation", run.ablate],
            ["vlmbench", details.vlmbench],
            ["code", commit],
            ["judge", details.judge?.name],
            ["prompt tokens a question", mean(details, "prompt_tokens")],
            ["new tokens a question", mean(details, "new_tokens")],
          ]),
          details.command
            ? [
                h("p", { class: "hint" }, "Run it again:"),
                h("pre", { class: "quote", tabindex: "0" }, vb.said(details.command)),
              ]
            : null,
        ),
        panel(
          "Machine and packages",
          null,
          vb.facts([
            ["processor", machine?.processor || machine?.machine],
            ["cores", machine?.cores],
            ["threads", machine?.threads],
            ["GPU", machine?.gpu],
            ["memory", machine?.memory_bytes ? vb.bytes(machine.memory_bytes) : null],
            ...Object.entries(details.packages ?? {}),
          ]),
        ),
      ),
    );
  }

  /** What a gate said of each task; those that none tested have no line. */
  const gate = (run, tasks) =>
    tasks
      .map((task) => vb.gate(run, task.key))
      .filter(Boolean)
      .map(({ key, outcome, reason }) =>
        h(
          "p",
          { class: `notice notice-${outcome}`, role: "note" },
          h("strong", {}, "Gate on ", vb.said(key), `: ${outcome}. `),
          vb.said(reason ?? ""),
        ),
      );

  vb.views.model = {
    title: (params) => vb.run(params.get("run"))?.label ?? "Model",
    needs: (params) => (vb.run(params.get("run")) ? [`run-${params.get("run")}`] : []),
    build: (main, params) => {
      const run = params.has("run") ? vb.run(params.get("run")) : null;
      if (!run) return void main.append(vb.lost("There is no such run in this report."));
      const details = vb.details(run);
      const only = vb.task(run, params.get("task"));
      const tab = (key) =>
        h(
          "a",
          {
            href: vb.link("model", { run: run.id, task: key }),
            "aria-current": (only?.key ?? "") === key ? "page" : null,
          },
          key ? vb.said(key) : "All",
        );
      const line = [
        run.finished ? `finished ${run.finished}` : null,
        `weights ${run.fingerprint.slice(0, 12)}`,
        run.limit ? `limit ${run.limit}` : null,
      ];
      main.append(
        vb.page(
          vb.said(run.label),
          line.filter(Boolean).join(" · "),
          vb.runs().length > 1
            ? vb.choice(
                "run",
                "run",
                run.id,
                vb.runs().map((one) => [one.id, one.label]),
                (id) => (location.hash = vb.link("model", { run: id })),
              )
            : null,
          vb.sampleNotice(run.tasks),
          gate(run, only ? [only] : run.tasks),
          run.tasks.length > 1
            ? h(
                "nav",
                { class: "tabs", "aria-label": "Tasks of this run" },
                tab(""),
                run.tasks.map((task) => tab(task.key)),
              )
            : null,
          (only ? [only] : run.tasks).map((task) => taskPart(run, task, details.tasks[task.key])),
          details.training?.length ? vb.card("Training", null, null, vb.training(details.training)) : null,
          about(run, details),
        ),
      );
    },
  };
})();
