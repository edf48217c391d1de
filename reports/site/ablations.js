"use strict";
// What a change of the pictures costs: each run beside the same model's runs under an ablation, as paired differences.

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
    const told = { p: found?.paired.p ?? null, method: found?.paired.method ?? "" };
    return { label, key, one, other, value, low, high, ...told, sure: low !== null && low * high > 0 };
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
    { head: "p", class: "number", cell: (row) => vb.p(row.p), plain: (row) => row.p },
    { head: "test", cell: (row) => row.method || "–" },
  ];

  /** Sums go further than rates: they get an axis of their own. */
  const summed = ({ one, other }) => Math.max(one.bar.value, other.bar.value) > 100;

  function part(base, run) {
    const keys = base.tasks.map((task) => task.key).filter((key) => vb.task(run, key));
    const rows = keys.map((key) => vb.headlineDifference(base, run, key)).filter((row) => row.value !== null);
    return vb.card(
      vb.said(run.ablate),
      `How far the headline moves when the pictures are changed (${run.ablate}), on the same questions.`,
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
        ],
        rows,
        { class: "slim" },
      ),
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
            " against itself with changed pictures: what is left without them is no vision.",
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
          entry.runs.map((run) => part(base, vb.run(run))),
        ),
      );
    },
  };
})();
