"use strict";
"use strict";
(() => {
  // lib/dom.ts
  function h(name, attributes = {}, ...children) {
    return filled(document.createElement(name), attributes, children);
  }
  function filled(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === void 0 || value === false) continue;
      if (typeof value === "function") node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...nodes(children));
    return node;
  }
  var nodes = (children) => children.flatMap((child) => {
    if (Array.isArray(child)) return nodes(child);
    if (child === null || child === void 0 || child === false) return [];
    return [child instanceof Node ? child : String(child)];
  });
  var dataText = (text) => h("bdi", { class: "data-text" }, text);

  // lib/data.ts
  var blocks = /* @__PURE__ */ new Map();
  function block(id) {
    if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return blocks.get(id);
  }

  // lib/format.ts
  var grouped = new Intl.NumberFormat("en");
  var formatCount = (value) => grouped.format(value);
  var formatScore = (value, digits = 1) => {
    if (value === null || value === void 0) return "–";
    const text = value.toFixed(digits);
    return Number(text) === 0 ? 0 .toFixed(digits) : text;
  };
  var humanize = (name) => name.replaceAll("_", " ");
  var plural = (count, word) => `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
  var BINARY_UNITS = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"]
  ];

  // lib/charts.ts
  function chart(label, draw, height = 16) {
    const place = h("div", { class: "chart", role: "img", "aria-label": label });
    place.style.minHeight = `${height}px`;
    let width = 0;
    let near = false;
    const now = (entry) => {
      const wide = Math.floor(entry?.contentRect.width ?? place.clientWidth);
      if (!near || wide === width || wide < 40) return;
      width = wide;
      const drawn = draw(width);
      drawn.setAttribute("aria-hidden", "true");
      place.replaceChildren(drawn);
    };
    const seen = new IntersectionObserver(
      ([entry]) => {
        if (!entry.isIntersecting) return;
        seen.disconnect();
        near = true;
        now();
      },
      { rootMargin: "600px" }
    );
    seen.observe(place);
    new ResizeObserver(([entry]) => now(entry)).observe(place);
    return place;
  }
  var TIP = {
    fill: "var(--surface)",
    stroke: "var(--line-strong)",
    fontSize: 12,
    lineHeight: 1.3,
    textPadding: 8
  };
  function lossCurve(stage) {
    const points = stage.step.map((step, at) => ({ step, loss: stage.loss[at] }));
    const last = points[points.length - 1];
    return chart(
      `Loss of stage ${stage.name}: from ${formatScore(points[0].loss, 3)} to ${formatScore(last.loss, 3)} in ${last.step} steps`,
      (width) => Plot.plot({
        className: "plot",
        style: { fontSize: "11px" },
        width,
        height: 200,
        marginLeft: 44,
        marginRight: 16,
        marginTop: 12,
        marginBottom: 34,
        x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
        y: { label: null, ticks: 5, zero: points.every((point) => point.loss >= 0) },
        marks: [
          Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
          Plot.line(points, { x: "step", y: "loss", stroke: "var(--accent)", strokeWidth: 1.8 }),
          Plot.tip(
            points,
            Plot.pointerX({
              x: "step",
              y: "loss",
              title: (point) => `step ${formatCount(point.step)}
loss ${formatScore(point.loss, 4)}`,
              ...TIP
            })
          )
        ]
      })
    );
  }
  var lineChart = (title, points) => chart(
    title,
    (width) => Plot.plot({
      className: "plot",
      style: { fontSize: "11px" },
      width,
      height: 140,
      marginLeft: 52,
      marginRight: 90,
      marginTop: 10,
      marginBottom: 30,
      x: { label: "step", ticks: width < 360 ? 3 : 5, labelAnchor: "right" },
      y: { label: null, ticks: 4, zero: true, tickFormat: "~g" },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 4 }),
        Plot.line(points, { x: "step", y: "value", z: "name", stroke: "var(--accent)", strokeWidth: 1.4 }),
        Plot.text(
          points,
          Plot.selectLast({ x: "step", y: "value", z: "name", text: "name", textAnchor: "start", dx: 4 })
        )
      ]
    })
  );

  // lib/training_curves.ts
  function lines(title, series, hint) {
    const points = Object.entries(series).flatMap(
      ([name, line]) => line.step.map((step, at) => ({ name, step, value: line.value[at] }))
    );
    return points.length ? [h("p", { class: "hint" }, hint), lineChart(title, points)] : [];
  }
  var extras = (stage) => [
    ...lines(`Learning rate of stage ${stage.name}`, rates(stage), "learning rate"),
    ...lines(`Gradient norms of stage ${stage.name}`, stage.grad_norms ?? {}, "gradient norm, by part"),
    ...lines(`Evaluation during stage ${stage.name}`, stage.eval ?? {}, "evaluation during training, by task")
  ];
  var rates = ({ step, lr }) => lr?.length ? { lr: { step, value: lr } } : {};
  var trainingPanels = (stages2) => h(
    "div",
    { class: "panels" },
    stages2.filter((stage) => stage.step.length).map(
      (stage) => h(
        "section",
        { class: "panel" },
        h("h3", {}, dataText(humanize(stage.name))),
        h(
          "p",
          { class: "hint" },
          `loss, ${formatScore(stage.loss[0], 2)} → ${formatScore(stage.loss[stage.loss.length - 1], 3)} in ${plural(stage.step[stage.step.length - 1], "step")}`
        ),
        lossCurve(stage),
        ...extras(stage)
      )
    )
  );

  // pages/training.ts
  var stages = block("training") ?? [];
  document.getElementById("curve")?.append(stages.length ? trainingPanels(stages) : h("p", { class: "hint" }, "The log holds no loss yet."));
})();
