"""docs/training/training-ablations.md: what the trained ablations gave, beside the papers.

`python -m docs.printing.training_ablation_pages FOLDER...` takes results.json of finished `vlmbench train ablation-...`
folders into docs/printing/training-ablations.json. The page is printed from it by `make docs`, which trains nothing.
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

What TinyGPT-V's and TinyLLaVA's papers found by leaving parts out, asked again a thousand times smaller, on drawn
scenes, with three seeds for each variant. Parts that the papers took as published (tower, language model, Q-Former)
are trained once; seeds vary what the papers train: connector, adapters, norms, batches. Scores are those of the first
{limit} questions of the embedded samples. None of this says how a model of three billion parameters behaves.

{parts}"""
PART = """## {title}

    vlmbench train {name} --seeds 3 --output FOLDER

{table}
![Mean and range over seeds, by variant](../images/{name}.png)

In how many of the seeds a variant is worse than the first row:

{worse}

{reading}
"""
READING = {
    "ablation-tinygptv": """
End losses of stages 1 and 2 hold the matching of each query with the words of its place (two thirds of the weight)
besides captions, so that their height says nothing beside the paper's.

- **LoRA** matters as in the paper: every loss is higher without it. The paper's gradient vanishes in stage 3; here the
  model learns what linear layers and norms can learn, and no more.
- **Training the input norms** helps as in the paper, most in stage 4, where the paper's gradient vanishes without it.
- **RMSNorm and QK-norm** do not help here: losses are lower without either. The paper's trainings break without them,
  in float16 and with 2.8 billion parameters; nothing breaks in bfloat16 at this size, so what is left is their price: a
  language model that was made without them has to get used to them.
- 490 steps are too few for scores: no variant gets beyond saying yes to POPE. The recipe that ships takes 2,200 steps,
  after 500 in which the language model meets its norms.
""",
    "ablation-tinyllava": """
- **Connector**: the MLP is above the resampler on GQA with every seed, as in the paper's figure. MLP and linear layer
  cannot be told apart: their seeds overlap.
- **Recipe**: share is above base on GQA with every seed, as in the paper. It sees more rows, there and here.
- **Encoder** and **language model**: SigLIP is above CLIP, and four layers above two, on GQA with two seeds of three.
  That is the paper's direction, and too little to say so. There CLIP's pictures are smaller and have fewer tokens, too;
  here they are the same.
- POPE's scores lie far apart from seed to seed, and say little at this length of training.
""",
}
"""What agrees with the paper and what does not, by ablation."""


def page(printed: str) -> str:
    """The page."""
    told = json.loads(FIGURES.read_text(encoding="utf-8"))
    found = {name: registry.load_object(registry.ABLATIONS[name])() for name in told}
    parts = [_part(what, ablation.from_json(json.dumps(told[name]))) for name, what in found.items()]
    limit = next(iter(found.values())).limit
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
