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
  var BINARY_UNITS = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"]
  ];

  // views/label_store.ts
  var COLUMNS = [
    "task",
    "sample_id",
    "answer_hash",
    "images",
    "question",
    "target",
    "answer",
    "scale",
    "grade"
  ];
  var FORMULA = /^[=+\-@\t\r]/;
  var LabelStore = class {
    at = 0;
    grades = {};
    steps = [];
    sheet;
    place;
    /** Whether the browser keeps what is graded; without, only a saved file does. */
    keeps = true;
    constructor(sheet) {
      this.sheet = sheet;
      this.place = `vlmbench labels ${sheet.id}`;
      try {
        const kept = JSON.parse(localStorage.getItem(this.place) ?? "null");
        if (kept) this.restore(kept);
      } catch {
        this.keeps = false;
      }
    }
    /** Only what fits this sheet: the storage is open to other pages from disk. */
    restore({ grades, at }) {
      this.sheet.items.forEach(({ low, high }, index) => {
        const grade = grades?.[index] ?? null;
        if (grade === "skip" || typeof grade === "number" && grade >= low && grade <= high) this.grades[index] = grade;
      });
      if (Number.isInteger(at) && at >= 0 && at < this.sheet.items.length) this.at = at;
    }
    keep() {
      try {
        localStorage.setItem(this.place, JSON.stringify({ grades: this.grades, at: this.at }));
      } catch {
        this.keeps = false;
      }
    }
    get item() {
      return this.sheet.items[this.at];
    }
    get grade() {
      return this.grades[this.at] ?? null;
    }
    get graded() {
      return Object.values(this.grades).filter((grade) => typeof grade === "number").length;
    }
    get skipped() {
      return Object.values(this.grades).filter((grade) => grade === "skip").length;
    }
    get canUndo() {
      return this.steps.length > 0;
    }
    set(grade) {
      this.steps.push({ at: this.at, before: this.grade });
      this.grades[this.at] = grade;
      this.keep();
    }
    undo() {
      const step = this.steps.pop();
      if (!step) return;
      this.at = step.at;
      this.grades[step.at] = step.before;
      this.keep();
    }
    go(to) {
      this.at = Math.min(Math.max(to, 0), this.sheet.items.length - 1);
      this.keep();
    }
    /** To the next answer without a grade, from here on and then from the start; stays where all have one. */
    goToNext() {
      const count = this.sheet.items.length;
      for (let step = 1; step <= count; step += 1) {
        const index = (this.at + step) % count;
        if ((this.grades[index] ?? null) === null) return this.go(index);
      }
      this.go(this.at);
    }
    rows() {
      return this.sheet.items.map((item, index) => {
        const grade = this.grades[index];
        return {
          task: item.task,
          sample_id: item.sample_id,
          answer_hash: item.answer_hash,
          images: item.names,
          question: item.question,
          target: item.target,
          answer: item.answer,
          scale: item.scale,
          grade: typeof grade === "number" ? grade : ""
        };
      });
    }
    /** With the mark that spreadsheets need, and no cell that they would compute. */
    csv() {
      const texts = ["images", "question", "target", "answer"];
      const cell = (name, value) => {
        const text = texts.includes(name) && FORMULA.test(String(value)) ? `'${value}` : String(value);
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      };
      const lines = this.rows().map((row) => COLUMNS.map((name) => cell(name, row[name])).join(","));
      return `\uFEFF${[COLUMNS.join(","), ...lines].join("\r\n")}\r
`;
    }
    /** The graded ones alone, an object per line. */
    jsonLines() {
      const rows = this.rows().filter(({ grade }) => grade !== "");
      return rows.map((row) => `${JSON.stringify(row)}
`).join("");
    }
  };

  // views/labelling.ts
  var STEPS = 10;
  function gradesOf({ low, high }) {
    const whole = Number.isInteger(low) && Number.isInteger(high) && high - low > 1 && high - low <= STEPS;
    const count = whole ? high - low : STEPS;
    return Array.from({ length: count + 1 }, (_, step) => Number((low + (high - low) * step / count).toPrecision(6)));
  }
  function gradeOfDigit(item, digit) {
    const grades = gradesOf(item);
    if (grades.includes(digit)) return digit;
    if (item.low === 0 && item.high === 1) return digit / 10;
    return digit === 0 && grades.includes(10) ? 10 : null;
  }
  var KEYS = [
    ["0–9", "grade, and on to the next"],
    ["↑ ↓", "a step more or less"],
    ["← →", "previous, next"],
    ["S", "skip"],
    ["U", "undo"],
    ["R", "reference answer"]
  ];
  var quote = (text, label) => h(
    "pre",
    { class: "quote", tabindex: "0", role: "region", "aria-label": label },
    text ? dataText(text) : h("em", {}, "(empty)")
  );
  var section = (name, content) => h("section", { class: "story" }, h("h3", {}, name), content);
  function save(name, kind, text) {
    const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
  }
  var picture = (image, number) => h(
    "figure",
    {},
    image.uri ? h("img", { src: image.uri, alt: `Image ${number} of the question` }) : h("p", { class: "no-image" }, "The run kept no copy of this image."),
    h("figcaption", { class: "hint" }, dataText(image.name))
  );
  function labelling(sheet) {
    const store = new LabelStore(sheet);
    const count = sheet.items.length;
    let referenceOpen = true;
    const bar = h("progress", { max: count, value: 0, "aria-label": "Answers graded" });
    const told = h("p", { class: "hint", role: "status" });
    const body = h("div", { class: "label-body" });
    const grades = h("div", { class: "grades", role: "group", "aria-label": "Grade" });
    const legend = h("p", { class: "hint" });
    const revealed = h("p", { class: "label-judge hint", role: "status" });
    const button = (text, does) => h("button", { class: "button", type: "button", onclick: does }, text);
    const previous = button("← Previous", () => move(-1));
    const next = button("Next →", () => move(1));
    const undo = button("Undo", () => act(() => store.undo()));
    const skip = button("Skip", () => decide("skip"));
    function act(change) {
      change();
      draw();
    }
    const move = (by) => act(() => store.go(store.at + by));
    function decide(grade) {
      act(() => {
        store.set(grade);
        if (grade === "skip" || store.item.judge === null) store.goToNext();
      });
    }
    function step(by) {
      const all = gradesOf(store.item);
      const now = store.grade;
      const index = typeof now === "number" ? all.findIndex((grade) => grade >= now) + by : by > 0 ? 0 : all.length - 1;
      act(() => store.set(all[Math.min(Math.max(index, 0), all.length - 1)]));
    }
    function reference(item) {
      if (!item.target) return null;
      const shown = h(
        "details",
        { class: "label-reference", open: referenceOpen },
        h("summary", {}, "Reference answer"),
        quote(item.target, "Reference answer")
      );
      shown.addEventListener("toggle", () => {
        referenceOpen = shown.open;
      });
      return shown;
    }
    function draw() {
      const { item, grade } = store;
      bar.value = store.graded;
      const skipped = store.skipped ? `, ${formatCount(store.skipped)} skipped` : "";
      const storage = store.keeps ? "" : ". This browser keeps nothing: save the sheet before you close the page";
      told.textContent = `Answer ${store.at + 1} of ${formatCount(count)}: ${formatCount(store.graded)} graded${skipped}${storage}.`;
      body.replaceChildren(
        h(
          "div",
          { class: "detail-images" },
          item.images.map((place, at) => picture(sheet.images[place], at + 1))
        ),
        h(
          "div",
          { class: "detail-words" },
          h("h2", { class: "label-question" }, dataText(item.question)),
          item.choices.length ? h(
            "ol",
            { class: "choices" },
            item.choices.map((choice) => h("li", {}, dataText(choice)))
          ) : null,
          section("The model's answer", quote(item.answer, "The model's answer")),
          reference(item)
        )
      );
      legend.textContent = `From ${item.low}, wrong, to ${item.high}, right`;
      grades.replaceChildren(
        ...gradesOf(item).map(
          (value) => h(
            "button",
            { type: "button", "aria-pressed": String(value === grade), onclick: () => decide(value) },
            String(value)
          )
        )
      );
      revealed.textContent = typeof grade === "number" && item.judge !== null ? `You: ${formatScore(grade, 2)}. The judge: ${formatScore(item.judge, 2)}.` : grade === "skip" ? "Skipped." : "";
      previous.disabled = store.at === 0;
      next.disabled = store.at === count - 1;
      undo.disabled = !store.canUndo;
    }
    const keys = {
      ArrowLeft: () => move(-1),
      ArrowRight: () => move(1),
      ArrowUp: () => step(1),
      ArrowDown: () => step(-1),
      Enter: () => act(() => store.goToNext()),
      s: () => decide("skip"),
      u: () => act(() => store.undo()),
      r: () => body.querySelector("summary")?.click()
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const focused = event.target;
      if (event.key === "Enter" && focused.matches("button, summary, a")) return;
      if (event.key.startsWith("Arrow") && focused.matches("pre") && focused.scrollHeight > focused.clientHeight) return;
      const digit = /^[0-9]$/.test(event.key) ? gradeOfDigit(store.item, Number(event.key)) : null;
      const does = digit !== null ? () => decide(digit) : Object.hasOwn(keys, event.key) ? keys[event.key] : null;
      if (!does) return;
      event.preventDefault();
      does();
    });
    draw();
    const tasks = [...new Set(sheet.items.map(({ task }) => humanize(task)))].join(", ");
    return h(
      "div",
      { class: "label-page" },
      h(
        "div",
        { class: "title title-row" },
        h(
          "div",
          {},
          h("h1", {}, "Grade answers"),
          h("p", { class: "hint" }, dataText([tasks, sheet.model].filter(Boolean).join(", by ")))
        ),
        h(
          "div",
          { class: "chips" },
          button("Save as CSV", () => save("labels.csv", "text/csv;charset=utf-8", store.csv())),
          button("Save as JSON lines", () => save("labels.jsonl", "application/jsonl", store.jsonLines()))
        )
      ),
      h("div", { class: "label-progress" }, bar, told),
      h("div", { class: "card" }, body),
      h(
        "div",
        { class: "card label-bar" },
        h("div", { class: "label-grades" }, legend, grades, revealed),
        h("div", { class: "chips" }, previous, next, skip, undo)
      ),
      h(
        "p",
        { class: "hint keys" },
        KEYS.flatMap(([name, does]) => [h("kbd", {}, name), ` ${does}   `])
      )
    );
  }

  // pages/labels.ts
  document.getElementById("main")?.replaceChildren(labelling(block("labels")));
})();
