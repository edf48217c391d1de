// Which tasks the board shows: a box for each, and the members of a suite at one click. All of it is in the URL.

import { report } from "../../lib/data.ts";
import { h } from "../../lib/dom.ts";
import { changeParams } from "../../lib/route.ts";
import { boardRows, suiteOf } from "../../lib/runs.ts";
import { breakable } from "./cells.ts";

/** The tasks that the URL names; all where it names none. */
export function chosenKeys(keys: string[], params: URLSearchParams): string[] {
  const named = new Set((params.get("cols") ?? "").split(","));
  const found = keys.filter((key) => named.has(key));
  return found.length ? found : keys;
}

/** The members of each suite that are on the board. */
function suites(keys: string[]): [name: string, members: string[]][] {
  return Object.keys(report().averages).flatMap((key): [string, string[]][] => {
    const members = boardRows().flatMap((row) => suiteOf(row, key)?.members.map(({ task }) => task) ?? []);
    const here = keys.filter((one) => members.includes(one));
    return here.length > 1 && here.length < keys.length ? [[key.replace(/^suite:/, ""), here]] : [];
  });
}

let open = false; // it stays open while one ticks boxes, each of which draws the board again

export function chooser(keys: string[], shown: string[]): HTMLElement {
  const show = (now: string[]) =>
    changeParams({ cols: now.length === keys.length || !now.length ? null : now.join(",") }, { replace: true });
  const box = (key: string) => {
    const control: HTMLInputElement = h("input", {
      type: "checkbox",
      "data-column": key,
      checked: shown.includes(key),
      onchange: () => show(keys.filter((one) => (one === key ? control.checked : shown.includes(one)))),
    });
    return h("label", {}, control, breakable(key));
  };
  const button = (text: string, now: string[]) =>
    h("button", { type: "button", class: "plain", onclick: () => show(now) }, text);
  const node: HTMLDetailsElement = h(
    "details",
    { class: "chooser", open },
    h("summary", { class: "button" }, `Columns: ${shown.length} of ${keys.length}`),
    h(
      "div",
      { class: "chooser-body" },
      h(
        "div",
        { class: "chips" },
        button("all", keys),
        suites(keys).map(([name, members]) => button(`${name} alone`, members)),
      ),
      h("div", { class: "chooser-boxes" }, keys.map(box)),
    ),
  );
  node.addEventListener("toggle", () => {
    open = node.open;
  });
  return node;
}
