"use strict";
// Tables: sortable by the URL, and each to be had as Markdown, CSV, LaTeX or JSON.

(() => {
  const { h } = vb;

  const line = (text) => text.replace(/\s+/g, " ").trim();
  const pipes = (text) =>
    text
      .replaceAll("\\", "\\\\")
      .replaceAll("|", "\\|")
      .replaceAll("<", "&lt;")
      .replace(/([*`])/g, "\\$1")
      .replaceAll("](", "]\\(");
  const inert = (text) => (/^\s*[=+@-]/.test(text) && !/^[+-]?[\d.]+$|^-$/.test(text) ? `'${text}` : text);
  const field = (value) => {
    const text = typeof value === "number" ? String(value) : inert(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const TEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
  };
  const tex = (text) => text.replace(/[\\~^<>{}$&#%_]/g, (one) => TEX[one] ?? `\\${one}`);
  const shown = (value) => (value === null || value === undefined || value === "" ? "-" : line(String(value)));

  /** Suffix to what turns a table of plain values into text. */
  const FORMATS = {
    md: [
      "Markdown",
      (head, rows) =>
        [head, head.map(() => "---"), ...rows]
          .map((row) => `| ${row.map((cell) => pipes(shown(cell))).join(" | ")} |\n`)
          .join(""),
    ],
    csv: ["CSV", (head, rows) => [head, ...rows].map((row) => `${row.map(field).join(",")}\n`).join("")],
    tex: [
      "LaTeX",
      (head, rows) => {
        const body = rows.map((row) => `${row.map((cell) => tex(shown(cell))).join(" & ")} \\\\\n`).join("");
        const top = `${head.map(tex).join(" & ")} \\\\\n`;
        return `\\begin{tabular}{${"l".repeat(head.length)}}\n\\toprule\n${top}\\midrule\n${body}\\bottomrule\n\\end{tabular}\n`;
      },
    ],
    json: [
      "JSON",
      (head, rows) =>
        `${JSON.stringify(
          rows.map((row) => Object.fromEntries(row.map((cell, at) => [head[at], cell ?? null]))),
          null,
          2,
        )}\n`,
    ],
  };

  vb.exported = (format, head, rows) => FORMATS[format][1](head, rows);

  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    return Promise.reject(new Error("no clipboard"));
  }

  function save(text, name) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  /** The menu that hands a table over; `plain` gives its head and rows when asked. */
  function menu(caption, plain) {
    const told = h("span", { class: "hint", role: "status" });
    const name =
      caption
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .slice(0, 60)
        .replace(/^-|-$/g, "") || "table";
    const one = ([suffix, [label, write]]) =>
      h(
        "li",
        {},
        h("span", {}, label),
        h(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": `Copy as ${label}`,
            onclick: () =>
              copy(write(...plain())).then(
                () => (told.textContent = "copied"),
                () => (told.textContent = "this browser lets no page copy: save it"),
              ),
          },
          "copy",
        ),
        h(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": `Save as ${label}`,
            onclick: () => save(write(...plain()), `${name}.${suffix}`),
          },
          "save",
        ),
      );
    const node = h(
      "details",
      {
        class: "export",
        onkeydown: (event) => {
          if (event.key !== "Escape" || !node.open) return;
          node.open = false;
          node.firstChild.focus();
        },
      },
      h("summary", { "aria-label": `Export: ${caption}` }, "Export"),
      h("ul", {}, Object.entries(FORMATS).map(one), h("li", {}, told)),
    );
    return node;
  }

  function headCell(column, sort) {
    const place = { scope: "col", class: column.class };
    if (!sort || !column.key) return h("th", place, column.head);
    const now = sort.by === column.key;
    return h(
      "th",
      { ...place, "aria-sort": now ? (sort.down ? "descending" : "ascending") : null },
      h(
        "button",
        {
          type: "button",
          class: "sort",
          "data-sort": column.key,
          onclick: () => sort.go(column.key, now ? !sort.down : Boolean(column.down)),
        },
        column.head,
      ),
      column.axis ?? null,
    );
  }

  /** The cells of a row. One that `spans` fills its columns from there on with one cell. */
  function cells(columns, row, at) {
    const spans = row.spans ?? null;
    const made = columns
      .slice(0, spans?.from ?? columns.length)
      .map((column, place) =>
        h(
          place === 0 ? "th" : "td",
          { scope: place === 0 ? "row" : null, class: column.class, "data-head": column.small ?? null },
          column.cell(row, at),
        ),
      );
    if (spans) made.push(h("td", { colspan: columns.length - spans.from, class: "spans" }, spans.node));
    return made;
  }

  /** A table: `columns` are {head, cell(row), class, plain(row), key, down}; those with a key can be sorted by. */
  vb.table = (caption, columns, rows, { sort = null, name = null, ...attributes } = {}) => {
    const plain = () => {
      const kept = columns.filter((column) => column.plain !== null);
      const cell = (column, row) => (column.plain ? column.plain(row) : line(h("i", {}, column.cell(row)).textContent));
      return [
        kept.map((column) => column.name ?? line(h("i", {}, column.head).textContent)),
        rows.map((row) => kept.map((column) => cell(column, row))),
      ];
    };
    return h(
      "div",
      { class: "tabled" },
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        h(
          "table",
          attributes,
          h("caption", { class: "unseen" }, caption),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              columns.map((column) => headCell(column, sort)),
            ),
          ),
          h(
            "tbody",
            {},
            rows.map((row, at) => h("tr", { class: row.marked ?? null }, cells(columns, row, at))),
          ),
        ),
      ),
      menu(name ?? caption, plain),
    );
  };
})();
