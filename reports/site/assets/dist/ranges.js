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

  // lib/format.ts
  var grouped = new Intl.NumberFormat("en");
  var formatScore = (value, digits = 1) => {
    if (value === null || value === void 0) return "–";
    const text = value.toFixed(digits);
    return Number(text) === 0 ? 0 .toFixed(digits) : text;
  };
  var shorten = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
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
  var rangeChart = (title, bars, describe2) => chart(
    `${title}. ${bars.map(describe2).join("; ")}`,
    (width) => {
      const left = Math.min(200, width * 0.45);
      return Plot.plot({
        className: "plot",
        style: { fontSize: "12px" },
        width,
        height: bars.length * 28 + 44,
        marginLeft: left,
        marginRight: 20,
        marginTop: 6,
        marginBottom: 32,
        x: { label: null, nice: true, ticks: width < 360 ? 3 : 5 },
        y: {
          domain: bars.map((bar) => bar.label),
          label: null,
          tickSize: 0,
          tickFormat: (label) => shorten(label, Math.floor((left - 12) / 7))
        },
        marks: [
          Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
          Plot.ruleY(bars, { x1: "low", x2: "high", y: "label", stroke: "var(--ink)", strokeWidth: 1.5 }),
          Plot.dot(bars, { x: "value", y: "label", fill: "var(--accent)", r: 4 }),
          Plot.tip(bars, Plot.pointerY({ x: "value", y: "label", title: describe2, ...TIP }))
        ]
      });
    },
    bars.length * 28 + 44
  );

  // lib/data.ts
  var blocks = /* @__PURE__ */ new Map();
  function block(id) {
    if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id)?.textContent ?? "null"));
    return blocks.get(id);
  }

  // lib/panels.ts
  var panel = (title, hint, ...content) => h("section", { class: "panel" }, h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, content);

  // pages/ranges.ts
  var describe = (bar) => `${bar.label}: ${formatScore(bar.value, 3)} (${formatScore(bar.low, 3)} to ${formatScore(bar.high, 3)})`;
  var panels = block("ranges") ?? [];
  document.getElementById("curve")?.append(
    h(
      "div",
      { class: "panels" },
      panels.map(({ name, bars }) => panel(name, null, rangeChart(name, bars, describe)))
    )
  );
})();
