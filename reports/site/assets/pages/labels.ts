// The page for grading answers by hand: see views/labelling.ts.

import { block } from "../lib/data.ts";
import type { LabelSheet } from "../views/label_store.ts";
import { labelling } from "../views/labelling.ts";

document.getElementById("main")?.replaceChildren(labelling(block<LabelSheet>("labels") as LabelSheet));
