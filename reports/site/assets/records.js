"use strict";
// The records of a task: the list that is shown and searched, and the whole of one record when it is asked for.

(() => {
  const PART = 4000;
  const readers = new Map();

  /** The records of a task whose list is loaded, with the functions that read one row. */
  vb.records = (task) => {
    if (!readers.has(task.list)) readers.set(task.list, reader(task.list, vb.data(task.list)));
    return readers.get(task.list);
  };

  const coded = (column) => (row) => column.values[column.codes[row]];

  function verdicts({ value, status }) {
    const of = value.values.map((one) => (one === null ? "none" : one >= 1 ? "right" : one <= 0 ? "wrong" : "partly"));
    const ok = status.values.map((one) => one === "ok");
    return (row) => (ok[status.codes[row]] ? of[value.codes[row]] : "none");
  }

  function reader(name, list) {
    const [text, read, target] = [list.text, list.read, list.target].map(coded);
    const searchable = new Array(list.id.length);
    const find = (row) =>
      (searchable[row] ??= [list.id[row], list.question[row], text(row), read(row), target(row)]
        .join("\n")
        .toLowerCase());
    prepare(find, list.id.length);
    return {
      count: list.id.length,
      id: list.id,
      question: list.question,
      length: list.length,
      margin: list.margin,
      seconds: list.seconds,
      tags: list.tags,
      text,
      read,
      target,
      find,
      status: coded(list.status),
      statuses: list.status.values,
      value: coded(list.value),
      verdict: verdicts(list),
      tag: (tag, row) => tag.values[tag.codes[row]],
      images: (row) => list.shown[row].map((index) => list.pictures[index]),
      place: places(list.id),
      chunk: (row) => `${name}-${Math.floor(row / list.chunk)}`,
      whole: (row) => whole(name, list, row),
    };
  }

  /** Lower-case texts are made a part at a time while nothing else is to do, so that the first search is as quick. */
  function prepare(find, count) {
    const idle = window.requestIdleCallback ?? ((go) => setTimeout(go, 50));
    const part = (from) => {
      for (let row = from; row < Math.min(from + PART, count); row++) find(row);
      if (from + PART < count) idle(() => part(from + PART));
    };
    idle(() => part(0));
  }

  function places(ids) {
    let known = null;
    return (id) => {
      known ??= new Map(ids.map((one, row) => [one, row]));
      return known.get(id) ?? null;
    };
  }

  /** Everything recorded about one row; its chunk must be loaded. */
  function whole(name, list, row) {
    const chunk = vb.data(`${name}-${Math.floor(row / list.chunk)}`);
    const at = row % list.chunk;
    const of = (column) => (column === null ? null : (column[at] ?? null));
    return {
      question: chunk.question[at],
      text: chunk.text[at],
      read: chunk.read[at],
      note: chunk.note[at],
      error: chunk.error[at],
      target: chunk.target[at],
      prompt: coded(chunk.prompt)(at).replace(/\ufffc[01]/g, (mark) =>
        mark.endsWith("1") ? chunk.question[at] : "\ufffc",
      ),
      finish: coded(chunk.finish)(at),
      choices: of(chunk.choices) ?? [],
      scores: of(chunk.choice_scores) ?? [],
      history: of(chunk.history) ?? [],
      judged: of(chunk.judged) ?? [],
      boxes: of(chunk.boxes),
      ...Object.fromEntries(
        ["prompt_tokens", "new_tokens", "seconds", "margin", "rerun", "key"].map((column) => [
          column,
          chunk[column][at],
        ]),
      ),
    };
  }

  /** Where a picture's thumbnail lies, or null when the run kept none. */
  vb.picture = ({ hash, kept }) =>
    kept && /^[0-9a-f]{16}$/.test(hash) ? `images/${hash.slice(0, 2)}/${hash}.jpg` : null;
})();
