// A list of any length of which only what is near the window is in the page. Arrow keys walk through it.

import { h } from "./dom.ts";

/** The list on a page. */
export interface VirtualList<Row> {
  node: HTMLElement;
  /** The place at the top of the window, for links. */
  first: () => number;
  scrollTo: (at: number) => void;
  /** Scroll to a place and give it the focus. */
  reveal: (at: number) => void;
  /** Show other rows. */
  set: (rows: Row[]) => void;
  leave: () => void;
}

interface Layout<Row> {
  /** The link that stands for a row. */
  card: (row: Row) => HTMLElement;
  /** Of every card. */
  height: number;
  /** Least width of a card. */
  least: number;
}

const GAP = 12;
const BEYOND = 700;

export function virtualList<Row>(label: string, { card, height, least }: Layout<Row>): VirtualList<Row> {
  const list = h("ul", { class: "cards", "aria-label": label });
  const node = h("div", { class: "cards-all" }, list);
  const pitch = height + GAP;
  let rows: Row[] = [];
  let columns = 1;
  let shown = [-1, -1];

  const draw = (again = false) => {
    if (!node.isConnected) return;
    const wide = Math.max(1, Math.floor((node.clientWidth + GAP) / (least + GAP)));
    const top = node.getBoundingClientRect().top;
    const from = Math.max(0, Math.floor((-top - BEYOND) / pitch)) * wide;
    const to = Math.min(rows.length, Math.ceil((window.innerHeight - top + BEYOND) / pitch) * wide);
    if (!again && wide === columns && from === shown[0] && to === shown[1]) return;
    columns = wide;
    shown = [from, to];
    node.style.height = `${Math.max(0, Math.ceil(rows.length / columns) * pitch - GAP)}px`;
    list.style.transform = `translateY(${(from / columns) * pitch}px)`;
    list.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    list.style.gridAutoRows = `${height}px`;
    const kept = new Map(
      again ? [] : ([...list.children] as HTMLElement[]).map((item) => [Number(item.dataset.at), item]),
    );
    const items: HTMLElement[] = [];
    for (let at = from; at < to; at++) items.push(kept.get(at) ?? item(at));
    const focused = list.contains(document.activeElement) ? document.activeElement?.closest("li") : null;
    list.replaceChildren(...items);
    if (focused?.isConnected) (focused.firstElementChild as HTMLElement).focus({ preventScroll: true });
  };

  const item = (at: number) =>
    h("li", { "data-at": at, "aria-setsize": rows.length, "aria-posinset": at + 1 }, card(rows[at]));

  const first = () => Math.max(0, Math.floor((80 - node.getBoundingClientRect().top) / pitch)) * columns;

  const scrollTo = (at: number, margin = 80) => {
    const top = node.getBoundingClientRect().top + window.scrollY + Math.floor(at / columns) * pitch;
    window.scrollTo({ top: Math.max(0, top - margin) });
    draw();
  };

  const reveal = (at: number) => {
    const place = node.getBoundingClientRect().top + Math.floor(at / columns) * pitch;
    if (place < 80) scrollTo(at);
    else if (place + height > window.innerHeight - 16) scrollTo(at, window.innerHeight - height - 24);
    list.querySelector<HTMLElement>(`[data-at="${at}"] > *`)?.focus({ preventScroll: true });
  };

  const STEPS: Record<string, (at: number) => number> = {
    ArrowRight: () => 1,
    ArrowLeft: () => -1,
    ArrowDown: () => columns,
    ArrowUp: () => -columns,
    Home: (at) => -at,
    End: (at) => rows.length - 1 - at,
  };
  list.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const at = Number((event.target as Element).closest("li")?.dataset.at ?? -1);
    if (!step || at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = at + step(at);
    if (next >= 0 && next < rows.length) reveal(next);
  });

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
  const size = new ResizeObserver(soon);
  size.observe(node);
  window.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", soon);
  return {
    node,
    first,
    scrollTo,
    reveal,
    set: (now) => {
      rows = now;
      draw(true);
    },
    leave: () => {
      size.disconnect();
      window.removeEventListener("scroll", soon);
      window.removeEventListener("resize", soon);
    },
  };
}
