"use strict";
// The sample browser: pictures with questions and answers, a page at a time, so that any number stays quick.

(() => {
  const { h } = vb;
  const PAGE = 24;

  /** A picture, or a frame with its name where the report carries none. `boxes` are drawn over it: the right one, the answer's. */
  vb.pictureNode = (picture, { large = false, boxes = null } = {}) => {
    const source = picture && vb.picture(picture.hash);
    if (!source)
      return h("span", { class: "no-picture" }, picture ? vb.said(vb.shorten(picture.name, 60)) : "no picture");
    const image = h("img", {
      src: source,
      alt: large ? `Picture ${picture.name}` : "",
      decoding: "async",
      loading: large ? null : "lazy",
    });
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
    const verdict = records.verdict(row);
    const answer = records.text[row] || records.error[row];
    return h(
      "li",
      {},
      h(
        "a",
        { class: "sample", href: link, "data-row": row },
        h("span", { class: "sample-picture" }, vb.pictureNode(records.images(row)[0])),
        h(
          "span",
          { class: "sample-words" },
          h("span", { class: "sample-question" }, vb.said(vb.shorten(records.question[row], 160))),
          h("span", { class: "sample-answer" }, vb.said(answer ? vb.shorten(answer, 120) : "(empty)")),
          h(
            "span",
            { class: "sample-foot" },
            vb.verdictNode(records, row),
            verdict === "right"
              ? null
              : h("span", { class: "hint" }, "target ", vb.said(vb.shorten(records.target[row], 60))),
          ),
        ),
      ),
    );
  }

  function pager(page, pages, go, where) {
    if (pages < 2) return null;
    const step = (label, to, text) =>
      h(
        "button",
        { type: "button", "aria-label": label, disabled: to < 1 || to > pages || to === page, onclick: () => go(to) },
        text,
      );
    const field = h("input", {
      type: "number",
      min: 1,
      max: pages,
      value: page,
      "aria-label": "Page",
      onchange: () => go(Math.min(pages, Math.max(1, Number(field.value) || 1))),
    });
    return h(
      "nav",
      { class: "pager", "aria-label": `Pages of samples, ${where}` },
      step("First page", 1, "«"),
      step("Previous page", page - 1, "‹"),
      h("span", {}, "page ", field, ` of ${vb.count(pages)}`),
      step("Next page", page + 1, "›"),
      step("Last page", pages, "»"),
    );
  }

  function picker(run, task) {
    const { runs } = vb.block("report");
    const entries = runs.flatMap((one) => one.tasks.map((part) => ({ run: one, task: part })));
    if (entries.length < 2) return null;
    const control = h(
      "select",
      {
        "aria-label": "Run and task",
        onchange: () => {
          const { run: one, task: part } = entries[Number(control.value)];
          location.hash = vb.link("samples", { run: one.id, task: part.key });
        },
      },
      entries.map((entry, at) =>
        h(
          "option",
          { value: at, selected: entry.run === run && entry.task === task },
          `${vb.shorten(entry.run.label, 40)} · ${entry.task.key}`,
        ),
      ),
    );
    return control;
  }

  vb.views.samples = {
    title: (params) => `Samples of ${params.get("task") ?? ""}`,
    /** The same run and task keep their page: only what is shown changes. */
    same: (params) => `${params.get("run")} ${params.get("task")}`,
    build: (main, params) => {
      const first = vb.block("report").runs[0];
      const run = params.has("run") ? vb.run(params.get("run")) : first;
      const task = params.has("task") ? vb.task(run, params.get("task")) : run?.tasks[0];
      if (!task) return void main.append(vb.lost("There is no such run or task in this report."));
      const records = vb.records(task);
      const bar = vb.filterBar(records);
      const status = h("p", { class: "hint", role: "status" });
      const list = h("ul", { class: "samples" });
      const [above, below] = [h("div"), h("div")];
      const detail = vb.detail(run, task, records);
      main.append(
        h(
          "div",
          { class: "page" },
          h(
            "div",
            { class: "title title-row" },
            h(
              "div",
              {},
              h("h1", {}, "Samples"),
              h(
                "p",
                { class: "hint" },
                h("a", { href: vb.link("run", { run: run.id, task: task.key }) }, vb.said(run.label)),
                " on ",
                vb.said(task.key),
              ),
            ),
            picker(run, task),
          ),
          vb.sampleNotice([task]),
          bar.node,
          h("div", { class: "count" }, status, above),
          list,
          below,
          h(
            "p",
            { class: "hint keys" },
            "Keys: ",
            h("kbd", {}, "/"),
            " search, ",
            h("kbd", {}, "←"),
            " ",
            h("kbd", {}, "→"),
            " page or sample, ",
            h("kbd", {}, "Esc"),
            " close",
          ),
        ),
        detail.node,
      );
      let shown = null;
      const update = (now) => {
        bar.update(now);
        const filter = new URLSearchParams(now);
        ["open", "page"].forEach((name) => filter.delete(name));
        if (shown?.filter !== filter.toString())
          shown = { filter: filter.toString(), rows: vb.filtered(records, now), page: 0 };
        const pages = Math.max(1, Math.ceil(shown.rows.length / PAGE));
        const page = Math.min(pages, Math.max(1, Number(now.get("page")) || 1));
        if (page !== shown.page) draw(page, pages, now);
        detail.update(now, shown.rows);
      };
      const go = (to) => {
        vb.change({ page: to === 1 ? null : String(to), open: null });
        window.scrollTo({ top: 0 });
      };
      const draw = (page, pages, now) => {
        const rows = shown.rows;
        status.textContent =
          rows.length === records.count
            ? vb.plural(rows.length, "sample")
            : `${vb.count(rows.length)} of ${vb.plural(records.count, "sample")}`;
        list.replaceChildren(
          ...rows.slice((page - 1) * PAGE, page * PAGE).map((row) => {
            const link = new URLSearchParams(now);
            link.set("open", records.id[row]);
            return card(records, row, vb.link("samples", link));
          }),
        );
        if (!rows.length) list.append(h("li", { class: "nothing" }, "No sample fits these filters."));
        above.replaceChildren(...[pager(page, pages, go, "above")].filter(Boolean));
        below.replaceChildren(...[pager(page, pages, go, "below")].filter(Boolean));
        shown.page = page;
        shown.pages = pages;
      };
      const keys = (event) => {
        const typing = event.target.matches?.("input, select, textarea");
        if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
          event.preventDefault();
          document.getElementById("search").focus();
        } else if (
          !typing &&
          !event.altKey &&
          !event.ctrlKey &&
          !event.metaKey &&
          (event.key === "ArrowLeft" || event.key === "ArrowRight")
        ) {
          const step = event.key === "ArrowRight" ? 1 : -1;
          if (!detail.step(step) && shown.page + step >= 1 && shown.page + step <= shown.pages) go(shown.page + step);
        }
      };
      document.addEventListener("keydown", keys);
      return { update, leave: () => document.removeEventListener("keydown", keys) };
    },
  };
})();
