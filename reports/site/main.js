"use strict";
// Shows the view that the URL hash names, and the navigation above it.

(() => {
  const { h } = vb;
  const main = document.getElementById("main");
  let current = null;

  vb.lost = (text) =>
    h(
      "div",
      { class: "page" },
      h("h1", {}, "Not found"),
      h("p", {}, text, " ", h("a", { href: "#/" }, "To the leaderboard")),
    );

  function navigation(view) {
    const entries = [
      ["leaderboard", "Leaderboard"],
      ["samples", "Samples"],
    ];
    const { runs } = vb.block("report");
    const runLinks =
      runs.length === 1
        ? [h("a", { href: vb.link("run", { run: runs[0].id }), "aria-current": view === "run" ? "page" : null }, "Run")]
        : [];
    const links = entries.map(([name, text]) =>
      h("a", { href: vb.link(name), "aria-current": view === name ? "page" : null }, text),
    );
    document.getElementById("nav").replaceChildren(links[0], ...runLinks, links[1]);
  }

  /** Draw what the URL says; a view that is on show already and says it is the same is only updated. */
  vb.show = () => {
    const { view, params } = vb.route();
    const page = vb.views[view];
    const same = page?.same ? `${view} ${page.same(params)}` : location.hash;
    if (current?.same === same) {
      current.update?.(params);
      main.dataset.shown = location.hash;
      return;
    }
    const moved = current !== null;
    current?.leave?.();
    main.replaceChildren();
    navigation(view);
    document.title = `${page ? page.title(params) : "Not found"} · vlmbench`;
    current = {
      same,
      ...(page ? page.build(main, params) : void main.append(vb.lost("There is no such page in this report."))),
    };
    current.update?.(params);
    main.dataset.shown = location.hash; // what is drawn now: the hash runs ahead of it by an event
    if (moved) {
      window.scrollTo({ top: 0 });
      main.focus({ preventScroll: true });
    }
  };

  window.addEventListener("hashchange", vb.show);
  vb.show();
})();
