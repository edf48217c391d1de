// Which samples are shown: the controls, and the filter they set in the URL.

import { dataText, h } from "../lib/dom.ts";
import { formatCount, humanize, shorten, statusLabel } from "../lib/format.ts";
import type { Records, Verdict } from "../lib/records.ts";
import { changeParams, type Changes, currentRoute } from "../lib/route.ts";
import { VERDICTS } from "./sample_parts.ts";

const MOST_OPTIONS = 300;
const MOST_SELECTS = 7;

interface Order {
  label: string;
  by?: (records: Records) => (row: number) => number;
}

const ORDERS: Record<string, Order> = {
  "": { label: "original order" },
  margin: { label: "smallest margin first", by: (records) => (row) => records.margin[row] ?? Infinity },
  longest: { label: "longest answer first", by: (records) => (row) => -records.length[row] },
  slowest: { label: "slowest first", by: (records) => (row) => -(records.seconds[row] ?? 0) },
};

/** The image whose questions alone are shown; `picture` in links of earlier reports. */
const imageName = (params: URLSearchParams): string | null => params.get("image") ?? params.get("picture");

/** The rows that the parameters let through, in their order. */
export function filteredRows(records: Records, params: URLSearchParams): number[] {
  const tests: ((row: number) => boolean)[] = [];
  const words = (params.get("q") ?? "").toLowerCase().trim();
  if (params.get("is")) tests.push((row) => records.verdict(row) === params.get("is"));
  if (params.get("status")) tests.push((row) => records.status(row) === params.get("status"));
  const name = imageName(params);
  if (name) tests.push((row) => records.images(row).some((image) => image.name === name));
  for (const tag of records.tags) {
    const wanted = params.get(`tag.${tag.name}`);
    if (wanted !== null) {
      const code = tag.values.indexOf(wanted);
      tests.push((row) => tag.codes[row] === code);
    }
  }
  if (words) tests.push((row) => records.searchText(row).includes(words)); // last: it costs most
  const rows: number[] = [];
  for (let row = 0; row < records.count; row++) if (tests.every((test) => test(row))) rows.push(row);
  const order = ORDERS[params.get("sort") ?? ""]?.by?.(records);
  if (order) {
    const keys = new Float64Array(records.count);
    for (const row of rows) keys[row] = order(row);
    rows.sort((a, b) => keys[a] - keys[b] || a - b);
  }
  return rows;
}

const set = (changes: Changes, options?: { replace: boolean }) =>
  changeParams({ ...changes, at: null, open: null }, options);

interface Option {
  value: string;
  label: string;
}

interface Select {
  name: string;
  control: HTMLSelectElement;
  node: HTMLElement;
}

/** The controls; `update` sets them to what the URL says. */
export interface FilterBar {
  node: HTMLElement;
  update: (params: URLSearchParams) => void;
}

function select(label: string, name: string, options: Option[]): Select {
  const control: HTMLSelectElement = h(
    "select",
    { onchange: () => set({ [name]: control.value }) },
    options.map(({ value, label: text }) => h("option", { value }, text)),
  );
  return { name, control, node: h("label", { class: "field" }, h("span", {}, label), control) };
}

const options = (all: string, values: string[]): Option[] => [
  { value: "", label: all },
  ...values.map((value) => ({ value, label: value === "" ? "(none)" : shorten(value, 40) })),
];

function counted(records: Records, of: (row: number) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let row = 0; row < records.count; row++) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
  return counts;
}

function verdicts(records: Records): { buttons: HTMLButtonElement[]; node: HTMLElement } {
  const counts = counted(records, records.verdict);
  const present = ["", ...Object.keys(VERDICTS).filter((name) => counts.has(name))];
  const buttons = present.map((name) =>
    h(
      "button",
      { type: "button", "data-is": name, onclick: () => set({ is: name }) },
      name ? `${VERDICTS[name as Verdict]} ` : "All ",
      h("span", { class: "dim" }, formatCount(name ? (counts.get(name) ?? 0) : records.count)),
    ),
  );
  return { buttons, node: h("div", { class: "switch", role: "group", "aria-label": "Right or wrong" }, buttons) };
}

/** The bar of controls; `update(params)` sets them to what the URL says. */
export function filterBar(records: Records): FilterBar {
  let typing = 0;
  const search: HTMLInputElement = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search question, answer, target, id",
    "aria-label": "Search questions, answers, targets and ids",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => set({ q: search.value }, { replace: true }), 150);
    },
  });
  const verdict = verdicts(records);
  const { statuses } = records;
  const tags = records.tags.filter((tag) => tag.values.length > 1 && tag.values.length <= MOST_OPTIONS);
  const selects = [
    ...(statuses.length > 1
      ? [
          select("status", "status", [
            { value: "", label: "any" },
            ...statuses.map((value) => ({ value, label: statusLabel(value) })),
          ]),
        ]
      : []),
    select(
      "order",
      "sort",
      Object.entries(ORDERS).map(([value, { label }]) => ({ value, label })),
    ),
    ...tags.map((tag) =>
      select(humanize(tag.name), `tag.${tag.name}`, options("any", tag.values.filter((value) => value !== "").sort())),
    ),
  ];
  const image = h("button", {
    type: "button",
    class: "chip chip-clear",
    onclick: () => set({ image: null, picture: null }),
  });
  const clear = h(
    "button",
    {
      type: "button",
      class: "plain",
      onclick: () =>
        set(
          Object.fromEntries(
            [...currentRoute().params.keys()]
              .filter((name) => name !== "run" && name !== "task")
              .map((name) => [name, null]),
          ),
        ),
    },
    "Clear filters",
  );
  const node = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter samples",
      onsubmit: (event) => event.preventDefault(),
    },
    h("div", { class: "filter-row" }, search, verdict.node),
    h(
      "div",
      { class: "filter-row" },
      selects.slice(0, MOST_SELECTS).map((one) => one.node),
      image,
      clear,
    ),
    selects.length > MOST_SELECTS
      ? h(
          "details",
          { class: "more" },
          h("summary", {}, "More filters"),
          h(
            "div",
            { class: "filter-row" },
            selects.slice(MOST_SELECTS).map((one) => one.node),
          ),
        )
      : null,
  );
  const update = (params: URLSearchParams) => {
    if (document.activeElement !== search) search.value = params.get("q") ?? "";
    for (const button of verdict.buttons)
      button.setAttribute("aria-pressed", String(button.dataset.is === (params.get("is") ?? "")));
    for (const { name, control } of selects) control.value = params.get(name) ?? "";
    const name = imageName(params);
    image.hidden = name === null;
    image.replaceChildren("image ", dataText(shorten(name ?? "", 40)), " ✕");
    clear.hidden = ![...params.keys()].some((name) => !["run", "task", "at", "open", "sort"].includes(name));
  };
  return { node, update };
}
