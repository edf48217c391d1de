"""docs/training/training-ablations.md: results of the trained ablations next to those of the papers.

`python -m docs.printing.training_ablation_pages FOLDER...` copies results.json of finished `vlmbench train
ablation-...` folders to docs/printing/training-ablations.json. `make docs` prints the page from it and trains nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from docs.printing.markdown import table
from vlmbench.base import registry
from vlmbench.training.loop import ablation
from vlmbench.training.loop.ablation import Ablation, Result

FOLDER = Path(__file__).resolve().parent
FIGURES = FOLDER / "training-ablations.json"
TEXT = """# Trained ablations

{printed}

The ablations of the TinyGPT-V and TinyLLaVA papers, repeated with models a thousand times smaller, on synthetic scenes,
with three seeds per variant. Parts that the papers used as published (vision tower, language model, Q-Former) are
trained once; the seeds vary what the papers train: connector, adapters, norms, batches. Scores are those of the first
{limit} questions of the embedded samples. None of this says how a model of three billion parameters behaves.

{parts}"""
PART = """## {title}

```bash
vlmbench train {name} --seeds 3 --output FOLDER
```

{table}
![Mean and range over seeds, by variant](../images/{name}.png)

Number of seeds with which a variant is worse than the first row:

{worse}

{reading}
"""
READING = {
    "ablation-tinygptv": """
The end losses of stages 1 and 2 include matching each query with the words of its position (two thirds of the weight)
as well as captions, so their absolute values cannot be compared with the paper's.

- **LoRA** matters as in the paper: every loss is higher without it. The paper's gradient vanishes in stage 3; here the
  model learns what linear layers and norms can learn, and no more.
- **Training the input norms** helps as in the paper, most in stage 4, where the paper's gradient vanishes without it.
- **RMSNorm and QK-norm** do not help here: losses are lower without either. The paper's training fails without them,
  in float16 and with 2.8 billion parameters. Nothing fails in bfloat16 at this size, so only their cost remains: a
  language model that was trained without them has to adapt to them.
- 490 steps are too few for scores: no variant does better than saying yes to all of POPE. The recipe of the included
  model takes 2,200 steps, after 500 in which the language model adapts to its norms.
""",
    "ablation-tinyllava": """
- **Connector**: the MLP is above the resampler on GQA with every seed, as in the paper's figure. MLP and linear layer
  cannot be distinguished: the ranges of their seeds overlap.
- **Recipe**: share is above base on GQA with every seed, as in the paper. It sees more rows, both there and here.
- **Encoder** and **language model**: SigLIP is above CLIP, and four layers are above two, on GQA with two of three
  seeds. The direction is that of the paper, but the evidence is too weak for a conclusion. In the paper, CLIP's images
  are also smaller and have fewer tokens; here they are the same.
- POPE's scores vary widely between seeds and say little at this length of training.
""",
}
"""What agrees with the paper and what does not, per ablation."""


def page(printed: str) -> str:
    """The page."""
    stored = json.loads(FIGURES.read_text(encoding="utf-8"))
    ablations = {name: registry.load_object(registry.ABLATIONS[name])() for name in stored}
    parts = [_part(each, ablation.from_json(json.dumps(stored[name]))) for name, each in ablations.items()]
    limit = next(iter(ablations.values())).limit
    return TEXT.format(printed=printed, limit=limit, parts="\n".join(parts))


def _part(what: Ablation, results: Sequence[Result]) -> str:
    shown = ablation.table(what, results).partition("\n\n")[2]
    columns = (*what.stages, *dict.fromkeys(task for result in results for task in result.scores))
    heads = ("variant", *(f"stage {name}" if name in what.stages else name for name in columns))
    rows = table(heads, _worse(what, results, columns))
    return PART.format(
        title=what.title, name=what.name, table=shown, worse="\n".join(rows), reading=READING[what.name].strip()
    )


def _worse(what: Ablation, results: Sequence[Result], columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    full = what.variants[0].name
    for variant in what.variants[1:]:
        counts = (ablation.worse(results, column, full).get(variant.name) for column in columns)
        yield variant.name, *(f"{count[0]} of {count[1]}" if count else "-" for count in counts)


if __name__ == "__main__":
    taken = {Path(name).name: json.loads((Path(name) / "results.json").read_text("utf-8")) for name in sys.argv[1:]}
    FIGURES.write_text(json.dumps(taken, indent=1) + "\n", encoding="utf-8")
