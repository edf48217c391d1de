"use strict";
// The first page: every task's runs by headline, each with its interval on a shared axis.

(() => {
  const { h } = vb;

  /** Tasks of all runs with the runs that took them, in order of first appearance. */
  function boards(runs) {
    const found = new Map();
    for (const run of runs) {
      for (const task of run.tasks) {
        if (!found.has(task.key)) found.set(task.key, []);
        found.get(task.key).push({ run, task, bar: vb.head(task) });
      }
    }
    for (const rows of found.values()) rows.sort((a, b) => (b.bar.value ?? -Infinity) - (a.bar.value ?? -Infinity));
    return found;
  }

  /** What differs between rows of one task, so that nobody compares what cannot be compared. */
  function differing(rows) {
    const asks = {
      data: (task) => vb.dataLine(task),
      questions: (task) => task.hashes.samples,
      prompts: (task) => task.hashes.prompts,
      version: (task) => task.version,
    };
    return Object.entries(asks)
      .filter(([, of]) => new Set(rows.map(({ task }) => of(task))).size > 1)
      .map(([name]) => name);
  }

  function board(key, rows) {
    const bars = rows.map(({ bar }) => bar);
    const domain = rows.length > 1 ? vb.near(bars) : vb.domain(bars);
    const { task } = rows[0];
    const differ = differing(rows);
    return h(
      "section",
      { class: "card", "aria-label": `Task ${key}` },
      h(
        "div",
        { class: "card-head" },
        h("div", {}, h("h2", {}, vb.said(key)), task.title ? h("p", { class: "hint" }, vb.said(task.title)) : null),
        h(
          "dl",
          { class: "mini" },
          [
            ["headline", vb.words(task.headline)],
            ["protocol", task.protocol],
            ["data", vb.dataLine(task)],
          ].map(([name, value]) =>
            h(
              "div",
              { class: name === "data" && task.embedded ? "mini-loud" : "" },
              h("dt", {}, name),
              h("dd", {}, vb.said(value)),
            ),
          ),
        ),
      ),
      differ.length
        ? h(
            "p",
            { class: "notice", role: "note" },
            h("strong", {}, "Not the same test. "),
            `These runs differ in: ${differ.join(", ")}.`,
          )
        : null,
      vb.table(
        `Runs on ${key}, best first`,
        [
          {
            head: "run",
            class: "run",
            cell: ({ run }) => h("a", { href: vb.link("run", { run: run.id, task: key }) }, vb.said(run.label)),
          },
          {
            head: vb.words(task.headline),
            class: "number strong",
            cell: ({ bar }) => [vb.score(bar.value), h("span", { class: "under" }, vb.interval(bar))],
          },
          {
            head: [h("span", { class: "axis-name" }, "95 % interval"), vb.whiskerAxis(domain)],
            class: "whisker",
            cell: ({ bar, run }) => vb.whisker(bar, domain, run.label),
          },
          { head: "n", class: "number", cell: ({ bar }) => vb.count(bar.n) },
          { head: "coverage", class: "number", cell: ({ task: one }) => vb.coverage(one) },
          { head: "statuses", cell: ({ task: one }) => vb.statuses(one) },
          { head: "questions/s", class: "number", cell: ({ task: one }) => vb.speed(one, "") },
          {
            head: h("span", { class: "unseen" }, "samples"),
            class: "go",
            cell: ({ run }) =>
              h(
                "a",
                {
                  href: vb.link("samples", { run: run.id, task: key }),
                  "aria-label": `Samples of ${run.label} on ${key}`,
                },
                "samples",
              ),
          },
        ],
        rows,
        { class: "board" },
      ),
      published(key),
    );
  }

  /** What papers and tools printed for the same benchmark and split; the faint ones cannot be set beside these runs, and say why. */
  function published(key) {
    const rows = vb.block("report").published?.[key] ?? [];
    if (!rows.length) return null;
    const good = rows.filter((row) => !row.why).length;
    return h(
      "details",
      { class: "published" },
      h("summary", {}, `Published figures: ${vb.count(good)} comparable, ${vb.count(rows.length - good)} not`),
      vb.table(
        `Published figures for ${key}`,
        [
          { head: "model", class: "run", cell: (row) => row.model },
          { head: "metric", cell: (row) => vb.words(row.metric) },
          { head: "value", class: "number strong", cell: (row) => String(row.value) },
          { head: "protocol", cell: (row) => row.protocol || "not known" },
          {
            head: "source",
            class: "wrap",
            cell: (row) => [row.source, h("span", { class: "under wrap" }, row.certainty)],
          },
          { head: "comparable", class: "wrap", cell: (row) => (row.why ? `no: ${row.why}` : "yes") },
        ],
        rows,
        { class: "slim" },
      ),
    );
  }

  /** Runs against tasks, when there are several of both. */
  function overview(runs, found) {
    if (runs.length < 2 || found.size < 2) return null;
    const best = new Map([...found].map(([key, rows]) => [key, rows[0].bar.value]));
    const columns = [...found.keys()].map((key) => ({
      head: vb.said(key),
      class: "number",
      cell: (run) => {
        const task = vb.task(run, key);
        if (!task) return "–";
        const bar = vb.head(task);
        return h(
          "a",
          { class: "cell", href: vb.link("run", { run: run.id, task: key }) },
          h("span", { class: bar.value !== null && bar.value === best.get(key) ? "strong" : "" }, vb.score(bar.value)),
          h("span", { class: "under" }, vb.interval(bar)),
        );
      },
    }));
    return h(
      "section",
      { class: "card", "aria-label": "All runs and tasks" },
      h("div", { class: "card-head" }, h("h2", {}, "At a glance")),
      vb.table(
        "Headline of every run on every task",
        [
          {
            head: "run",
            class: "run",
            cell: (run) => h("a", { href: vb.link("run", { run: run.id }) }, vb.said(run.label)),
          },
          ...columns,
        ],
        runs,
        { class: "glance" },
      ),
    );
  }

  vb.views.leaderboard = {
    title: () => "Leaderboard",
    build: (main) => {
      const { runs, made } = vb.block("report");
      const found = boards(runs);
      const tasks = runs.flatMap((run) => run.tasks);
      main.append(
        h(
          "div",
          { class: "page" },
          h(
            "div",
            { class: "title" },
            h("h1", {}, "Leaderboard"),
            h(
              "p",
              { class: "hint" },
              `${vb.plural(runs.length, "run")} on ${vb.plural(found.size, "task")}, ${vb.plural(
                tasks.reduce((sum, task) => sum + task.count, 0),
                "answer",
              )}. Intervals are 95 %, clustered by image. Made ${made}.`,
            ),
          ),
          vb.sampleNotice(tasks),
          overview(runs, found),
          [...found].map(([key, rows]) => board(key, rows)),
        ),
      );
    },
  };
})();
