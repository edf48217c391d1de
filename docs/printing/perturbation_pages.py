"""docs/evaluate/perturbations.md: the changes as the code has them, and what they cost the shipped models.

`python -m docs.printing.perturbation_pages` draws the image; with folders of runs made by COMMANDS it also takes their
figures into docs/printing/perturbations.json. The page itself is printed from both by `make docs`, which asks no model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
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
"""By model that ships."""
SHOWN = ("blur", "crop", "jpeg", "noise", "rotate")
TILE, GAP = 96, 6

TEXT = """# Is it vision, and how fragile is it?

{printed}

```
vlmbench run --model tinyllava --tasks pope,gqa --perturb blind,shuffle-image,noise:2,option-order
```

asks every question as it is, then again under each change, and ends with the paired differences: same questions, same
model, one thing changed. A change is made between benchmark and model, so that it works for every task, every model and
every protocol; a change that does not fit a task, or some of its questions, says so, and they are left out of that run.

## The perturbations

`NAME` or `NAME:SEVERITY`; several with commas. Everything that is drawn depends on `--seed` and on what it concerns (a
picture's bytes, a question's words), not on the order of questions, on `--limit`, or on how often a run was
interrupted.

{changes}

![One picture under five changes, as it is and in severities 1 to 5]({picture})

In formulas, with s the shorter side of the picture in pixels, c the severity's value and x in 0..1:

| change | definition |
|---|---|
| `noise` | clip(x + c·z), z standard normal, drawn for each colour of each k × k pixels, k = max(1, round(s / 224)) |
| `blur` | Gaussian of standard deviation c·s / 224 pixels (PIL's, by box filters) |
| `jpeg` | PIL's JPEG of quality c, read back |
| `crop` | the window round(c·width) × round(c·height) at a uniformly drawn place, not scaled up |
| `rotate` | by +c or -c degrees about the middle, bicubic, same size, corners grey |
| `blind` | every pixel (128, 128, 128), same size |

The values of noise, blur and jpeg are ImageNet-C's (Hendrycks & Dietterich, arXiv 1903.12261). They were chosen for
pictures of 224 × 224; noise and blur are scaled to the picture, since a large one is scaled down by the model and would
lose them on the way. `jpeg` is not scaled: on large pictures it is milder than there.

- **shuffle-image** shows another picture of the same split: the next one in a circle drawn from seed and names. Never
  one with the same bytes, never one of the same cluster (the unit that intervals resample), always as many. Two
  encodings of one photograph under two names are not recognised. It is harder than `blind`: a model may
  believe what it sees.
- **option-order** puts the options into another order, and the right answer follows its option, whether the task names
  it by letter, place or text; pictures to choose from move too. The order depends on the question and its options, so
  all rotations of a circular protocol (MMBench) move by one permutation, which is itself no rotation: the right option
  still stands once at each letter. Two options are swapped; a circular protocol asks both orders already, so it shows
  nothing there. Left out: questions without options, and protocols that rank options that the prompt does not show.
  "All of the above" is moved like any other option.
- **paraphrase-suffix** says the sentence that asks for a form of answer in other words, asking for the same form. Its
  numbers are wordings, not severities. Left out: prompts without such a sentence (bare questions, `Short answer:`, box
  formats), whose words are part of what a model was trained on.
- **Boxes** (RefCOCO): `crop` takes the right box along, and leaves out questions of which less than half the box is
  left. `rotate` is refused: the tight upright box of a turned thing is not known.
- A crop or a turn can take away what is asked about, and "left" or "top" may no longer hold. Their differences say how
  much a model hangs on the whole upright picture; they are no error rate. For benchmarks of reading and of whole pages
  they say little.

{wordings}

## What it leaves behind

```
RUN/                         the unperturbed run, that of the same command without --perturb: its answers are reused
RUN/perturbations/noise-2/   an ordinary run's folder for each perturbation
RUN/perturbations.json       every difference
```

Each of them survives a kill and resumes with the same command. Perturbed runs are runs like others for
`vlmbench compare RUN RUN/perturbations/blind` (the answers that changed) and `vlmbench score`. `vlmbench report RUN`
includes them on the page Perturbations, never on the leaderboard. `vlmbench check` refuses to hold a run against one
under another perturbation (`--force` does it anyway), and `vlmbench export` refuses answers given under one.

Earlier versions called all this ablations (`--ablate`, `RUN/ablations/`, `ablations.json`). Their runs are read, and
the same command with `--perturb` resumes them where they are.

## How to read the figures

- **difference** is changed minus as it is, of the task's own metric over the questions that have a score in both, with
  the interval and test of `vlmbench compare` ([statistics](statistics.md)); p is corrected (Holm) over all changes and
  tasks of the command. Where the headline is undefined under a change (F1 of a model that never says yes) the first
  metric that is defined stands there.
- **blind** answers "is it vision?": what is left of the score is what words alone give. A small drop means that the
  benchmark can be answered without looking, or that the model does not look. **shuffle-image** says the same where a
  grey picture itself changes how a model answers.
- **gained** and **lost** tell churn from loss: a difference near 0 with many of both is not robust, it is luck.
- **same answer** is the share of answers that were read alike. Under `option-order` that is the letter: a model that
  keeps its letters while the options move answers by place.
- An interval that includes 0 is not evidence of robustness: see how wide it is.

## The shipped models
On the embedded samples (they show that everything works, and are not comparable with papers):

{models}
"""

MODEL = """```
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
        changes="\n".join(table(("change", "what", "severities 1 to 5", "if none is said"), _changes())),
        picture=f"../images/{PICTURE.name}",
        wordings="\n".join(table(("sentence", "1", "2", "3"), _wordings())),
        models="\n".join(map(_model, figures.values())).rstrip(),
    )


def _model(figures: dict[str, Any]) -> str:
    return MODEL.format(
        command=figures["command"],
        figures="\n".join(table(HEADS, _figures(figures))),
        reading="\n".join(_reading(figures)),
    )


def _changes() -> Iterator[tuple[str, ...]]:
    for name in perturbations.names():
        most, default = perturbations.levels(name)
        pixels = CORRUPTIONS.get(name)
        if pixels is None:
            what, values = perturbations.INPUT_CHANGES[name].description, f"paraphrases 1 to {most}" if most else ""
        else:
            what, values = pixels.description.replace("{:g}", "c"), ", ".join(f"{value:g}" for value in pixels.levels)
        yield code(name), what, values, str(default) if most else ""


def _wordings() -> Iterator[tuple[str, ...]]:
    for sentence, others in paraphrases.PARAPHRASES.items():
        yield sentence, *others


HEADS = ("change", "task", "metric", "as is", "changed", "difference", "95 % interval", "p (Holm)", "pairs", "gained",
         "lost", "same answer")  # fmt: skip


def _figures(figures: dict[str, Any]) -> Iterator[tuple[str, ...]]:
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
    """What the table shows, said by its own numbers."""
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
        seen = f"{blind['metric']} {blind['before']:.1f}, without pictures {blind['after']:.1f}"
        yield f"- {code(task)}: {seen}; besides pictures blanked or exchanged, what costs most is {cost}."
    for label, reasons in figures["left_out"].items():
        for task, why in reasons.items():
            told = "; ".join(f"{count:,} questions: {reason}" for reason, count in why.items())
            yield f"- {code(label)} leaves out {code(task)}: {told}."


def take(run: Path) -> dict[str, Any]:
    """A model's entry: the figures of a run's perturbations.json, as much as the page shows."""
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
    return {told["model"]: {"command": COMMANDS[told["model"]], "weights": told["fingerprint"], "rows": rows,
                            "left_out": left_out}}  # fmt: skip


def draw() -> None:
    """The grid of small pictures: a change a row; as it is, then severities 1 to 5."""
    from PIL import Image

    from vlmbench.base.registry import choose_task
    from vlmbench.data import images
    from vlmbench.data.files import Folder

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
        taken = [entry for run in sys.argv[1:] for entry in take(Path(run)).items()]
        FIGURES.write_bytes(orjson.dumps(dict(taken), option=orjson.OPT_INDENT_2) + b"\n")
