"use strict";
// What an ablation found: a panel a column, a row a variant, its mean over the seeds and how far they lie apart.

(() => {
  const { h } = vb;
  const told = (bar) =>
    `${bar.label}: ${vb.score(bar.value, 3)} (${vb.score(bar.low, 3)} to ${vb.score(bar.high, 3)})`;

  vb.ranges = (panels) =>
    h(
      "div",
      { class: "panels" },
      panels.map((panel) =>
        h("section", { class: "panel" }, h("h3", {}, panel.name), vb.dots(panel.name, panel.bars, told)),
      ),
    );

  document.getElementById("curve").append(vb.ranges(vb.block("ranges")));
})();
