"""my_task: say here what it measures.

    vlmbench run --plugins my_task.py --tasks my_task --model tinyllava

The questions are in my_task.csv: image (its place below this folder), question, answer, and what else you like. JSON
lines do as well; there `image` and `answer` may be lists: several images, several answers that are accepted.
"""

from __future__ import annotations

from pathlib import Path

import vlmbench


def correct(text: str, answer: str) -> bool | float | None:
    """How good a model's text is: right, wrong, a share of 1, or None where no answer can be read from it.

    None is counted as `unparsed` and lowers the coverage, not the score. Without a function of your own, two texts
    that differ only in letter case, quotation marks, brackets and the punctuation around them are the same.
    """
    words = text.casefold().replace(".", " ").split()
    return answer.casefold() in words if words else None


vlmbench.add_task(
    vlmbench.TableTask(
        "my_task",
        Path(__file__).with_name("my_task.csv"),
        title="my_task: say in one line what it measures",
        # What a model is asked. Prompts move scores: keep it fixed once figures are out, or raise the version.
        prompt="{question} Answer with one word.",
        correct=correct,
        # Where questions have <image> for the place of an image: image_mark="<image>", and docs/models/plugins.md.
        # Columns by whose values the score is broken down.
        breakdowns=["kind"],
        # Raise it whenever a score changes its meaning: answers and runs of different versions are kept apart.
        version=1,
        max_new_tokens=16,
    )
)
