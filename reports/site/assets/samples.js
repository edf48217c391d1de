"use strict";
// The sample browser: pictures with questions and answers, filtered by what the URL says.

(() => {
  const { h } = vb;
  const HEIGHT = 132;
  const LEAST = 330;

  /** A picture, or a frame with its name where the report carries none. `boxes` are drawn over it: the right one, the answer's. */
  vb.pictureNode = (picture, { large = false, boxes = null } = {}) => {
    const source = picture && vb.picture(picture);
    if (!source)
      return h("span", { class: "no-picture" }, picture ? vb.said(vb.shorten(picture.name, 60)) : "no picture");
    const image = h("img", { src: source, alt: large ? `Picture ${picture.name}` : "", decoding: "async" });
    return boxes ? h("div", { class: "boxed" }, image, drawing(boxes)) : image;
  };

  function drawing([right, read]) {
    const box = ([x, y, width, height], kind) =>
      h("rect", { class: `box box-${kind}`, x, y, width, height, "vector-effect": "non-scaling-stroke" });
    const label = read ? "The right box (solid) and the answered one (dashed)" : "The right box; none was answered";
    return h(
      "svg",
      { viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": label },
      box(right, "right"),
      read ? box(read, "read") : null,
    );
  }

  vb.verdictNode = (records, row) => {
    const verdict = records.verdict(row);
    const text = verdict === "none" ? vb.statusLabel(records.status(row)) : vb.verdictLabel(verdict);
    return h("span", { class: `verdict verdict-${verdict}` }, text);
  };

  function card(records, row, link) {
    const answer = records.text(row) || records.read(row);
    return h(
      "a",
      { class: "sample", href: link, "data-row": row },
      h("span", { class: "sample-picture" }, vb.pictureNode(records.images(row)[0])),
      h(
        "span",
        { class: "sample-words" },
        h("span", { class: "sample-question" }, vb.said(vb.shorten(records.question[row], 130))),
        h("span", { class: "sample-answer" }, vb.said(answer ? vb.shorten(answer, 80) : "(empty)")),
        h(
          "span",
          { class: "sample-foot" },
          vb.verdictNode(records, row),
          records.verdict(row) === "right"
            ? null
            : h("span", { class: "hint" }, "target ", vb.said(vb.shorten(records.target(row), 40))),
        ),
      ),
    );
  }

  function picker(run, task) {
    const entries = vb.runs().flatMap((one) => one.tasks.map((part) => ({ run: one, task: part })));
    if (entries.length < 2) return null;
    return vb.choice(
      "run and task",
      "",
      String(entries.findIndex((entry) => entry.run === run && entry.task === task)),
      entries.map((entry, at) => [String(at), `${vb.shorten(entry.run.label, 36)} · ${entry.task.key}`]),
      (at) => {
        const { run: one, task: part } = entries[Number(at)];
        location.hash = vb.link("samples", { run: one.id, task: part.key });
      },
    );
  }

  const chosen = (params) => {
    const run = params.has("run")
      ? vb.run(params.get("run"))
      : vb.runs().find((one) => !params.has("task") || vb.task(one, params.get("task")));
    return { run, task: params.has("task") ? vb.task(run, params.get("task")) : run?.tasks[0] };
  };

  const key = (name) => h("kbd", {}, name);

  function keysOf(detail) {
    return (event) => {
      const typing = event.target.matches?.("input, select, textarea");
      if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "/") {
        event.preventDefault();
        document.getElementById("search").focus();
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        if (detail.step(event.key === "ArrowRight" ? 1 : -1)) event.preventDefault();
      }
    };
  }

  function build(main, params) {
    const { run, task } = chosen(params);
    if (!task) return void main.append(vb.lost("There is no such run or task in this report."));
    const records = vb.records(task);
    const bar = vb.filterBar(records);
    const status = h("p", { class: "hint", role: "status" });
    const nothing = h("p", { class: "nothing" }, "No sample fits these filters.");
    const detail = vb.detail(run, task, records);
    const list = vb.rows("Samples", {
      height: HEIGHT,
      least: LEAST,
      card: (row) => {
        const link = new URLSearchParams(vb.route().params);
        link.set("open", records.id[row]);
        return card(records, row, vb.link("samples", link));
      },
    });
    const where = [h("a", { href: vb.link("model", { run: run.id, task: task.key }) }, vb.said(run.label)), " on "];
    main.append(
      vb.page(
        "Samples",
        [...where, h("a", { href: vb.link("task", { task: task.key, run: run.id }) }, vb.said(task.key))],
        picker(run, task),
        vb.sampleNotice([task]),
        bar.node,
        h(
          "div",
          { class: "count" },
          status,
          h(
            "p",
            { class: "hint keys" },
            key("/"),
            " search, ",
            key("arrows"),
            " walk, ",
            key("Enter"),
            " open, ",
            key("Esc"),
            " close",
          ),
        ),
        list.node,
        nothing,
      ),
      detail.node,
    );
    let shown = null;
    const update = (now) => {
      bar.update(now);
      const filter = new URLSearchParams(now);
      ["open", "at"].forEach((name) => filter.delete(name));
      if (shown?.filter !== filter.toString()) {
        const moved = shown !== null;
        shown = { filter: filter.toString(), rows: vb.filtered(records, now) };
        const { rows } = shown;
        status.textContent =
          rows.length === records.count
            ? vb.plural(rows.length, "sample")
            : `${vb.count(rows.length)} of ${vb.plural(records.count, "sample")}`;
        nothing.hidden = rows.length > 0;
        list.set(rows);
        if (!moved && now.has("at")) list.scrollTo(Math.min(rows.length - 1, Number(now.get("at")) || 0));
      }
      detail.update(now, shown.rows, list);
    };
    return { update, ...listeners(detail, list) };
  }

  /** The keyboard, and the place in the list that the URL tells once scrolling has come to rest. */
  function listeners(detail, list) {
    const keys = keysOf(detail);
    let resting = 0;
    const rest = () => {
      clearTimeout(resting);
      resting = setTimeout(() => {
        const at = list.first();
        vb.change({ at: at > 0 ? String(at) : null }, { replace: true });
      }, 400);
    };
    document.addEventListener("keydown", keys);
    window.addEventListener("scroll", rest, { passive: true });
    return {
      leave: () => {
        clearTimeout(resting);
        document.removeEventListener("keydown", keys);
        window.removeEventListener("scroll", rest);
        list.leave();
      },
    };
  }

  vb.views.samples = {
    title: (params) => `Samples of ${params.get("task") ?? vb.taskKeys()[0]}`,
    /** The same run and task keep their page: only what is shown changes. */
    same: (params) => `${params.get("run")} ${params.get("task")}`,
    needs: (params) => {
      const { task } = chosen(params);
      return task ? [task.list] : [];
    },
    build,
  };
})();
