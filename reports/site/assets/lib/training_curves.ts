// Loss curves: a panel of a run's page, or a page of their own.

import { lineChart, lossCurve } from "./charts.ts";
import { type Child, dataText, h } from "./dom.ts";
import { formatScore, humanize, plural } from "./format.ts";
import type { Series, TrainingStage } from "./types.ts";

/** One small plot: several series by name, as lines. */
function lines(title: string, series: Record<string, Series>, hint: string): Child[] {
  const points = Object.entries(series).flatMap(([name, line]) =>
    line.step.map((step, at) => ({ name, step, value: line.value[at] })),
  );
  return points.length ? [h("p", { class: "hint" }, hint), lineChart(title, points)] : [];
}

/** Learning rate, gradient norms by part, and evaluations on the way, where the log has them. */
const extras = (stage: TrainingStage): Child[] => [
  ...lines(`Learning rate of stage ${stage.name}`, rates(stage), "learning rate"),
  ...lines(`Gradient norms of stage ${stage.name}`, stage.grad_norms ?? {}, "gradient norm, by part"),
  ...lines(`Evaluation during stage ${stage.name}`, stage.eval ?? {}, "evaluation during training, by task"),
];

const rates = ({ step, lr }: TrainingStage): Record<string, Series> => (lr?.length ? { lr: { step, value: lr } } : {});

export const trainingPanels = (stages: TrainingStage[]): HTMLElement =>
  h(
    "div",
    { class: "panels" },
    stages
      .filter((stage) => stage.step.length)
      .map((stage) =>
        h(
          "section",
          { class: "panel" },
          h("h3", {}, dataText(humanize(stage.name))),
          h(
            "p",
            { class: "hint" },
            `loss, ${formatScore(stage.loss[0], 2)} → ${formatScore(stage.loss[stage.loss.length - 1], 3)} in ${plural(stage.step[stage.step.length - 1], "step")}`,
          ),
          lossCurve(stage),
          ...extras(stage),
        ),
      ),
  );
