"""The embedded samples of benchmarks whose questions stand in groups: two scenes that answer a question differently."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.scenes.questions import absent_kind, exists
from vlmbench.scenes.scene import COLORS, KINDS, Dice, Scene, draw

from .common import encoded, jpeg, scenes, write


@dataclass(frozen=True)
class Twins:
    """Two scenes, and a kind of thing that only the first has, and one that only the second has."""

    scenes: tuple[Scene, Scene]
    kinds: tuple[str, str]

    def question(self, place: int) -> str:
        """Whether the thing of the first scene is there, or that of the second."""
        return exists(self.scenes[place], self.kinds[place]).text


def twins(task: str, wanted: int) -> list[Twins]:
    """Pairs of scenes that differ both ways."""
    found: list[Twins] = []
    pictures = iter(scenes(task, 4 * wanted))
    for one, other in zip(pictures, pictures, strict=False):
        here, there = ({thing.kind for thing in scene.things} for scene in (one, other))
        only = [next((kind for kind in KINDS if kind in a - b), "") for a, b in ((here, there), (there, here))]
        if all(only) and len(found) < wanted:
            found.append(Twins((one, other), (only[0], only[1])))
    return found


# ------------------------------------------------------------------------------------------------------ HallusionBench


def build_hallusionbench(folder: Path) -> None:
    """HallusionBench.json and hallusion_bench/: figures and edited ones, and questions without a figure."""
    rows: list[dict[str, Any]] = []
    for number, pair in enumerate(twins("hallusionbench", 8)):
        category, subcategory = (("VD", "figure"), ("VS", "chart"))[number % 2]
        shown: list[int | None] = [0, 1] if category == "VD" else [None, 1]
        for figure, scene in enumerate(shown):
            name = None if scene is None else f"./{category}/{subcategory}/{number}_{figure}.png"
            if scene is not None and name:
                write(folder / "hallusion_bench" / name, encoded(draw(pair.scenes[scene]), "PNG"))
            rows += [
                hallusion_row(pair, place, scene)
                | {"category": category, "subcategory": subcategory, "set_id": str(number), "figure_id": str(figure)}
                | {"filename": name, "visual_input": "0" if scene is None else str(figure + (category == "VD"))}
                for place in (0, 1)
            ]
    write(folder / "HallusionBench.json", json.dumps(rows, indent=1) + "\n")


def hallusion_row(pair: Twins, place: int, scene: int | None) -> dict[str, str]:
    """One question; without a figure nobody can know, and what the figure shows counts as right."""
    there = (scene if scene is not None else 1) == place
    details = f"There is {'a' if there else 'no'} {pair.kinds[place]} in the image."
    answer = {"gt_answer": str(int(there)), "gt_answer_details": details}
    return {"question_id": str(place), "question": pair.question(place), "sample_note": "drawn", **answer}


# ---------------------------------------------------------------------------------------------------------------- MMVP


def build_mmvp(folder: Path) -> None:
    """Questions.csv and MMVP Images/: a question about two scenes, with both options in either order."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("lndex", "Question", "Options", "Correct Answer"))
    for number, pair in enumerate(twins("mmvp", 12)):
        options = ("Yes", "No") if number % 3 else ("No", "Yes")
        for place, scene in enumerate(pair.scenes):
            answer = "ab"[options.index(("Yes", "No")[place])]
            index = 2 * number + place + 1
            table.writerow((index, pair.question(0), f"(a) {options[0]} (b) {options[1]}", f"({answer})"))
            write(folder / "MMVP Images" / f"{index}.jpg", jpeg(scene))
    write(folder / "Questions.csv", file.getvalue())


# -------------------------------------------------------------------------------------------------------- NaturalBench


def build_naturalbench(folder: Path) -> None:
    """test.jsonl, a row per pair of scenes, and images/: what only the first shows, and what only the second does."""
    rows = []
    for number, pair in enumerate(twins("naturalbench", 12)):
        names = [f"images/{number}_{place}.jpg" for place in (0, 1)]
        for name, scene in zip(names, pair.scenes, strict=True):
            write(folder / name, jpeg(scene))
        letters = number % 3 == 2
        questions = [pair.question(place) for place in (0, 1)]
        if letters:
            questions = [
                f"Which of these is in the image?\nOption: A:{pair.kinds[place]}; B:{pair.kinds[1 - place]};"
                for place in (0, 1)
            ]
        row = {"Index": number, "Image_0": names[0], "Image_1": names[1]}
        row |= {"Question_0": questions[0], "Question_1": questions[1]}
        words = ("A", "B") if letters else ("Yes", "No")
        row |= {f"Image_{i}_Question_{q}": words[i != q] for q in (0, 1) for i in (0, 1)}
        rows.append(row | {"Question_Type": "multiple_choice" if letters else "yes_no", "Source": "drawn"})
    write(folder / "test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


# --------------------------------------------------------------------------------------------------------------- AMBER

AMBER_TYPES = ("hallucination", "attribute-state", "attribute-number", "relation")


def build_amber_d(folder: Path) -> None:
    """query_discriminative.json, annotations.json and image/: each question about one scene is true and about another
    not."""
    queries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, pair in enumerate(twins("amber_d", 8)):
        for place, scene in enumerate(pair.scenes):
            write(folder / "image" / f"AMBER_{2 * number + place + 1}.jpg", jpeg(scene))
        for at, kind in enumerate(AMBER_TYPES):
            scene = pair.scenes[at % 2]
            for truth in (True, False):
                key = 1005 + len(queries)
                image = f"AMBER_{2 * number + at % 2 + 1}.jpg"
                queries.append({"id": key, "image": image, "query": amber_question(pair, scene, kind, truth)})
                word = "yes" if truth else "no"
                annotations.append({"id": key, "type": f"discriminative-{kind}", "truth": word})
    write(folder / "query_discriminative.json", json.dumps(queries, indent=1) + "\n")
    write(folder / "annotations.json", json.dumps(annotations, indent=1) + "\n")


def amber_question(pair: Twins, scene: Scene, kind: str, truth: bool) -> str:
    """A question of a type whose answer is yes, or no."""
    thing, count = scene.unique()[0], len(scene.things)
    if kind == "hallucination":
        return exists(scene, pair.kinds[pair.scenes.index(scene) if truth else 1 - pair.scenes.index(scene)]).text
    if kind == "attribute-state":
        color = thing.color if truth else next(color for color in COLORS if color != thing.color)
        return f"Is the {thing.kind} {color} in this image?"
    if kind == "attribute-number":
        return f"Are there {count if truth else count + 2} shapes in this image?"
    row = thing.row if truth else next(row for row in ("top", "middle", "bottom") if row != thing.row)
    return f"Is the {thing.kind} in the {row} row of this image?"


RELATED = {"house": ["building"], "hourglass": ["timer"], "ring": ["hoop"], "hut": [], "shape": [], "background": []}


def build_amber_g(folder: Path) -> None:
    """query_generative.json, annotations.json, word lists and image/: what each scene shows, and what it does not."""
    queries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for key, scene in enumerate(scenes("amber_g", 24), 1):
        shown = list(dict.fromkeys(thing.kind for thing in scene.things))
        foreseen = Dice(scene.seed).shuffled([kind for kind in KINDS if kind not in shown])[:4]
        queries.append({"id": key, "image": f"AMBER_{key}.jpg", "query": "Describe this image."})
        annotations.append({"id": key, "type": "generative", "truth": shown, "hallu": foreseen})
        write(folder / "image" / f"AMBER_{key}.jpg", jpeg(scene))
    write(folder / "query_generative.json", json.dumps(queries, indent=1) + "\n")
    write(folder / "annotations.json", json.dumps(annotations, indent=1) + "\n")
    write(folder / "relation.json", json.dumps({**dict.fromkeys(KINDS, ()), **RELATED}, indent=1) + "\n")
    write(folder / "safe_words.txt", "shape\nbackground")
    write(folder / "alike.json", json.dumps([["house", "hut"]]) + "\n")


# ---------------------------------------------------------------------------------------------------------- SugarCrepe


def build_sugarcrepe(folder: Path) -> None:
    """A file of each kind of change, and val2017/: captions of two things, with a kind or a colour changed."""
    files: dict[str, dict[str, dict[str, str]]] = {}
    pictures = [scene for scene in scenes("sugarcrepe", 60) if len(scene.unique()) > 1][:28]
    for number, scene in enumerate(pictures):
        name = SUGARCREPE_FILES[number % len(SUGARCREPE_FILES)]
        one, other = scene.unique()[:2]
        caption = f"A {one.color} {one.kind} and a {other.color} {other.kind}."
        absent, another = absent_kind(scene, Dice(scene.seed)), next(c for c in COLORS if c != one.color)
        changed = {
            "add_att": f"A {one.color} {one.kind} and a shiny {other.color} {other.kind}.",
            "add_obj": f"A {one.color} {one.kind}, a {other.color} {other.kind} and a {absent}.",
            "replace_att": f"A {another} {one.kind} and a {other.color} {other.kind}.",
            "replace_obj": f"A {one.color} {absent} and a {other.color} {other.kind}.",
            "replace_rel": f"A {one.color} {one.kind} without a {other.color} {other.kind}.",
            "swap_att": f"A {other.color} {one.kind} and a {one.color} {other.kind}.",
            "swap_obj": f"A {one.color} {other.kind} and a {other.color} {one.kind}.",
        }[name]
        if changed == caption:  # both have one colour
            changed = f"A {another} {other.kind} and a {one.kind}."
        file = f"{number:012d}.jpg"
        rows = files.setdefault(name, {})
        rows[str(len(rows))] = {"filename": file, "caption": caption, "negative_caption": changed}
        write(folder / "val2017" / file, jpeg(scene))
    for name, rows in files.items():
        write(folder / f"{name}.json", json.dumps(rows, indent=1) + "\n")


SUGARCREPE_FILES = ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")
