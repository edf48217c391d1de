"use strict";
// One sample's whole story, in a dialog: picture, prompt, answer, how it was read, and everything recorded about it.

(() => {
  const { h } = vb;

  const part = (name, content, attributes = {}) =>
    h("section", { class: "story", ...attributes }, h("h3", {}, name), content);
  const quote = (text) => h("pre", { class: "quote" }, text ? vb.said(text) : h("em", {}, "(empty)"));

  function story(run, task, records, row) {
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
    const boxes = records.boxes?.[row] ?? null;
    const choices = records.choices?.[row] ?? [];
    const tags = records.tags.filter((tag) => records.tag(tag, row) !== "");
    return [
      h(
        "div",
        { class: "detail-pictures" },
        pictures.length
          ? pictures.map((picture) =>
              h(
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
                        boxes[1]
                          ? "Solid: the right box. Dashed: the answer's."
                          : "The right box; the answer holds none.",
                      )
                    : null,
                  h(
                    "a",
                    { href: vb.link("samples", { run: run.id, task: task.key, picture: picture.name }) },
                    "all questions about ",
                    vb.said(vb.shorten(picture.name, 48)),
                  ),
                ),
              ),
            )
          : vb.pictureNode(null),
      ),
      h(
        "div",
        { class: "detail-words" },
        h(
          "div",
          { class: "detail-question" },
          h("h2", { id: "detail-title" }, vb.said(records.question[row])),
          vb.verdictNode(records, row),
        ),
        h(
          "div",
          { class: "compare" },
          part("Answer", quote(records.text[row])),
          part("Read as", h("p", {}, records.read[row] ? vb.said(records.read[row]) : "–")),
          part("Target", h("p", {}, vb.said(records.target[row]))),
        ),
        records.error[row] ? part("Error", quote(records.error[row])) : null,
        records.note[row] ? part("Note", h("p", {}, vb.said(records.note[row]))) : null,
        choices.length
          ? part(
              "Choices",
              h(
                "ol",
                { class: "choices" },
                choices.map((choice) => h("li", {}, vb.said(choice))),
              ),
            )
          : null,
        part("Prompt", quote(records.prompt(row))),
        tags.length ? part("Tags", h("p", { class: "chips" }, tags.map(tagLink))) : null,
        part(
          "Record",
          vb.facts([
            ["id", records.id[row]],
            ["status", vb.statusLabel(records.status(row))],
            ["value", records.value[row]],
            ["finish", records.finish(row)],
            ["prompt tokens", records.prompt_tokens[row] || null],
            ["new tokens", records.new_tokens[row] || null],
            ["seconds", records.seconds[row] ? records.seconds[row].toPrecision(2) : null],
            ["margin", records.margin[row]?.toFixed(3)],
            ["asked again", records.rerun[row] ? "yes, one by one" : null],
          ]),
        ),
      ),
    ];
  }

  /** The dialog of a page of samples. `update` follows the URL; `step` goes to a neighbour among the filtered rows. */
  vb.detail = (run, task, records) => {
    const where = h("span", { class: "hint" });
    const content = h("div", { class: "detail" });
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
    const place = new Map(records.id.map((id, row) => [id, row]));
    let rows = [];
    let open = null;
    const step = (by) => {
      if (open === null) return false;
      const next = rows[rows.indexOf(open) + by];
      if (next !== undefined) vb.change({ open: records.id[next] }, { replace: true });
      return true;
    };
    const update = (params, filtered) => {
      rows = filtered;
      const row = params.has("open") ? (place.get(params.get("open")) ?? null) : null;
      if (row === null) {
        if (node.open) node.close();
        if (open !== null) document.querySelector(`.sample[data-row="${open}"]`)?.focus();
        open = null;
        return;
      }
      const at = rows.indexOf(row);
      where.textContent = at < 0 ? "outside the filters" : `${vb.count(at + 1)} of ${vb.count(rows.length)}`;
      before.disabled = at <= 0;
      after.disabled = at < 0 || at === rows.length - 1;
      if (row !== open) {
        open = row;
        content.replaceChildren(...story(run, task, records, row));
        content.scrollTop = 0;
      }
      if (!node.open) node.showModal();
    };
    return { node, update, step };
  };
})();
