// The page of a training run: its loss curves.

import { block } from "../lib/data.ts";
import { h } from "../lib/dom.ts";
import { trainingPanels } from "../lib/training_curves.ts";
import type { TrainingStage } from "../lib/types.ts";

const stages = block<TrainingStage[]>("training") ?? [];
document
  .getElementById("curve")
  ?.append(stages.length ? trainingPanels(stages) : h("p", { class: "hint" }, "The log holds no loss yet."));
