"use strict";
// The page of one run: what was run, its scores with breakdowns, and what its answers look like.

(() => {
  const { h } = vb;
  const panel = (title, hint, ...content) =>
    h("section", { class: "panel" }, h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, content);

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

  function answers(task, run) {
    const { common } = task.glance;
    return panel(
      "Commonest answers",
      "as they were read",
      vb.table(
        `Commonest answers to ${task.key}`,
        [
          {
            head: "answer",
            cell: (one) =>
              h(
                "a",
                { href: vb.link("samples", { run: run.id, task: task.key, q: one.answer }) },
                one.answer ? vb.said(vb.shorten(one.answer, 40)) : h("em", {}, "empty"),
              ),
          },
          { head: "given", class: "number", cell: (one) => vb.count(one.count) },
          { head: "right", class: "number", cell: (one) => `${Math.round((100 * one.right) / one.count)} %` },
        ],
        common,
        { class: "slim" },
      ),
    );
  }

  function breakdown(task, { name, bars }) {
    const label = `${task.key} by ${vb.words(name)}`;
    const most = 30;
    const rest = bars.slice(most);
    return panel(
      h("span", {}, "By ", vb.said(vb.words(name))),
      null,
      vb.bars(bars.slice(0, most), label),
      rest.length ? h("details", {}, h("summary", {}, `${rest.length} more`), vb.bars(rest, label)) : null,
    );
  }

  function prompt(task) {
    const settings = Object.entries(task.generation)
      .filter(([, value]) => value !== null && String(value) !== "")
      .map(([name, value]) => `${vb.words(name)} ${value}`)
      .join(", ");
    return panel(
      "Protocol",
      null,
      vb.facts([
        ["protocol", task.protocol],
        ["task version", task.version],
        ["note", task.note],
        ["source", task.source],
        ["generation", settings],
        ["questions", vb.count(task.count)],
        ["images", task.images || null],
      ]),
      task.prompt
        ? [h("p", { class: "hint" }, "A prompt, word for word:"), h("pre", { class: "quote" }, vb.said(task.prompt))]
        : null,
    );
  }

  function taskPart(run, task) {
    const bar = vb.head(task);
    return h(
      "section",
      { class: "card", "aria-label": `Scores on ${task.key}` },
      h(
        "div",
        { class: "card-head" },
        h(
          "div",
          {},
          h("h2", {}, vb.said(task.key)),
          task.title ? h("p", { class: "hint" }, vb.said(task.title)) : null,
        ),
        h(
          "a",
          { class: "button", href: vb.link("samples", { run: run.id, task: task.key }) },
          `See all ${vb.count(task.count)} samples`,
        ),
      ),
      h(
        "div",
        { class: "tiles" },
        h(
          "div",
          { class: "tile tile-main" },
          h("span", { class: "tile-name" }, vb.said(vb.words(task.headline))),
          h("span", { class: "tile-value" }, vb.score(bar.value)),
          h("span", { class: "hint" }, `95 %: ${vb.interval(bar)}`),
        ),
        h(
          "div",
          { class: "tile" },
          h("span", { class: "tile-name" }, "coverage"),
          h("span", { class: "tile-value" }, vb.coverage(task)),
          vb.statuses(task),
        ),
        h(
          "div",
          { class: "tile" },
          h("span", { class: "tile-name" }, "questions a second"),
          h("span", { class: "tile-value" }, vb.speed(task, "")),
          h(
            "span",
            { class: "hint" },
            task.glance.seconds ? `${vb.amount(task.glance.seconds)} s for ${vb.plural(task.count, "question")}` : "",
          ),
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
        panel("Metrics", null, vb.metrics(task)),
        task.breakdowns.map((one) => breakdown(task, one)),
        task.glance.yes_no ? yesNo(task.glance.yes_no) : null,
        task.glance.lengths.length
          ? panel(
              "Answer length",
              task.glance.lengths.length > 1
                ? `words an answer, median ${task.glance.median_words}`
                : `${task.glance.lengths[0].label} ${task.glance.lengths[0].label === "1" ? "word" : "words"} an answer`,
              task.glance.lengths.length > 1
                ? vb.lengths(task.glance.lengths)
                : h("p", {}, `All ${vb.count(task.glance.lengths[0].count)} answers.`),
            )
          : null,
        task.glance.common.length ? answers(task, run) : null,
        prompt(task),
      ),
    );
  }

  function about(run) {
    const facts = Object.entries({ ...run.model.facts, ...run.model.settings })
      .filter(([name, value]) => name !== "training_log" && value !== "" && value !== null)
      .map(([name, value]) => [
        vb.words(name),
        typeof value === "number" && Math.abs(value) >= 1e4 ? vb.amount(value) : String(value),
      ]);
    const machine = run.hardware ?? {};
    const code = run.code?.commit ? `${run.code.commit.slice(0, 12)}${run.code.changed ? ", changed" : ""}` : null;
    return h(
      "section",
      { class: "card", "aria-label": "About this run" },
      h("div", { class: "card-head" }, h("h2", {}, "About this run")),
      h(
        "div",
        { class: "panels" },
        panel(
          "Model",
          null,
          vb.facts([["name", run.model.name], ["weights", run.model.fingerprint.slice(0, 16)], ...facts]),
        ),
        panel(
          "Run",
          null,
          vb.facts([
            ["folder", run.folder],
            ["started", run.started],
            ["finished", run.finished],
            ["seed", run.seed],
            ["limit", run.limit],
            ["ablation", run.ablate],
            ["vlmbench", run.vlmbench],
            ["code", code],
            ["prompt tokens a question", mean(run, "prompt_tokens")],
            ["new tokens a question", mean(run, "new_tokens")],
          ]),
          run.command
            ? [h("p", { class: "hint" }, "Run it again:"), h("pre", { class: "quote" }, vb.said(run.command))]
            : null,
        ),
        panel(
          "Machine and packages",
          null,
          vb.facts([
            ["processor", machine.processor || machine.machine],
            ["cores", machine.cores],
            ["threads", machine.threads],
            ["GPU", machine.gpu],
            ["memory", machine.memory_bytes ? `${(machine.memory_bytes / 2 ** 30).toFixed(1)} GiB` : null],
            ...Object.entries(run.packages ?? {}),
          ]),
        ),
      ),
    );
  }

  function mean(run, name) {
    const known = run.tasks.filter((task) => task.glance[name]);
    return known.length ? known.map((task) => `${task.glance[name].toFixed(1)} (${task.key})`).join(", ") : null;
  }

  vb.views.run = {
    title: (params) => vb.run(params.get("run"))?.label ?? "Run",
    build: (main, params) => {
      const run = vb.run(params.get("run"));
      if (!run) return void main.append(vb.lost("There is no such run in this report."));
      const only = vb.task(run, params.get("task"));
      const tab = (text, key) =>
        h(
          "a",
          {
            href: vb.link("run", { run: run.id, task: key }),
            "aria-current": (only?.key ?? "") === key ? "page" : null,
          },
          key ? vb.said(text) : text,
        );
      main.append(
        h(
          "div",
          { class: "page" },
          h(
            "div",
            { class: "title" },
            h("h1", {}, vb.said(run.label)),
            h(
              "p",
              { class: "hint" },
              [
                run.finished ? `finished ${run.finished}` : null,
                `weights ${run.model.fingerprint.slice(0, 12)}`,
                run.limit ? `limit ${run.limit}` : null,
              ]
                .filter(Boolean)
                .join(" · "),
            ),
          ),
          vb.sampleNotice(run.tasks),
          run.tasks.length > 1
            ? h(
                "nav",
                { class: "tabs", "aria-label": "Tasks of this run" },
                tab("All", ""),
                run.tasks.map((task) => tab(task.key, task.key)),
              )
            : null,
          (only ? [only] : run.tasks).map((task) => taskPart(run, task)),
          run.training?.length
            ? h(
                "section",
                { class: "card", "aria-label": "Training" },
                h("div", { class: "card-head" }, h("h2", {}, "Training")),
                vb.training(run.training),
              )
            : null,
          about(run),
        ),
      );
    },
  };
})();
