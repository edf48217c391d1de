"use strict";
// A list of any length of which only what is near the window is in the page. Arrow keys walk through it.

(() => {
  const { h } = vb;
  const GAP = 12;
  const BEYOND = 700;

  /**
   * `card(row)` makes the link that stands for a row, `height` is that of every card and `least` its least width.
   * `set(rows)` shows other rows, `reveal(at)` scrolls to one and gives it the focus.
   */
  vb.rows = (label, { card, height, least }) => {
    const list = h("ul", { class: "cards", "aria-label": label });
    const node = h("div", { class: "cards-all" }, list);
    const pitch = height + GAP;
    let rows = [];
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
      const kept = new Map(again ? [] : [...list.children].map((item) => [Number(item.dataset.at), item]));
      const items = [];
      for (let at = from; at < to; at++) items.push(kept.get(at) ?? item(at));
      const focused = list.contains(document.activeElement) ? document.activeElement.closest("li") : null;
      list.replaceChildren(...items);
      if (focused?.isConnected) focused.firstChild.focus({ preventScroll: true });
    };

    const item = (at) =>
      h("li", { "data-at": at, "aria-setsize": rows.length, "aria-posinset": at + 1 }, card(rows[at]));

    /** The place at the top of the window, for links. */
    const first = () => Math.max(0, Math.floor((80 - node.getBoundingClientRect().top) / pitch)) * columns;

    const scrollTo = (at, margin = 80) => {
      const top = node.getBoundingClientRect().top + window.scrollY + Math.floor(at / columns) * pitch;
      window.scrollTo({ top: Math.max(0, top - margin) });
      draw();
    };

    const reveal = (at) => {
      const place = node.getBoundingClientRect().top + Math.floor(at / columns) * pitch;
      if (place < 80) scrollTo(at);
      else if (place + height > window.innerHeight - 16) scrollTo(at, window.innerHeight - height - 24);
      list.querySelector(`[data-at="${at}"] > *`)?.focus({ preventScroll: true });
    };

    const STEPS = {
      ArrowRight: () => 1,
      ArrowLeft: () => -1,
      ArrowDown: () => columns,
      ArrowUp: () => -columns,
      Home: (at) => -at,
      End: (at) => rows.length - 1 - at,
    };
    list.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      const at = Number(event.target.closest("li")?.dataset.at ?? -1);
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
  };
})();
