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

  vb.missing = (error) =>
    h(
      "p",
      { class: "notice" },
      `${error.message} is not beside this page. A report is a folder: copy the whole of it, or make it again.`,
    );

  function navigation(view) {
    const { ablations, histories, pairs } = vb.block("report");
    const entries = [
      ["leaderboard", "Leaderboard", true],
      ["task", "Tasks", true],
      ["model", "Models", true, { run: vb.runs()[0]?.id }],
      ["samples", "Samples", true],
      ["compare", "Compare", pairs.length > 0],
      ["ablations", "Ablations", ablations.length > 0],
      ["history", "History", histories.length > 0],
    ];
    document
      .getElementById("nav")
      .replaceChildren(
        ...entries
          .filter(([, , there]) => there)
          .map(([name, text, , params]) =>
            h("a", { href: vb.link(name, params), "aria-current": view === name ? "page" : null }, text),
          ),
      );
    document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  function draw(page, params, same, moved) {
    main.replaceChildren();
    main.removeAttribute("aria-busy");
    current = {
      same,
      ...(page ? page.build(main, params) : void main.append(vb.lost("There is no such page in this report."))),
    };
    current.update?.(params);
    main.dataset.shown = location.hash; // what is drawn now: the hash runs ahead of it by an event
    if (moved) {
      if (!params.has("at")) window.scrollTo({ top: 0 });
      main.focus({ preventScroll: true });
    }
  }

  let asked = 0;

  /** Draw what the URL says; a view that is on show already and says it is the same is only updated. */
  vb.show = () => {
    const { view, params } = vb.route();
    const page = Object.hasOwn(vb.views, view) ? vb.views[view] : null;
    const same = page?.same ? `${view} ${page.same(params)}` : location.hash;
    asked += 1;
    if (current?.same === same) {
      current.update?.(params);
      main.dataset.shown = location.hash;
      return;
    }
    const moved = current !== null;
    current?.leave?.();
    current = { same: null };
    navigation(view);
    document.title = `${page ? page.title(params) : "Not found"} · vlmbench`;
    const waiting = vb.load(page?.needs?.(params) ?? []);
    if (!waiting) return void draw(page, params, same, moved);
    const mine = asked;
    main.setAttribute("aria-busy", "true");
    main.replaceChildren(h("div", { class: "page" }, h("p", { class: "hint loading", role: "status" }, "Loading …")));
    waiting.then(
      () => mine === asked && draw(page, vb.route().params, same, moved),
      (error) => {
        if (mine !== asked) return;
        main.removeAttribute("aria-busy");
        main.replaceChildren(h("div", { class: "page" }, h("h1", {}, "Not found"), vb.missing(error)));
        main.dataset.shown = location.hash;
      },
    );
  };

  window.addEventListener("hashchange", vb.show);
  vb.show();
})();
