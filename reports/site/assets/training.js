"use strict";
// Loss curves: a panel of a run's page, or a page of their own.

(() => {
  const { h } = vb;

  // One small plot: {name: {step, value}} as lines.
  const lines = (title, told, hint) => {
    const points = Object.entries(told).flatMap(([name, line]) =>
      line.step.map((step, at) => ({ name, step, value: line.value[at] })),
    );
    return points.length ? [h("p", { class: "hint" }, hint), vb.lines(title, points)] : [];
  };

  // Learning rate, gradient norms by part, and tasks asked on the way, where the log has them.
  const extras = (stage) => [
    ...lines(`Learning rate of stage ${stage.name}`, stage.lr?.length ? { lr: { step: stage.step, value: stage.lr } } : {}, "learning rate"),
    ...lines(`Gradient norms of stage ${stage.name}`, stage.grad_norms ?? {}, "gradient norm, by part"),
    ...lines(`Tasks asked during stage ${stage.name}`, stage.eval ?? {}, "scores of the live model, by task"),
  ];

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
            ...extras(stage),
          ),
        ),
    );

  const place = document.getElementById("curve");
  if (place) {
    const stages = vb.block("training");
    place.append(stages.length ? vb.training(stages) : h("p", { class: "hint" }, "The log holds no loss yet."));
  }
})();
