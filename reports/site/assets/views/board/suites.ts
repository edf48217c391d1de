// The averages of suites: a card per suite, its runs as rows, a column for each member's own figure.

import { type Child, dataText, h } from "../../lib/dom.ts";
import { formatInterval, formatLevels, formatScore } from "../../lib/format.ts";
import { card, coverageText } from "../../lib/panels.ts";
import { linkTo } from "../../lib/route.ts";
import { gateOf, type Row as BoardRow } from "../../lib/runs.ts";
import { type Column, dataTable } from "../../lib/table.ts";
import type { Run, Suite } from "../../lib/types.ts";

type SuiteMember = Suite["members"][number];

interface Row {
  run: Run;
  suite: Suite;
}

const memberOf = ({ suite }: Row, benchmark: string): SuiteMember | undefined =>
  suite.members.find((member) => member.benchmark === benchmark);

/** The run that a row shows on a member; null where it has none. */
const sourceOfMember = (run: Run, key: string): Run | null =>
  "cells" in run ? ((run as BoardRow).cells[key] ?? null) : run;

const byAverage = (one: Row, other: Row): number =>
  (other.suite.bar.value ?? -Infinity) - (one.suite.bar.value ?? -Infinity) || 0;

function columns(members: SuiteMember[]): Column<Row>[] {
  const figures = members.map(({ benchmark, divide_by }): Column<Row> => ({
    head: [
      dataText(benchmark),
      divide_by === 1 ? null : h("span", { class: "under" }, `divided by ${divide_by}`),
    ] as Child,
    name: benchmark,
    class: "number",
    plain: (row) => memberOf(row, benchmark)?.figure ?? null,
    cell: (row) => {
      const member = memberOf(row, benchmark);
      const text = formatScore(member?.figure ?? null);
      const source = member?.task ? sourceOfMember(row.run, member.task) : null;
      return source ? h("a", { href: linkTo("model", { run: source.id, task: member?.task }) }, text) : text;
    },
  }));
  return [
    {
      head: "run",
      class: "run",
      plain: ({ run }) => run.label,
      cell: ({ run, suite }) => {
        const [only, ...others] = "runs" in run ? (run as BoardRow).runs : [run];
        const gate = others.length ? null : gateOf(only, suite.key); // a gate is of one run's average
        return [
          h("a", { href: linkTo("model", { run: only.id }) }, dataText(run.label)),
          gate ? h("span", { class: `tag tag-${gate.outcome}`, title: gate.reason }, `gate: ${gate.outcome}`) : null,
        ];
      },
    },
    {
      head: "average",
      class: "number strong",
      plain: ({ suite }) => suite.bar.value,
      cell: ({ suite }) => [
        formatScore(suite.bar.value),
        h("span", { class: "under" }, suite.bar.value === null ? "" : formatInterval(suite.bar)),
      ],
    },
    {
      head: "answered",
      class: "number",
      plain: ({ suite }) => suite.coverage,
      cell: ({ suite }) => coverageText(suite),
    },
    ...figures,
  ];
}

/** Why there is no average, and what else is told of it; what not all runs have in common names its run. */
const notes = (rows: Row[]): Child => {
  const shared = (note: string) => rows.every(({ suite }) => suite.notes.includes(note));
  const texts = rows.flatMap(({ run, suite }) =>
    suite.notes.map((note) => (shared(note) ? note : `${run.label}: ${note}`)),
  );
  return [...new Set(texts)].map((text) => h("p", { class: "notice", role: "note" }, dataText(text)));
};

/** A card for each suite of some runs. */
export function suiteCards(runs: Run[]): HTMLElement[] {
  const rows = runs.flatMap((run) => run.suites.map((suite): Row => ({ run, suite })));
  return [...new Set(rows.map(({ suite }) => suite.key))].map((key) => {
    const own = rows.filter(({ suite }) => suite.key === key).sort(byAverage);
    const { suite } = own[0];
    return card(
      dataText(key),
      suite.title ? dataText(suite.title) : null,
      null,
      notes(own),
      dataTable(`Average of ${key}`, columns(suite.members), own, { class: "overview suite" }, { name: key }),
      h(
        "p",
        { class: "hint" },
        suite.formula ? [dataText(`Average: ${suite.formula}. `)] : null,
        `Intervals are ${formatLevels(own.map((row) => row.suite.level))}, members taken as independent. List: `,
        dataText(suite.source),
      ),
    );
  });
}
