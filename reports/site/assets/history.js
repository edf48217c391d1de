"use strict";
// Several runs of one model over time: a trend a task, with what a gate said of each run.

(() => {
  const { h } = vb;

  /** The commit; where several runs are of one, when each was finished. */
  function named(run, runs) {
    const alone = runs.filter((one) => one.commit === run.commit).length === 1;
    return (alone && run.commit) || (run.finished ?? "").slice(0, 16).replace("T", " ") || run.id;
  }

  function part(key, runs) {
    const points = runs
      .filter((run) => vb.task(run, key))
      .map((run) => ({ ...vb.task(run, key).bar, run, name: named(run, runs), gate: vb.gate(run, key)?.outcome ?? null }));
    if (points.length < 2) return null;
    const before = (at) =>
      at > 0 && points[at].value !== null && points[at - 1].value !== null
        ? points[at].value - points[at - 1].value
        : null;
    return vb.card(
      h("a", { href: vb.link("task", { task: key }) }, vb.said(key)),
      vb.words(vb.task(points[0].run, key).headline),
      null,
      vb.trend(points, `${key} over time`),
      vb.table(
        `${key} over time`,
        [
          {
            head: "run",
            class: "run",
            cell: ({ run }) => h("a", { href: vb.link("model", { run: run.id, task: key }) }, vb.said(run.label)),
          },
          {
            head: "finished",
            class: "nowrap",
            cell: ({ run }) => (run.finished ?? "–").replace("T", " ").replace("Z", ""),
          },
          { head: "commit", cell: ({ run }) => run.commit || "–" },
          { head: "value", class: "number strong", cell: (one) => vb.score(one.value), plain: (one) => one.value },
          { head: "95 % interval", class: "number", cell: vb.interval },
          {
            head: "since the one before",
            class: "number",
            cell: (_, at) => vb.signed(before(at ?? 0)),
            plain: (one) => before(points.indexOf(one)),
          },
          { head: "gate", cell: ({ gate }) => (gate ? h("span", { class: `tag tag-${gate}` }, gate) : "–") },
          {
            head: h("span", { class: "unseen" }, "compare"),
            plain: null,
            cell: (one) => {
              const at = points.indexOf(one);
              if (at < 1) return null;
              const link = vb.link("compare", { a: points[at - 1].run.id, b: one.run.id, task: key });
              return h(
                "a",
                { href: link, "aria-label": `Compare ${one.name} with the run before it on ${key}` },
                "compare",
              );
            },
          },
        ],
        points,
        { class: "slim" },
      ),
    );
  }

  vb.views.history = {
    title: () => "History",
    build: (main, params) => {
      const { histories } = vb.block("report");
      const history = histories[Number(params.get("of") ?? 0)];
      if (!history) return void main.append(vb.lost("No model has several runs in this report."));
      const runs = history.runs.map(vb.run);
      const keys = [...new Set(runs.flatMap((run) => run.tasks.map((task) => task.key)))];
      main.append(
        vb.page(
          "History",
          [
            vb.said(history.name),
            `: ${vb.plural(runs.length, "run")}, oldest first. Bands are 95 % intervals; marks above the line tell what a gate said: ○ pass, × fail, ◇ could not tell.`,
          ],
          histories.length > 1
            ? vb.choice(
                "model",
                "of",
                String(histories.indexOf(history)),
                histories.map((one, at) => [String(at), one.name]),
              )
            : null,
          vb.sampleNotice(runs.flatMap((run) => run.tasks)),
          keys.map((key) => part(key, runs)),
        ),
      );
    },
  };
})();
