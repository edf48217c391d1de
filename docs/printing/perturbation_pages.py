"""docs/evaluate/perturbations.md: the perturbations as the code defines them, and their effect on the included models.

`python -m docs.printing.perturbation_pages` draws the image; given folders of runs of COMMANDS, it also copies their
figures to docs/printing/perturbations.json. `make docs` prints the page from both and runs no model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from docs.printing.markdown import code, table
from vlmbench.perturbations import paraphrases, perturbations
from vlmbench.perturbations.corruptions import CORRUPTIONS

FOLDER = Path(__file__).resolve().parent
FIGURES, PICTURE = FOLDER / "perturbations.json", FOLDER.parent / "images" / "perturbations.jpg"
CHANGES = (
    *("blind", "shuffle-image"),
    *(f"{name}:{level}" for name in ("noise", "blur", "jpeg", "crop", "rotate") for level in (1, 3, 5)),
    *("option-order", "paraphrase-suffix:1", "paraphrase-suffix:2", "paraphrase-suffix:3"),
)
COMMANDS = {
    model: f"vlmbench run --model {model} --tasks {tasks} --perturb {changes}"
    for model, tasks, changes in (
        ("tinyllava", "pope,gqa,gqa@llava", ",".join(CHANGES)),
        ("tinygptv", "pope,gqa", "blind,shuffle-image,noise,blur,jpeg,crop,rotate"),
    )
}
"""By included model."""
SHOWN = ("blur", "crop", "jpeg", "noise", "rotate")
TILE, GAP = 96, 6

TEXT = """# Perturbed inputs: does the score need the image, and how robust is it?

{printed}

```bash
vlmbench run --model tinyllava --tasks pope,gqa --perturb blind,shuffle-image,noise:2,option-order
```

This asks every question unperturbed, then again under each perturbation, and ends with the paired differences: the same
questions and model with one thing changed. Inputs are changed between benchmark and model, so perturbations work for
every task, model and protocol, but for `pgd`, which needs a model that gives gradients. A perturbation that does not
apply to a task, or to some of its questions, says so and skips them. Attacks (`typographic`, `pgd`) and `language` have
a page of their own: [robustness](robustness.md).

## The perturbations

Write `NAME` or `NAME:SEVERITY`, separated by commas. Everything random depends on `--seed` and on the input itself (an
image's bytes, a question's text), not on the order of questions, on `--limit`, or on interruptions. Few-shot examples
stay as they are. An option that is an image takes its image along.

{changes}

![An image under five perturbations: unperturbed, and with severities 1 to 5]({picture})

In formulas, with s the shorter side of the image in pixels, c the severity's value and x in 0..1:

| perturbation | definition |
|---|---|
| `noise` | clip(x + c·z), z standard normal, per channel and block of k × k pixels, k = max(1, round(s / 224)) |
| `blur` | Gaussian with a standard deviation of c·s / 224 pixels (PIL's, by box filters) |
| `jpeg` | PIL's JPEG of quality c, decoded again |
| `crop` | the window round(c·width) × round(c·height) at a uniformly random position, not scaled up |
| `rotate` | by +c or -c degrees around the center, bicubic, same size, grey corners |
| `blind` | every pixel (128, 128, 128), same size |

The values of noise, blur and jpeg are those of ImageNet-C (Hendrycks & Dietterich, arXiv 1903.12261), which were chosen
for images of 224 × 224. Noise and blur are scaled with the image, because the model scales a large image down, which
would remove them. `jpeg` is not scaled, so it is milder on large images.

- **shuffle-image** shows another image of the same split: the next one on a random cycle given by seed and names. It
  never has the same bytes, never belongs to the same cluster (the unit that intervals resample), and a question gets as
  many images as before. Two encodings of one photograph under two names are not recognized. It is harder than `blind`,
  because a model may trust what it sees.
- **option-order** permutes the options, and the right answer follows its option, whether the task names it by letter,
  position or text; image options move too. The order depends on the question and its options, so all rotations of a
  circular protocol (MMBench) get the same permutation, which is not itself a rotation: the right option still appears
  once at each letter. Two options are swapped; a circular protocol already asks both orders, so there is no effect.
  Skipped: questions without options, and protocols that rank options which the prompt does not show. "All of the above"
  is moved like any other option.
- **paraphrase-suffix** rewords the sentence that asks for an answer format, without changing the format. Its numbers
  are wordings, not severities. Skipped: prompts without such a sentence (bare questions, `Short answer:`, box formats),
  whose wording is part of what a model was trained on.
- **Boxes** (RefCOCO): `crop` transforms the right box too, and skips questions of which less than half the box remains.
  `rotate` is refused, because the tight upright box of a rotated object is unknown.
- A crop or a rotation can remove the object in question, and "left" or "top" may no longer be true. Their differences
  measure how much a model depends on the whole upright image; they are not error rates. For benchmarks about reading
  text or whole pages they say little.

{wordings}

## Output

```text
RUN/                         the unperturbed run, as without --perturb: its answers are reused
RUN/perturbations/noise-2/   an ordinary run's folder for each perturbation
RUN/perturbations.json       every difference
```

Each of them survives a kill and resumes with the same command. Perturbed runs can be used like any run in
`vlmbench compare RUN RUN/perturbations/blind` (the changed answers) and `vlmbench score`. `vlmbench report RUN`
includes them on the Perturbations page, never on the leaderboard. `vlmbench check` refuses to compare runs under
different perturbations (`--force` does it anyway), and `vlmbench export` refuses perturbed answers.

Earlier versions called perturbations ablations (`--ablate`, `RUN/ablations/`, `ablations.json`). Their runs are read,
and the same command with `--perturb` resumes them in place.

## How to read the figures

- **difference** is perturbed minus unperturbed, in the task's own metric over the questions that have a score in both,
  with the interval and test of `vlmbench compare` ([statistics](statistics.md)); p is corrected (Holm) over all
  perturbations and tasks of the command. If the headline is undefined under a perturbation (F1 of a model that never
  says yes), the first metric that is defined is shown.
- **blind** measures how much of the score needs the image: what remains comes from the text alone. A small drop means
  that the benchmark can be answered without the image, or that the model ignores it. **shuffle-image** measures the
  same if a grey image by itself changes how a model answers.
- **gained** and **lost** distinguish churn from loss: a difference near 0 with many of both is luck, not robustness.
- **same answer** is the share of answers with the same parsed value. Under `option-order` that is the letter: a model
  that keeps its letters while the options move answers by position.
- An interval that includes 0 is no evidence of robustness: look at its width.

## The included models
On the embedded samples (which show that everything works, and are not comparable with papers):

{models}
"""

MODEL = """```bash
{command}
```

{figures}

{reading}
"""


def page(printed: str) -> str:
    """The page."""
    figures = orjson.loads(FIGURES.read_bytes())
    return TEXT.format(
        printed=printed,
        changes="\n".join(
            table(("perturbation", "what it does", "severities 1 to 5 or values", "default"), _changes())
        ),
        picture=f"../images/{PICTURE.name}",
        wordings="\n".join(table(("sentence", "1", "2", "3"), _wordings())),
        models="\n".join(map(_model, figures.values())).rstrip(),
    )


def _model(figures: dict[str, Any]) -> str:
    return MODEL.format(
        command=figures["command"],
        figures="\n".join(table(HEADS, figure_rows(figures))),
        reading="\n".join(_reading(figures)),
    )


def _changes() -> Iterator[tuple[str, ...]]:
    for name in perturbations.names():
        most, default = perturbations.levels(name)
        pixels = CORRUPTIONS.get(name)
        if pixels is None:
            what, values = perturbations.INPUT_CHANGES[name].description, perturbations.INPUT_CHANGES[name].values
        else:
            what, values = pixels.description.replace("{:g}", "c"), ", ".join(f"{value:g}" for value in pixels.levels)
        yield code(name), what, values, str(default) if most else ""


def _wordings() -> Iterator[tuple[str, ...]]:
    for sentence, others in paraphrases.PARAPHRASES.items():
        yield sentence, *others


HEADS = ("perturbation", "task", "metric", "unperturbed", "perturbed", "difference", "95 % interval", "p (Holm)",
         "pairs", "gained", "lost", "same answer")  # fmt: skip


def figure_rows(figures: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A table row for each perturbation and task."""
    for row in figures["rows"]:
        ends = [f"{row[name]:+.1f}" for name in ("low", "high") if row[name] is not None]
        p = row["p_holm"]
        yield (
            code(row["perturbation"]), code(row["task"]), row["metric"], f"{row['before']:.1f}", f"{row['after']:.1f}",
            f"{row['difference']:+.1f}", f"[{', '.join(ends)}]" if ends else "-",
            "-" if p is None else "<0.0001" if p < 0.0001 else f"{p:.2g}", f"{row['pairs']:,}", f"{row['gained']:,}",
            f"{row['lost']:,}", f"{100 * row['same_answers']:.1f} %",
        )  # fmt: skip


def _reading(figures: dict[str, Any]) -> Iterator[str]:
    """A summary of the table in its own numbers."""
    rows = {(row["perturbation"], row["task"]): row for row in figures["rows"]}
    tasks = list(dict.fromkeys(task for _, task in rows))
    for task in tasks:
        blind, worst = (
            rows["blind", task],
            min(
                (row for (label, key), row in rows.items() if key == task and label not in ("blind", "shuffle-image")),
                key=lambda row: row["difference"],
            ),
        )
        cost = f"{code(worst['perturbation'])} ({worst['metric']} {worst['difference']:+.1f})"
        seen = f"{blind['metric']} {blind['before']:.1f}, {blind['after']:.1f} with grey images"
        yield f"- {code(task)}: {seen}; the largest drop, apart from blind and shuffle-image, is from {cost}."
    for label, reasons in figures["left_out"].items():
        for task, why in reasons.items():
            skipped = "; ".join(f"{count:,} questions: {reason}" for reason, count in why.items())
            yield f"- {code(label)} skips {code(task)}: {skipped}."


def figures_of(run: Path, commands: Mapping[str, str]) -> dict[str, Any]:
    """A model's entry: those figures of a run's perturbations.json that the page shows."""
    content = orjson.loads((run / "perturbations.json").read_bytes())
    rows = []
    for one in content["perturbations"]:
        for key, task in one["tasks"].items():
            shown = next(found for found in task["differences"] if found["name"] == task["shown"])
            ends = shown["paired"]["difference"]
            counts = {name: task[name] for name in ("pairs", "gained", "lost", "same_answers", "p_holm")}
            values = {"before": shown["before"], "after": shown["after"], "difference": ends["value"]}
            name = {"perturbation": one["perturbation"], "task": key, "metric": shown["name"]}
            rows.append({**name, **values, "low": ends["low"], "high": ends["high"], **counts})
    left_out = {one["perturbation"]: one["left_out"] for one in content["perturbations"] if one["left_out"]}
    told = content["run"]
    return {told["model"]: {"command": commands[told["model"]], "weights": told["fingerprint"], "rows": rows,
                            "left_out": left_out}}  # fmt: skip


def draw() -> None:
    """The grid of thumbnails: one perturbation per row, unperturbed and with severities 1 to 5."""
    from PIL import Image

    from vlmbench.base.registry import choose_task
    from vlmbench.data.files import Folder
    from vlmbench.data.images import decoding as images

    sample = choose_task("gqa").task.samples(Folder.sample("gqa"), "testdev_balanced")[0]
    picture = sample.images[0]
    side = TILE + GAP
    sheet = Image.new("RGB", (6 * side - GAP, len(SHOWN) * side - GAP), "white")
    for row, name in enumerate(SHOWN):
        shown = [
            picture,
            *(perturbations.perturbed_image(picture, perturbations.parse_one(f"{name}:{n}")) for n in range(1, 6)),
        ]
        for column, one in enumerate(shown):
            tile = images.decode(one.load(), one.name)
            tile.thumbnail((TILE, TILE))
            sheet.paste(tile, (column * side, row * side))
    sheet.save(PICTURE, quality=88)


if __name__ == "__main__":
    draw()
    if len(sys.argv) > 1:
        taken = [entry for run in sys.argv[1:] for entry in figures_of(Path(run), COMMANDS).items()]
        FIGURES.write_bytes(orjson.dumps(dict(taken), option=orjson.OPT_INDENT_2) + b"\n")
