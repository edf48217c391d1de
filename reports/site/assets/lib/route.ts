// The state of a view lives in the URL: #/VIEW?name=value&...

export interface Route {
  view: string;
  params: URLSearchParams;
}

export type Changes = Record<string, string | null>;

export function currentRoute(): Route {
  const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { view: path || "leaderboard", params: new URLSearchParams(query ?? "") };
}

export function linkTo(view: string, params: URLSearchParams | Record<string, string | null | undefined> = {}): string {
  const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
  const kept = entries.filter((entry): entry is [string, string] => Boolean(entry[1]));
  const query = new URLSearchParams(kept).toString();
  return `#/${view === "leaderboard" ? "" : view}${query ? `?${query}` : ""}`;
}

/** Change some parameters of the current view; null or "" removes one. With `replace` no entry joins the history. */
export function changeParams(changes: Changes, { replace = false } = {}): void {
  const { view, params } = currentRoute();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const hash = linkTo(view, params);
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
    window.dispatchEvent(new HashChangeEvent("hashchange")); // replaceState sends none
  } else location.hash = hash;
}

/** A page of the report, by the view that its URL names. */
export interface View {
  title: (params: URLSearchParams) => string;
  /** The data files that it is drawn from. */
  needs?: (params: URLSearchParams) => string[];
  /** Equal for parameters under which the page on show is only updated, not built again. */
  same?: (params: URLSearchParams) => string;
  build: (main: HTMLElement, params: URLSearchParams) => Shown | void;
}

/** A page on show. */
export interface Shown {
  update?: (params: URLSearchParams) => void;
  leave?: () => void;
}
