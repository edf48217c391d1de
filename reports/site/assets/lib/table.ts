// Tables: sortable by the URL, and each to be had as Markdown, CSV, LaTeX or JSON.

import { type Attributes, type Child, h } from "./dom.ts";

/** A value in an exported table. */
export type Plain = string | number | null | undefined;
type Rows = Plain[][];

/** A column of a table; one with a key can be sorted by. */
export interface Column<Row> {
  head: Child;
  /** What stands below the head and is no part of the button that sorts. */
  foot?: Child;
  /** What it is called in exports, where that is not the text of its head. */
  name?: string;
  class?: string;
  key?: string;
  /** Whether the first click sorts downwards. */
  down?: boolean;
  /** Its name beside each cell on a narrow screen. */
  small?: string;
  cell: (row: Row, at?: number) => Child;
  /** The value in exports: the text of the cell where there is none, no column where it is null. */
  plain?: ((row: Row) => Plain) | null;
}

export interface Sort {
  by: string;
  down: boolean;
  go: (by: string, down: boolean) => void;
}

/** What a row may say of how it is shown. */
interface RowStyle {
  marked?: string;
  /** One cell that fills the columns from a place on. */
  spans?: { from: number; node: Child };
}

const line = (text: string) => text.replace(/\s+/g, " ").trim();
const pipes = (text: string) =>
  text
    .replaceAll("\\", "\\\\")
    .replaceAll("|", "\\|")
    .replaceAll("<", "&lt;")
    .replace(/([*`])/g, "\\$1")
    .replaceAll("](", "]\\(");
const inert = (text: string) => (/^\s*[=+@-]/.test(text) && !/^[+-]?[\d.]+$|^-$/.test(text) ? `'${text}` : text);
const field = (value: Plain) => {
  const text = typeof value === "number" ? String(value) : inert(value ?? "");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const TEX: Record<string, string> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
};
const tex = (text: string) => text.replace(/[\\~^<>{}$&#%_]/g, (one) => TEX[one] ?? `\\${one}`);
const shown = (value: Plain) => (value === null || value === undefined || value === "" ? "-" : line(String(value)));

/** Suffix to what turns a table of plain values into text. */
const FORMATS: Record<string, [label: string, write: (head: string[], rows: Rows) => string]> = {
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

export const exportTable = (format: string, head: string[], rows: Rows): string => FORMATS[format][1](head, rows);

function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  return Promise.reject(new Error("no clipboard"));
}

function save(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** The export menu of a table; `plain` computes its head and rows. */
function menu(caption: string, plain: () => [string[], Rows]): HTMLElement {
  const status = h("span", { class: "hint", role: "status" });
  const name =
    caption
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 60)
      .replace(/^-|-$/g, "") || "table";
  const one = ([suffix, [label, write]]: [string, (typeof FORMATS)[string]]) =>
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
              () => (status.textContent = "copied"),
              () => (status.textContent = "the browser blocked the clipboard; save the file instead"),
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
  const summary = h("summary", { "aria-label": `Export: ${caption}` }, "Export");
  const node: HTMLDetailsElement = h(
    "details",
    {
      class: "export",
      onkeydown: (event) => {
        if (event.key !== "Escape" || !node.open) return;
        node.open = false;
        summary.focus();
      },
    },
    summary,
    h("ul", {}, Object.entries(FORMATS).map(one), h("li", {}, status)),
  );
  return node;
}

function headCell<Row>(column: Column<Row>, sort: Sort | null): HTMLElement {
  const place = { scope: "col", class: column.class };
  const { key } = column;
  if (!sort || !key) return h("th", place, column.head, column.foot);
  const now = sort.by === key;
  return h(
    "th",
    { ...place, "aria-sort": now ? (sort.down ? "descending" : "ascending") : null },
    h(
      "button",
      {
        type: "button",
        class: "sort",
        "data-sort": key,
        onclick: () => sort.go(key, now ? !sort.down : Boolean(column.down)),
      },
      column.head,
    ),
    column.foot,
  );
}

/** The cells of a row. One that `spans` fills its columns from there on with one cell. */
function cells<Row>(columns: Column<Row>[], row: Row, at: number): HTMLElement[] {
  const spans = (row as RowStyle).spans ?? null;
  const filled: HTMLElement[] = columns
    .slice(0, spans?.from ?? columns.length)
    .map((column, place) =>
      h(
        place === 0 ? "th" : "td",
        { scope: place === 0 ? "row" : null, class: column.class, "data-head": column.small ?? null },
        column.cell(row, at),
      ),
    );
  if (spans) filled.push(h("td", { colspan: columns.length - spans.from, class: "spans" }, spans.node));
  return filled;
}

/**
 * A table with a menu that exports it. A row may say how it is shown: `marked`, `spans`. One that is `pinned` scrolls in
 * a frame of its own, in which its head and first column stay.
 */
export function dataTable<Row>(
  caption: string,
  columns: Column<Row>[],
  rows: Row[],
  attributes: Attributes = {},
  { sort = null, name = null, pinned = false }: { sort?: Sort | null; name?: string | null; pinned?: boolean } = {},
): HTMLElement {
  const plain = (): [string[], Rows] => {
    const kept = columns.filter((column) => column.plain !== null);
    const cell = (column: Column<Row>, row: Row) =>
      column.plain ? column.plain(row) : line(h("i", {}, column.cell(row)).textContent);
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
      { class: pinned ? "scroll pinned" : "scroll", tabindex: "0", role: "region", "aria-label": caption },
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
          rows.map((row, at) => h("tr", { class: (row as RowStyle).marked ?? null }, cells(columns, row, at))),
        ),
      ),
    ),
    menu(name ?? caption, plain),
  );
}
