"""SugarCrepe: which of two captions fits the image? In one, something was added, replaced or swapped.

Hsieh et al., SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality, NeurIPS 2023 (arXiv
2306.14610). Files: data/*.json of RAIVNLab/sugar-crepe@0047054b (swap_obj has 245 rows, the paper says 246); images:
COCO val2017. The official script ranks by similarity of embeddings; here captions are ranked by their likelihood, or
both are shown and asked for by number, in either order: what the repository reports of GPT-4V is the mean of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.nested_rows import keyed_rows
from vlmbench.data.answers.predictions import OTHERS, answer_files, join
from vlmbench.data.files import Folder, Hub, Row, read_keyed
from vlmbench.data.official.files import coco_images, data_file
from vlmbench.families.answer_files import AnswerFiles, IdTextRow, objects_or_rows
from vlmbench.families.base import OwnFiles, Scored, accuracies, macro_of
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, texts
from vlmbench.parsing.options import UNDECIDED, ranked_option
from vlmbench.stats.metrics import Metric

_SOURCE = "RAIVNLab/sugar-crepe"
_NUMBER = re.compile(r"\b([12])\b")


def _asked(sample: Sample, order: int) -> str:
    first, second = sample.choices[::order]
    return f"Which caption best describes the image?\n(1) {first}\n (2) {second}\nOutput (1) or (2)."


def _numbered(text: str, options: Mapping[str, str], order: int) -> str:
    """A caption to the letter; the first 1 or 2 that stands by itself; or else the only caption that is repeated."""
    if same := [letter for letter, option in options.items() if option.strip() == text.strip()]:
        return same[0]
    letters = list(options)[::order]
    if found := _NUMBER.search(text):
        return letters[int(found[1]) - 1]
    said = [letter for letter, option in options.items() if option.lower().rstrip(".") in text.lower()]
    return said[0] if len(said) == 1 else UNDECIDED


def _rules(order: int, words: str) -> ChoiceRules:
    return ChoiceRules(
        f"{_SOURCE} gpt-4v-results/readme.md@0047054b, {words} first",
        partial(_asked, order=order),
        partial(_numbered, order=order),
        128,
        headline="mean_accuracy",
        note="the repository has no code that reads answers: the first 1 or 2, or a caption in the answer, counts here",
    )


RULES: Mapping[str, ChoiceRules] = {
    "official": ChoiceRules(
        f"{_SOURCE} main_eval.py@0047054b, by likelihood in place of similarity",
        "",
        ranked_option,
        choices=texts,
        headline="mean_accuracy",
        note="right if the caption is likelier than the other: a tie is wrong",
    ),
    "positive_first": _rules(-1, "the right caption"),
    "negative_first": _rules(1, "the wrong caption"),
}

FILES: Mapping[str, int] = {
    "add_att": 692, "add_obj": 2_062, "replace_att": 788, "replace_obj": 1_652, "replace_rel": 1_406, "swap_att": 666,
    "swap_obj": 245,
}  # fmt: skip
"""Questions of each file."""
WITHDRAWN = frozenset(("swap_obj/108",))
"""Is in GPT-4V's results, and no longer in the data."""
HUB, PAIR = "HuggingFaceM4/SugarCrepe", "tested_labels"
"""The hub has a dataset for each file, NAME_add_att and so on; and its column of captions, the right one first."""
RAW = "https://raw.githubusercontent.com/RAIVNLab/sugar-crepe/0047054b243992f0fad63d6f64f7544862daf846/data"
IMAGES = ("val2017", "images/val2017", "images", ".")


def _parts(split: str) -> Sequence[str]:
    return tuple(FILES) if split == "all" else (split,)


def _places(name: str) -> tuple[str, str]:
    return f"data/{name}.json", f"{name}.json"


def required_files(split: str) -> list[DataFile]:
    """A file of each kind of change, and the images."""
    rows = [data_file(_places(name), f"{name}, {FILES[name]:,}", f"{RAW}/{name}.json", "MIT") for name in _parts(split)]
    return [*rows, coco_images("val2017", "COCO val2017 images (1 GB)", also=IMAGES[1:3])]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """Both captions of every row, the wrong one first, so that a tie goes to it; ids are `add_att/0`."""
    if isinstance(data, Hub):
        return [sample for name in _parts(split) for sample in _of_hub(data, name)]
    found = []
    for name in _parts(split):
        hint = f"`vlmbench data fetch {task}` gets it; {task}:{name} is this kind by itself"
        rows = read_keyed(data.need(f"SugarCrepe's {name}", *_places(name), hint=hint), "caption")
        found += [_sample(data, f"{name}/{key}", name, row) for key, row in rows.items()]
    return found


def _of_hub(data: Hub, name: str) -> Iterator[Sample]:
    """A kind's dataset: a list of the right and the wrong caption. Those with a withdrawn question have it still."""
    table = data.table((f"{HUB}_{name}",), "default", "test", ("image", PAIR))
    for place, row in enumerate(table.rows([PAIR])):
        if (key := f"{name}/{place}") not in WITHDRAWN:
            captions = row.texts(PAIR)
            if len(captions) != 2:
                raise row.error(PAIR, f"two captions are needed, not {len(captions)}")
            yield _captioned(key, name, row, (captions[1], captions[0]), table.image(place, "image", f"{key}.jpg"))


def _sample(data: Folder, key: str, name: str, row: Row) -> Sample:
    image = data.image(row, row.text("filename"), *IMAGES, field="filename")
    return _captioned(key, name, row, (row.text("negative_caption"), row.text("caption")), image)


def _captioned(key: str, name: str, row: Row, captions: tuple[str, str], image: ImageRef) -> Sample:
    if captions[0] == captions[1]:
        raise row.error("negative_caption", "both captions are the same")
    question, extra = "Which caption best describes the image?", {OTHERS: WITHDRAWN}
    return Sample(key, question, (image,), "B", captions, {"file": name}, cluster=image.name, extra=extra)


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The mean over the files, all questions, and the official figures: one for each file."""
    whole, *bars = accuracies(scored, ("file",))
    return [macro_of("mean_accuracy", scored, ("file",)), whole, *bars]


def _results(content: Mapping[str, Any], path: Path) -> list[IdTextRow]:
    """The captions that GPT-4V chose, as the repository has them; empty where it decided for none."""
    rows = {key: row for key, row in keyed_rows(content, path).items() if isinstance(row.values.get("answer"), dict)}
    name = next((name for name in FILES if path.stem.endswith(name)), "")
    if rows and not name:
        problem = "the file's name does not say which questions these are"
        raise PredictionsError(problem, where=str(path), hint=f"name it gpt4v-NAME.json; NAME is {' or '.join(FILES)}")
    answers = {key: Row(row.values["answer"], row.file, row.at) for key, row in rows.items()}
    return [(f"{name}/{key}", row.text("multiple_choice_answer"), rows[key]) for key, row in answers.items()]


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to text. Raises PredictionsError."""
    return join(objects_or_rows(answer_files(path), _results, ("id", "question_id"), samples), samples, path)


class _Captions(MultipleChoice):
    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The number of the right caption; its text where captions are ranked."""
        reader: Callable[[str, Mapping[str, str]], str] = self.rules[protocol].reader
        options = dict(zip("AB", sample.choices, strict=True))
        numbers = [form for form in ("(1)", "(2)") if reader(form, options) == sample.target]
        return numbers[0] if numbers else options[str(sample.target)]


SUGARCREPE = _Captions(
    name="sugarcrepe",
    title="SugarCrepe: captions against ones with a small change (Hsieh et al. 2023)",
    about=__doc__,
    sizes={"all": Size(sum(FILES.values())), **{name: Size(count) for name, count in FILES.items()}},
    needs_image=True,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=AnswerFiles(
        read,
        "The official gpt-4v-results (a file gpt4v-NAME.json for each, or a folder of them: the captions chosen, not "
        "the words that they were chosen by); LLaVA's answer lines, or rows of id and text.",
    ),
    figures=figures,
)
