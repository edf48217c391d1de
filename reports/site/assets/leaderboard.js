"use strict";
// The first page: every task's runs by headline, each with its interval on a shared axis and the range of its rank.

(() => {
  const { h } = vb;

  /** What differs between rows of one task, so that nobody compares what cannot be compared. */
  function differing(rows) {
    const asks = {
      data: (task) => vb.dataLine(task),
      questions: (task) => task.hashes.samples,
      version: (task) => task.version,
    };
    const unlike = (of, among = rows) => new Set(among.map(({ task }) => of(task))).size > 1;
    const found = Object.keys(asks).filter((name) => unlike(asks[name]));
    return vb.otherPrompts(rows) ? [...found, "prompts"] : found;
  }

  const rankOf = (key, run) => vb.block("report").ranks[key]?.ranks[run.id] ?? null;
  const rankText = (rank) => (rank === null ? "–" : rank[0] === rank[1] ? `${rank[0]}` : `${rank[0]}–${rank[1]}`);

  /** What a row is sorted by, for each column that can be. Rows of published figures have a score alone. */
  const BY = {
    rank: ({ rank }) => (rank ? rank[0] * 1000 + rank[1] : null),
    score: ({ bar }) => (bar.bounds ? bar.bounds[0] : bar.value), // missing answers lift no run
    run: ({ run, paper }) => (run?.label ?? paper.model).toLowerCase(),
    n: ({ task }) => task?.coverage ?? null,
    ...Object.fromEntries(
      Object.keys(vb.block("report")?.costs ?? {}).map((name) => [name, ({ run }) => run?.costs[name] ?? null]),
    ),
  };
  BY.per_second = ({ task }) => task?.per_second ?? null;

  function sorted(rows, by, down) {
    const of = BY[by] ?? BY.score;
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    return [...rows].sort((one, other) => {
      const [a, b] = [of(one), of(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? order(b, a) : order(a, b);
    });
  }

  const costColumns = (rows) =>
    Object.entries(vb.block("report").costs)
      .filter(([name]) => rows.some(({ run }) => run && run.costs[name] !== null))
      .map(([name, head]) => {
        const of = ({ run, task }) => (run ? (name === "per_second" ? task.per_second : run.costs[name]) : null);
        return {
          key: name,
          down: name === "per_second",
          head,
          small: head,
          class: "number",
          cell: (row) => vb.cost(name, of(row)),
          plain: of,
        };
      });

  const gateMark = (gate) =>
    gate ? h("span", { class: `tag tag-${gate.outcome}`, title: gate.reason }, `gate: ${gate.outcome}`) : null;

  const runCell = ({ run, paper, task }) =>
    run
      ? [
          h("a", { href: vb.link("model", { run: run.id, task: task.key }) }, vb.said(run.label)),
          gateMark(vb.gate(run, task.key)),
        ]
      : [h("span", {}, paper.model), h("span", { class: "tag" }, "published")];

  /** What stands in place of a published row's other columns. */
  const sourceOf = (paper) => [
    h(
      "span",
      { class: "under wrap" },
      `${vb.words(paper.metric)}, protocol ${paper.protocol || "not known"}; ${paper.source}; ${paper.certainty}`,
    ),
    h(
      "span",
      { class: `under wrap ${paper.why ? "lacking" : ""}` },
      paper.why ? `not comparable: ${paper.why}` : "comparable: same benchmark, split, protocol and metric",
    ),
  ];

  function columns(key, rows, domain) {
    const { task } = rows.find((row) => row.task);
    return [
      {
        key: "run",
        head: "run",
        class: "run",
        cell: runCell,
        plain: ({ run, paper }) => run?.label ?? `${paper.model} (published)`,
      },
      {
        key: "rank",
        head: "rank",
        small: "rank",
        class: "number",
        cell: ({ rank, run }) => (run ? rankText(rank) : "–"),
        plain: ({ rank }) => (rank ? rankText(rank) : null),
      },
      {
        key: "score",
        down: true,
        head: vb.words(task.headline),
        class: "number strong",
        cell: ({ bar, run, task: one }) => [
          vb.score(bar.value),
          run ? h("span", { class: "under" }, vb.interval(bar)) : null,
          bar.bounds ? h("span", { class: "under" }, `${vb.score(bar.bounds[0])} – ${vb.score(bar.bounds[1])} with what is missing`) : null,
          one ? vb.notesMark(one) : null,
        ],
        plain: ({ bar }) => bar.value,
      },
      {
        head: [h("span", { class: "axis-name" }, "95 % interval"), vb.whiskerAxis(domain)],
        name: "95 % interval",
        class: "whisker",
        cell: ({ bar, run, paper }) =>
          vb.whisker(bar, domain, run?.label ?? paper.model, run ? vb.colour(run.id) : "var(--muted)"),
        plain: ({ bar }) => (bar.low === null ? null : `${bar.low} to ${bar.high}`),
      },
      {
        key: "n",
        down: true,
        head: "answered",
        small: "answered",
        class: "number",
        cell: ({ task: one }) =>
          one
            ? [
                vb.coverage(one),
                h("span", { class: "under" }, `of ${vb.count(one.count)}`),
                one.coverage < 1 ? vb.statuses(one, true) : null,
              ]
            : "–",
        plain: ({ task: one }) => one?.coverage ?? null,
      },
      ...costColumns(rows),
      {
        head: h("span", { class: "unseen" }, "samples"),
        class: "go",
        plain: null,
        cell: ({ run, task: one }) =>
          run
            ? h(
                "a",
                {
                  href: vb.link("samples", { run: run.id, task: key }),
                  "aria-label": `Samples of ${run.label} on ${one.key}`,
                },
                "samples",
              )
            : null,
      },
    ];
  }

  /** Runs as rows, and the published figures that are asked for: `comparable` ones, `all`, or `none`. */
  function rowsOf(key, params) {
    const words = (params.get("q") ?? "").toLowerCase().trim();
    const fits = (name) => !words || name.toLowerCase().includes(words);
    const runs = vb
      .takers(key)
      .map(({ run, task }) => ({ run, task, bar: task.bar, rank: rankOf(key, run) }))
      .filter(({ run }) => fits(run.label));
    const asked = params.get("published") ?? "comparable";
    const found = asked === "none" ? [] : (vb.block("report").published[key] ?? []);
    const papers = found
      .filter((paper) => (asked === "all" || !paper.why) && fits(paper.model))
      .map((paper) => ({
        paper,
        rank: null,
        marked: paper.why ? "published published-faint" : "published",
        spans: { from: 4, node: sourceOf(paper) },
        bar: { name: paper.metric, label: "", value: paper.value, low: null, high: null, n: 0 },
      }));
    return { runs, papers };
  }

  /** The board of one task; also on the task's own page. */
  vb.board = (key, params, { title = true } = {}) => {
    const { runs, papers } = rowsOf(key, params);
    if (!runs.length) return null;
    const fitting = papers.filter(({ paper }) => paper.metric === runs[0].task.headline);
    const domain =
      runs.length + papers.length > 1 ? vb.near([...runs, ...fitting].map(({ bar }) => bar)) : vb.domain([runs[0].bar]);
    const { task } = runs[0];
    const differ = differing(runs);
    const by = params.get("sort") ?? "score";
    const down = (params.get("dir") ?? (by === "score" ? "down" : "up")) === "down";
    const go = (now, turned) =>
      vb.change({
        sort: now === "score" && turned ? null : now,
        dir: now === "score" && turned ? null : turned ? "down" : "up",
      });
    const paired = vb.block("report").ranks[key]?.paired;
    const facts = [
      ["headline", vb.words(task.headline)],
      ["protocol", task.protocol],
      ["data", vb.dataLine(task)],
    ];
    const mini = h(
      "dl",
      { class: "mini" },
      facts.map(([name, value]) =>
        h(
          "div",
          { class: name === "data" && task.embedded ? "mini-loud" : "" },
          h("dt", {}, name),
          h("dd", {}, vb.said(value)),
        ),
      ),
    );
    const hidden = (vb.block("report").published[key]?.length ?? 0) - papers.length;
    const heading = title ? h("a", { href: vb.link("task", { task: key }) }, vb.said(key)) : "Runs";
    return vb.card(
      heading,
      title && task.title ? vb.said(task.title) : null,
      mini,
      differ.length
        ? h(
            "p",
            { class: "notice", role: "note" },
            h("strong", {}, "Not the same test. "),
            `These runs differ in: ${differ.join(", ")}.`,
          )
        : null,
      vb.table(`Runs on ${key}`, columns(key, [...runs, ...papers], domain), sorted([...runs, ...papers], by, down), {
        class: "board",
        sort: { by, down, go },
        name: key,
      }),
      h(
        "p",
        { class: "hint" },
        runs.length > 1
          ? `A rank is a range: ${paired ? "paired tests on the same questions" : "tests of the difference of two scores"} tell runs apart (5 % per task, corrected over its pairs by Holm), unless missing answers could turn it. `
          : null,
        hidden > 0 ? h("a", { href: published("all") }, `${vb.plural(hidden, "published figure")} not shown`) : null,
      ),
    );
  };

  const published = (which) => {
    const { view, params } = vb.route();
    params.set("published", which);
    return vb.link(view, params);
  };

  function overview(runs, keys) {
    const shown = runs.filter((run) => run.tasks.some((task) => keys.includes(task.key)));
    if (keys.length < 2 || shown.length < 2) return null;
    const columnsOf = keys.map((key) => ({
      head: h("a", { href: vb.link("task", { task: key }) }, vb.said(key)),
      class: "number",
      plain: (run) => vb.task(run, key)?.bar.value ?? null,
      cell: (run) => {
        const task = vb.task(run, key);
        if (!task) return "–";
        const first = rankOf(key, run)?.[0] === 1;
        return h(
          "a",
          { class: "cell", href: vb.link("model", { run: run.id, task: key }) },
          h("span", { class: first ? "strong" : "" }, vb.score(task.bar.value)),
          h("span", { class: "under" }, vb.interval(task.bar)),
        );
      },
    }));
    return vb.card(
      "At a glance",
      "Bold: no other run tests better (5 % per task, corrected over its pairs).",
      null,
      vb.table(
        "Headline of every run on every task",
        [
          {
            head: "run",
            class: "run",
            cell: (run) => h("a", { href: vb.link("model", { run: run.id }) }, vb.said(run.label)),
          },
          ...columnsOf,
        ],
        shown,
        { class: "glance" },
      ),
    );
  }

  function controls(keys) {
    let typing = 0;
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Filter runs by name",
      "aria-label": "Filter runs by name",
      autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => vb.change({ q: search.value }, { replace: true }), 150);
      },
    });
    const task = vb.choice("task", "task", "", [["", "all"], ...keys.map((key) => [key, key])]);
    const papers = vb.choice("published figures", "published", "", [
      ["", "comparable ones"],
      ["all", "all"],
      ["none", "none"],
    ]);
    const update = (params) => {
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      task.lastChild.value = params.get("task") ?? "";
      papers.lastChild.value = params.get("published") ?? "";
    };
    const form = {
      class: "filters filter-row",
      role: "search",
      "aria-label": "Filter",
      onsubmit: (event) => event.preventDefault(),
    };
    return { node: h("form", form, search, task, papers), update };
  }

  vb.views.leaderboard = {
    title: () => "Leaderboard",
    same: () => "",
    build: (main) => {
      const { made } = vb.block("report");
      const runs = vb.contenders();
      const keys = vb.taskKeys();
      const tasks = runs.flatMap((run) => run.tasks);
      const answers = tasks.reduce((sum, task) => sum + task.count, 0);
      const bar = controls(keys);
      const boards = h("div", { class: "stack" });
      main.append(
        vb.page(
          "Leaderboard",
          `${vb.plural(runs.length, "run")} on ${vb.plural(keys.length, "task")}, ${vb.plural(answers, "answer")}. Intervals are 95 %, clustered by image. Made ${made}.`,
          h("a", { class: "button", href: "exports/leaderboard.csv", download: true }, "Save as CSV"),
          vb.sampleNotice(tasks),
          bar.node,
          boards,
        ),
      );
      return {
        update: (params) => {
          bar.update(params);
          const only = params.get("task");
          const shown = only ? keys.filter((key) => key === only) : keys;
          const words = (params.get("q") ?? "").toLowerCase().trim();
          const fitting = runs.filter((run) => run.label.toLowerCase().includes(words));
          const focus = document.activeElement?.dataset?.sort;
          const parts = [overview(fitting, shown), ...shown.map((key) => vb.board(key, params))].filter(Boolean);
          boards.replaceChildren(
            ...(parts.length ? parts : [h("p", { class: "nothing" }, "No run fits this filter.")]),
          );
          if (focus) boards.querySelector(`[data-sort="${focus}"]`)?.focus();
        },
      };
    },
  };
})();
