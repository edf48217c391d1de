"use strict";
// Two runs beside each other: paired differences, and every question whose answer or verdict differs.

(() => {
  const { h } = vb;
  const HEIGHT = 148;
  const LEAST = 420;

  const KINDS = { lost: "A right, B wrong", gained: "A wrong, B right", changed: "Other words", all: "All" };

  /** The runs and the task that the URL asks for; the first pair that was compared where it says nothing. */
  function chosen(params) {
    const first = vb.block("report").pairs[0] ?? [];
    const a = vb.run(params.get("a") ?? first[0]);
    const b = vb.run(params.get("b") ?? first[1]);
    const keys = a && b ? a.tasks.map((task) => task.key).filter((key) => vb.task(b, key)) : [];
    const key = params.get("task") ?? keys[0];
    return { a, b, keys, key: keys.includes(key) ? key : null };
  }

  /** Rows of both runs by the same id: [row in a, row in b]. */
  function joined(one, other) {
    const pairs = [];
    one.id.forEach((id, row) => {
      const there = other.place(id);
      if (there !== null) pairs.push([row, there]);
    });
    return pairs;
  }

  const RANK = { right: 2, partly: 1, wrong: 0, none: null };
  function kindOf(one, other, [row, there]) {
    const scored = RANK[one.verdict(row)] !== null && RANK[other.verdict(there)] !== null;
    const [before, after] = [one.value(row), other.value(there)];
    if (scored && before !== after) return after > before ? "gained" : "lost";
    return one.read(row) !== other.read(there) || one.text(row) !== other.text(there) ? "changed" : "same";
  }

  function card(one, other, pair, link) {
    const [row, there] = pair;
    const side = (records, at, name) =>
      h(
        "span",
        { class: "flip-side" },
        h("span", { class: "hint" }, name),
        h(
          "span",
          { class: "sample-answer" },
          vb.said(vb.shorten(records.text(at) || records.read(at) || "(empty)", 60)),
        ),
        vb.verdictNode(records, at),
      );
    return h(
      "a",
      { class: "sample", href: link, "data-row": row },
      h("span", { class: "sample-picture" }, vb.pictureNode(one.images(row)[0])),
      h(
        "span",
        { class: "sample-words" },
        h(
          "span",
          { class: "sample-question" },
          vb.said(vb.shorten(one.question[row], 110)),
          h("span", { class: "hint" }, " target ", vb.said(vb.shorten(one.target(row), 30))),
        ),
        h("span", { class: "flip-sides" }, side(one, row, "A"), side(other, there, "B")),
      ),
    );
  }

  function notice(a, b, key) {
    const file = vb.pairFile(a.id, b.id);
    const why = file && vb.data(file.name)?.failed;
    const failed = file ? (why[""] ?? why[key]) : "These two were not compared ahead: `vlmbench compare` does it.";
    const task = vb.compared(a.id, b.id)?.get(key);
    return [
      failed ? h("p", { class: "notice", role: "note" }, h("strong", {}, "No intervals. "), vb.said(failed)) : null,
      task?.differs?.length
        ? h(
            "p",
            { class: "notice", role: "note" },
            h("strong", {}, "Not the same test. "),
            "These runs differ in: ",
            vb.said(task.differs.map(String).join("; ")),
          )
        : null,
      task?.notes?.length ? vb.notes({ key, notes: task.notes.map(String) }) : null,
    ];
  }

  const TOWARDS = {
    less: () => "less is better",
    target: ({ target }) => `nearer to ${vb.score(target)} is better`,
    neither: () => "neither is better",
  };

  /** What a difference above zero means, with the metrics of which it means something else. */
  function direction(rows) {
    const others = rows.filter(({ better }) => better && better !== "more");
    const told = others.map((row) => `${row.label}: ${TOWARDS[row.better](row)}`);
    const unlike = told.length ? ` Not so for ${told.join("; ")}.` : "";
    return `Above zero: B is better.${unlike} Coloured: p below 5 %, corrected over the metrics (Holm).`;
  }

  /** Every metric of the task, and the breakdowns, as paired differences. */
  function differences(a, b, key) {
    const task = vb.compared(a.id, b.id)?.get(key);
    const head = vb.headlineDifference(a, b, key);
    const row = (one) => ({
      label: vb.words(one.label || one.name),
      one: { bar: { value: one.before?.value ?? one.before ?? null } },
      other: { bar: { value: one.after?.value ?? one.after ?? null } },
      ...(one.paired?.difference ?? { value: null, low: null, high: null }),
      p: one.p_holm ?? null,
      gain: vb.gain({ ...one, value: one.paired?.difference?.value ?? null }),
      better: one.better ?? "more",
      target: one.target ?? null,
      method: one.paired?.method ?? "",
      sure: vb.sure(one.p_holm),
    });
    const rows = task ? task.differences.map(row) : [{ ...head, label: vb.words(head.one.headline) }];
    const parts = (task?.breakdowns ?? []).map(row);
    const drawn = rows.filter((one) => one.value !== null);
    const table = (caption, of) =>
      vb.table(
        caption,
        [{ head: "metric", cell: (one) => vb.said(one.label) }, ...vb.differenceColumns("A", "B")],
        of,
        { class: "slim" },
      );
    return vb.card(
      "Differences",
      task?.agreement !== undefined && task?.agreement !== null
        ? `The two agree on ${vb.percent(task.agreement)} of the questions. ${direction(rows)}`
        : direction(rows),
      null,
      drawn.length ? vb.differences(drawn, `B less A on ${key}`) : null,
      table(`B less A on ${key}`, rows),
      parts.length
        ? h(
            "details",
            {},
            h("summary", {}, `${parts.length} more, by category`),
            table(`B less A on ${key}, by category`, parts),
          )
        : null,
    );
  }

  function pickers({ a, b, keys, key }) {
    const runs = vb.runs().map((run) => [run.id, run.label]);
    return h(
      "div",
      { class: "filter-row" },
      vb.choice("A (before)", "a", a.id, runs, (id) => vb.change({ a: id, b: b.id, at: null })),
      vb.choice("B (after)", "b", b.id, runs, (id) => vb.change({ a: a.id, b: id, at: null })),
      vb.choice(
        "task",
        "task",
        key ?? "",
        keys.map((one) => [one, one]),
        (one) => vb.change({ task: one, at: null }),
      ),
      h("button", { type: "button", class: "plain", onclick: () => vb.change({ a: b.id, b: a.id }) }, "swap"),
    );
  }

  /** The list of flips with its controls. */
  function flips({ a, b, key }) {
    const [one, other] = [vb.records(vb.task(a, key)), vb.records(vb.task(b, key))];
    const pairs = joined(one, other);
    const kinds = pairs.map((pair) => kindOf(one, other, pair));
    const counts = { lost: 0, gained: 0, changed: 0, all: pairs.length };
    for (const kind of kinds) if (kind in counts) counts[kind] += 1;
    const list = vb.rows("Flips", {
      height: HEIGHT,
      least: LEAST,
      card: (pair) => card(one, other, pair, vb.link("samples", { run: b.id, task: key, open: other.id[pair[1]] })),
    });
    const status = h("p", { class: "hint", role: "status" });
    let typing = 0;
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search question, answer, id",
      "aria-label": "Search questions, answers and ids",
      autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => vb.change({ q: search.value }, { replace: true }), 150);
      },
    });
    const buttons = Object.entries(KINDS).map(([kind, text]) =>
      h(
        "button",
        { type: "button", "data-show": kind, onclick: () => vb.change({ show: kind === "lost" ? null : kind }) },
        `${text} `,
        h("span", { class: "dim" }, vb.count(counts[kind])),
      ),
    );
    let before = null;
    const update = (params) => {
      const [show, words] = [params.get("show") ?? "lost", (params.get("q") ?? "").toLowerCase().trim()];
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === show));
      if (before === `${show} ${words}`) return;
      before = `${show} ${words}`;
      const rows = pairs.filter(
        ([row, there], at) =>
          (show === "all" || kinds[at] === show) &&
          (!words || one.find(row).includes(words) || other.find(there).includes(words)),
      );
      status.textContent = vb.plural(rows.length, "question");
      list.set(rows);
    };
    const form = {
      class: "filters filter-row",
      role: "search",
      "aria-label": "Filter questions",
      onsubmit: (event) => event.preventDefault(),
    };
    const group = h("div", { class: "switch", role: "group", "aria-label": "Which questions" }, buttons);
    return {
      nodes: [h("h2", {}, "Questions"), h("form", form, search, group), status, list.node],
      update,
      leave: list.leave,
    };
  }

  vb.views.compare = {
    title: () => "Compare",
    same: (params) => ["a", "b", "task"].map((name) => params.get(name)).join(" "),
    needs: (params) => {
      const { a, b, key } = chosen(params);
      if (!key) return [];
      return [vb.task(a, key).list, vb.task(b, key).list, vb.pairFile(a.id, b.id)?.name].filter(Boolean);
    },
    build: (main, params) => {
      const what = chosen(params);
      const { a, b, key } = what;
      if (!a || !b) return void main.append(vb.lost("There are no such two runs in this report."));
      if (!key) return void main.append(vb.page("Compare", "These two runs have no task in common.", pickers(what)));
      const shown = flips(what);
      main.append(
        vb.page(
          "Compare",
          [
            h("a", { href: vb.link("model", { run: a.id, task: key }) }, "A: ", vb.said(a.label)),
            " against ",
            h("a", { href: vb.link("model", { run: b.id, task: key }) }, "B: ", vb.said(b.label)),
            " on ",
            vb.said(key),
          ],
          pickers(what),
          vb.sampleNotice([vb.task(a, key)]),
          notice(a, b, key),
          differences(a, b, key),
          shown.nodes,
        ),
      );
      return { update: shown.update, leave: shown.leave };
    },
  };
})();
