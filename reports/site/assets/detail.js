"use strict";
// One sample's whole story, in a dialog: picture, prompt, answer, how it was read, and everything recorded about it.

(() => {
  const { h } = vb;

  const part = (name, content, attributes = {}) =>
    h("section", { class: "story", ...attributes }, h("h3", {}, name), content);
  const quote = (text) => h("pre", { class: "quote", tabindex: "0" }, text ? vb.said(text) : h("em", {}, "(empty)"));

  function figure(run, task, picture, boxes) {
    return h(
      "figure",
      {},
      vb.pictureNode(picture, { large: true, boxes }),
      h(
        "figcaption",
        {},
        boxes
          ? h(
              "p",
              { class: "hint" },
              boxes[1] ? "Solid: the right box. Dashed: the answer's." : "The right box; the answer holds none.",
            )
          : null,
        h(
          "a",
          { href: vb.link("samples", { run: run.id, task: task.key, picture: picture.name }) },
          "all questions about ",
          vb.said(vb.shorten(picture.name, 48)),
        ),
      ),
    );
  }

  /** The choices with how likely each was found, where the model told. */
  function choices({ choices: names, scores }) {
    if (scores.length) {
      return vb.table(
        "Choices by log-probability",
        [
          { head: "choice", cell: ([choice]) => vb.said(choice), plain: ([choice]) => choice },
          { head: "log-probability", class: "number", cell: ([, log]) => vb.score(log, 3), plain: ([, log]) => log },
          { head: "tokens", class: "number", cell: ([, , tokens]) => tokens, plain: ([, , tokens]) => tokens },
        ],
        scores,
        { class: "slim" },
      );
    }
    return h(
      "ol",
      { class: "choices" },
      names.map((choice) => h("li", {}, vb.said(choice))),
    );
  }

  const judge = (judged) =>
    part(
      "The judge's reply",
      judged.map((verdict) => [
        h(
          "p",
          { class: "hint" },
          `run ${verdict.run + 1}: ${verdict.value === null ? vb.statusLabel(verdict.status) : `grade ${verdict.value}`} `,
          vb.said(verdict.model),
        ),
        verdict.note ? h("p", {}, vb.said(verdict.note)) : null,
        verdict.replies.map(quote),
      ]),
    );

  const dialogue = (turns) =>
    part(
      "Earlier turns",
      turns.map(([question, answer]) => [h("p", {}, vb.said(question)), quote(answer)]),
    );

  function facts(records, row, whole) {
    return vb.facts([
      ["id", records.id[row]],
      ["status", vb.statusLabel(records.status(row))],
      ["value", records.value(row)],
      ["finish", whole.finish],
      ["prompt tokens", whole.prompt_tokens || null],
      ["new tokens", whole.new_tokens || null],
      ["seconds", whole.seconds ? whole.seconds.toPrecision(2) : null],
      ["margin", whole.margin?.toFixed(3)],
      ["asked again", whole.rerun ? "yes, one by one" : null],
      ["answer's key", whole.key],
    ]);
  }

  function story(run, task, records, row) {
    const whole = records.whole(row);
    const tagLink = (tag) =>
      h(
        "a",
        {
          class: "chip",
          href: vb.link("samples", { run: run.id, task: task.key, [`tag.${tag.name}`]: records.tag(tag, row) }),
        },
        vb.said(vb.words(tag.name)),
        ": ",
        vb.said(vb.shorten(records.tag(tag, row), 60)),
      );
    const pictures = records.images(row);
    const tags = records.tags.filter((tag) => records.tag(tag, row) !== "");
    return [
      h(
        "div",
        { class: "detail-pictures" },
        pictures.length ? pictures.map((picture) => figure(run, task, picture, whole.boxes)) : vb.pictureNode(null),
      ),
      h(
        "div",
        { class: "detail-words" },
        h(
          "div",
          { class: "detail-question" },
          h("h2", { id: "detail-title", tabindex: "0" }, vb.said(whole.question)),
          vb.verdictNode(records, row),
        ),
        h(
          "div",
          { class: "compare" },
          part("Answer", quote(whole.text)),
          part("Read as", h("p", { tabindex: "0" }, whole.read ? vb.said(whole.read) : "–")),
          part("Target", h("p", { tabindex: "0" }, vb.said(whole.target))),
        ),
        whole.error ? part("Error", quote(whole.error)) : null,
        whole.note ? part("Note", h("p", {}, vb.said(whole.note))) : null,
        whole.judged.length ? judge(whole.judged) : null,
        whole.choices.length || whole.scores.length ? part("Choices", choices(whole)) : null,
        whole.history.length ? dialogue(whole.history) : null,
        part("Prompt", quote(whole.prompt)),
        tags.length ? part("Tags", h("p", { class: "chips" }, tags.map(tagLink))) : null,
        others(run, task, records.id[row]),
        part("Record", facts(records, row, whole)),
      ),
    ];
  }

  /** The same question in other runs. */
  function others(run, task, id) {
    const found = vb
      .takers(task.key)
      .filter((one) => one.run !== run && one.task.hashes.samples === task.hashes.samples);
    if (!found.length) return null;
    const link = (one) =>
      h(
        "a",
        { class: "chip", href: vb.link("samples", { run: one.run.id, task: task.key, open: id }) },
        vb.said(vb.shorten(one.run.label, 48)),
      );
    return part("The same question to", h("p", { class: "chips" }, found.map(link)));
  }

  /** The dialog of a page of samples. `update` follows the URL; `step` goes to a neighbour among the filtered rows. */
  vb.detail = (run, task, records) => {
    const where = h("span", { class: "hint" });
    const content = h("div", { class: "detail", tabindex: "0", role: "region", "aria-label": "The sample" });
    const close = () => vb.change({ open: null });
    const button = (text, label, action) => h("button", { type: "button", "aria-label": label, onclick: action }, text);
    const [before, after] = [button("‹", "Previous sample", () => step(-1)), button("›", "Next sample", () => step(1))];
    const node = h(
      "dialog",
      {
        "aria-labelledby": "detail-title",
        oncancel: (event) => {
          event.preventDefault();
          close();
        },
        onclick: (event) => {
          if (event.target === node) close();
        },
      },
      h(
        "div",
        { class: "detail-bar" },
        before,
        after,
        where,
        h("span", { class: "grow" }),
        button("✕", "Close", close),
      ),
      content,
    );
    let rows = [];
    let open = null;
    const step = (by) => {
      if (open === null) return false;
      const next = rows[rows.indexOf(open) + by];
      if (next !== undefined) vb.change({ open: records.id[next] }, { replace: true });
      return true;
    };
    /** Shows a row once its chunk is there; another one may have been asked for meanwhile. */
    const fill = (row) => {
      const waiting = vb.load([records.chunk(row)]);
      if (!waiting) return void content.replaceChildren(...story(run, task, records, row));
      content.replaceChildren(
        h("h2", { id: "detail-title" }, vb.said(records.question[row])),
        h("p", { class: "hint" }, "Loading …"),
      );
      waiting.then(
        () => open === row && fill(row),
        (error) =>
          open === row && content.replaceChildren(h("h2", { id: "detail-title" }, "Not found"), vb.missing(error)),
      );
    };
    const update = (params, filtered, list) => {
      rows = filtered;
      const row = params.has("open") ? records.place(params.get("open")) : null;
      if (row === null) {
        if (node.open) node.close();
        if (open !== null && rows.includes(open)) list.reveal(rows.indexOf(open));
        open = null;
        return;
      }
      const at = rows.indexOf(row);
      where.textContent = at < 0 ? "outside the filters" : `${vb.count(at + 1)} of ${vb.count(rows.length)}`;
      before.disabled = at <= 0;
      after.disabled = at < 0 || at === rows.length - 1;
      if (row !== open) {
        open = row;
        fill(row);
        content.scrollTop = 0;
      }
      if (!node.open) node.showModal();
    };
    return { node, update, step };
  };
})();
