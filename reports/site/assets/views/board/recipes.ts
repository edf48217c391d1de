// Recipes: means over training seeds, a card of all recipes with a column for each task.

import { dataText, h } from "../../lib/dom.ts";
import { formatInterval, formatLevels, formatScore, humanize, plural } from "../../lib/format.ts";
import { card } from "../../lib/panels.ts";
import { linkTo } from "../../lib/route.ts";
import { findRun } from "../../lib/runs.ts";
import { type Column, dataTable } from "../../lib/table.ts";
import type { Recipe, RecipeScore } from "../../lib/types.ts";

interface Row {
  recipe: Recipe;
  score: RecipeScore;
}

const error = (value: number): string => value.toFixed(2);
const errorColumn = (head: string, of: (row: Row) => number): Column<Row> => ({
  head,
  class: "number",
  cell: (row) => error(of(row)),
  plain: of,
});

/** The headline of each task: mean and interval over seeds, each seed's own value, and what the error is made of. */
export function recipeCard(recipes: Recipe[], keys: string[]): HTMLElement | null {
  const rows = recipes.flatMap((recipe) =>
    recipe.tasks.filter((score) => keys.includes(score.key)).map((score): Row => ({ recipe, score })),
  );
  if (!rows.length) return null;
  const columns: Column<Row>[] = [
    {
      head: "recipe",
      class: "run",
      cell: ({ recipe }) => [dataText(recipe.name), h("span", { class: "under" }, plural(recipe.runs.length, "seed"))],
      plain: ({ recipe }) => recipe.name,
    },
    { head: "task", cell: ({ score }) => dataText(score.key), plain: ({ score }) => score.key },
    { head: "metric", cell: ({ score }) => dataText(humanize(score.metric)), plain: ({ score }) => score.metric },
    {
      head: "mean over seeds",
      class: "number strong",
      cell: ({ score }) => [formatScore(score.value), h("span", { class: "under" }, formatInterval(score))],
      plain: ({ score }) => score.value,
    },
    {
      head: "each seed",
      cell: ({ recipe, score }) =>
        score.parts.values.map((value, place) => {
          const run = findRun(recipe.runs[place]);
          const text = formatScore(value);
          const link = run ? h("a", { href: linkTo("model", { run: run.id, task: score.key }) }, text) : text;
          return [place ? ", " : "", link];
        }),
    },
    errorColumn("error: questions", ({ score }) => score.parts.between_questions),
    errorColumn("one seed's answers", ({ score }) => score.parts.within_questions),
    errorColumn("one seed as a whole", ({ score }) => score.parts.between_runs),
  ];
  const levels = formatLevels(rows.map(({ score }) => score.level));
  return card(
    "Recipes",
    `Models trained from several seeds. ${levels} intervals are over other questions and other seeds. More seeds make the last two errors smaller, not the first.`,
    null,
    dataTable("Means over training seeds", columns, rows, { class: "overview" }, { name: "recipes" }),
  );
}
