"use strict";
// What a change of pictures, options or words costs: each run beside the same model's runs under it, as paired differences.

(() => {
  const { h } = vb;

  /** The file that compares two runs, and whether it holds them the other way round. */
  vb.pairFile = (before, after) => {
    for (const [one, other] of vb.block("report").pairs) {
      if (one === before && other === after) return { name: `compare-${one}-${other}`, turned: false };
      if (one === after && other === before) return { name: `compare-${one}-${other}`, turned: true };
    }
    return null;
  };

  /** {task: comparison} of two runs whose file is loaded, from the first to the second; null where none was made. */
  vb.compared = (before, after) => {
    const file = vb.pairFile(before, after);
    const found = file && vb.data(file.name);
    if (!found?.tasks) return null;
    return new Map(found.tasks.map((task) => [task.key, file.turned ? turnedTask(task) : task]));
  };

  const minus = (value) => (value === null || value === undefined ? null : -value);
  const turned = (one) => ({
    ...one,
    before: one.after,
    after: one.before,
    paired: one.paired && {
      ...one.paired,
      difference: {
        ...one.paired.difference,
        value: minus(one.paired.difference.value),
        low: minus(one.paired.difference.high),
        high: minus(one.paired.difference.low),
      },
    },
  });
  const turnedTask = (task) => ({
    ...task,
    differences: task.differences.map(turned),
    breakdowns: (task.breakdowns ?? []).map(turned),
    only_before: task.only_after,
    only_after: task.only_before,
  });

  const LEVEL = 0.05;
  /** Whether a test, corrected for all that are shown, tells the two apart. An interval alone does not. */
  vb.sure = (p) => p !== null && p !== undefined && p < LEVEL;

  /** 1 where the second is better, -1 where the first is, 0 where neither; by what is better of the metric. */
  vb.gain = ({ better = "more", target = null, before, after, value }) => {
    if (value === null || better === "neither") return 0;
    if (better === "target" && target !== null) return Math.sign(Math.abs(before - target) - Math.abs(after - target));
    return better === "less" ? -Math.sign(value) : Math.sign(value);
  };

  const bare = (name, value) => ({ headline: name, bar: { name, value } });

  /**
   * The headline's difference as a row of a chart or a table; without a comparison it has no interval. Where the
   * headline is undefined in one run, the first metric that is not.
   */
  vb.headlineDifference = (base, run, key) => {
    const task = vb.compared(base.id, run.id)?.get(key);
    const known = (one) => one.paired.difference.value !== null;
    const found =
      task?.differences.find((one) => one.name === task.headline && known(one)) ?? task?.differences.find(known);
    const [before, after] = [vb.task(base, key), vb.task(run, key)];
    const one = found ? bare(found.name, found.before) : before;
    const other = found ? bare(found.name, found.after) : after;
    const plain = one.bar.value !== null && other.bar.value !== null ? other.bar.value - one.bar.value : null;
    const { value, low, high } = found?.paired.difference ?? { value: plain, low: null, high: null };
    const label = one.headline === before.headline ? key : `${key} (${vb.words(one.headline)})`;
    const series = vb.block("report").ablations.find((entry) => entry.base === base.id);
    const p = (series?.p_holm?.[run.id] ? series.p_holm[run.id][key] : found?.p_holm) ?? null;
    const gain = found ? vb.gain({ ...found, value }) : Math.sign(value ?? 0);
    const flips = task?.flips ?? null;
    return { label, key, one, other, value, low, high, flips, p, gain, method: found?.paired.method ?? "", sure: vb.sure(p) };
  };

  vb.differenceColumns = (before, after) => [
    { head: before, class: "number", cell: (row) => vb.score(row.one.bar.value), plain: (row) => row.one.bar.value },
    { head: after, class: "number", cell: (row) => vb.score(row.other.bar.value), plain: (row) => row.other.bar.value },
    { head: "difference", class: "number strong", cell: (row) => vb.signed(row.value), plain: (row) => row.value },
    {
      head: "95 % interval",
      class: "number",
      cell: (row) => (row.low === null ? "–" : `${vb.signed(row.low)} to ${vb.signed(row.high)}`),
    },
    { head: "p (Holm)", class: "number", cell: (row) => vb.p(row.p), plain: (row) => row.p },
    { head: "test", cell: (row) => row.method || "–" },
  ];

  /** Sums go further than rates: they get an axis of their own. */
  const summed = ({ one, other }) => Math.max(one.bar.value, other.bar.value) > 100;

  const flipColumn = (name) => ({
    head: name,
    class: "number",
    cell: (row) => (row.flips ? vb.count(row.flips[name]) : "–"),
    plain: (row) => row.flips?.[name] ?? null,
  });

  /** One line a reason: whom a change does not fit. */
  const leftOut = (run) =>
    Object.entries(run.left_out).flatMap(([key, reasons]) =>
      Object.entries(reasons).map(([why, count]) =>
        h("p", { class: "hint" }, `${key}: ${vb.plural(count, "question")} left out: ${why}`),
      ),
    );

  /** Every change on every task, as differences. */
  function overview(base, runs) {
    if (runs.length < 2) return null;
    const keys = base.tasks.map((task) => task.key);
    const of = (run, key) => (vb.task(run, key) ? vb.headlineDifference(base, run, key) : null);
    const shown = ({ value, low, high, sure }) => [
      h("span", { class: sure ? "strong" : "" }, vb.signed(value)),
      h("span", { class: "under" }, low === null ? "–" : `${vb.signed(low)} to ${vb.signed(high)}`),
    ];
    return vb.card(
      "At a glance",
      "Differences from the run as it is, with 95 % intervals. Bold: p below 5 %, corrected over all changes and tasks (Holm). –: the change does not fit the task.",
      null,
      vb.table(
        "Differences under every ablation",
        [
          { head: "ablation", class: "run", cell: (run) => vb.said(run.ablate), plain: (run) => run.ablate },
          ...keys.map((key) => ({
            head: vb.said(key),
            name: key,
            class: "number",
            cell: (run) => (of(run, key) ? shown(of(run, key)) : "–"),
            plain: (run) => of(run, key)?.value ?? null,
          })),
        ],
        runs,
        { class: "glance" },
      ),
    );
  }

  function part(base, run) {
    const keys = base.tasks.map((task) => task.key).filter((key) => vb.task(run, key));
    const rows = keys.map((key) => vb.headlineDifference(base, run, key)).filter((row) => row.value !== null);
    return vb.card(
      vb.said(run.ablate),
      `How far the headline moves on the same questions${run.change ? `: ${run.change}` : ""}.`,
      null,
      [rows.filter((row) => !summed(row)), rows.filter(summed)]
        .filter((some) => some.length)
        .map((some) => vb.differences(some, `Differences under ${run.ablate}`)),
      vb.table(
        `Differences under ${run.ablate}`,
        [
          {
            head: "task",
            cell: (row) =>
              h("a", { href: vb.link("compare", { a: base.id, b: run.id, task: row.key }) }, vb.said(row.key)),
          },
          { head: "metric", cell: (row) => vb.words(row.one.headline) },
          ...vb.differenceColumns("as it is", run.ablate),
          flipColumn("gained"),
          flipColumn("lost"),
        ],
        rows,
        { class: "slim" },
      ),
      leftOut(run),
    );
  }

  const chosen = (params) => {
    const { ablations } = vb.block("report");
    return ablations.find((one) => one.base === params.get("run")) ?? (params.has("run") ? null : ablations[0]);
  };

  vb.views.ablations = {
    title: () => "Ablations",
    needs: (params) => {
      const entry = chosen(params);
      return entry ? entry.runs.map((run) => vb.pairFile(entry.base, run)?.name).filter(Boolean) : [];
    },
    build: (main, params) => {
      const entry = chosen(params);
      if (!entry) return void main.append(vb.lost("No run in this report was made under an ablation."));
      const { ablations } = vb.block("report");
      const base = vb.run(entry.base);
      main.append(
        vb.page(
          "Ablations",
          [
            h("a", { href: vb.link("model", { run: base.id }) }, vb.said(base.label)),
            " against itself under changes: what is left without the pictures is no vision; what small changes cost is fragile.",
          ],
          ablations.length > 1
            ? vb.choice(
                "run",
                "run",
                entry.base,
                ablations.map((one) => [one.base, vb.run(one.base).label]),
              )
            : null,
          vb.sampleNotice(base.tasks),
          overview(
            base,
            entry.runs.map((run) => vb.run(run)),
          ),
          entry.runs.map((run) => part(base, vb.run(run))),
        ),
      );
    },
  };
})();
