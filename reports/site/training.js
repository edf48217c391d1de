"use strict";
// Loss curves: a panel of a run's page, or a page of their own.

(() => {
  const { h } = vb;

  vb.training = (stages) =>
    h(
      "div",
      { class: "panels" },
      stages
        .filter((stage) => stage.step.length)
        .map((stage) =>
          h(
            "section",
            { class: "panel" },
            h("h3", {}, vb.said(vb.words(stage.name))),
            h(
              "p",
              { class: "hint" },
              `loss, ${vb.score(stage.loss[0], 2)} → ${vb.score(stage.loss.at(-1), 3)} in ${vb.plural(stage.step.at(-1), "step")}`,
            ),
            vb.curve(stage),
          ),
        ),
    );

  const place = document.getElementById("curve");
  if (place) {
    const stages = vb.block("training");
    place.append(stages.length ? vb.training(stages) : h("p", { class: "hint" }, "The log holds no loss yet."));
  }
})();
