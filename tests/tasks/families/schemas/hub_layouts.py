"""Hub datasets of benchmarks, with the columns that their cards or the code of their users name."""

from __future__ import annotations

import base64
from typing import Any

from tests.tasks.families.schemas.layouts import PLACE, Layout, Rows, Shown
from vlmbench.tasks.multiple_choice.several_images.blink import TASKS
from vlmbench.tasks.multiple_choice.sugarcrepe import FILES

COLOURS = ("red", "blue", "green", "grey")
LETTERED = dict(zip("ABCD", COLOURS, strict=True))
ASKED = "Which colour is it?"
KIT = {"question": ASKED, **LETTERED}


def two(**columns: Any) -> Rows:
    """Two rows; a column's value is that of both, or a pair."""
    return [
        {name: value[place] if isinstance(value, tuple) else value for name, value in columns.items()}
        for place in (0, 1)
    ]


IMAGES = (Shown(1), Shown(2))
MMBENCH = {
    **KIT, "hint": ("nan", "Look."), "category": "color", "source": "own", "L2-category": "attribute", "comment": "nan",
    "split": "dev", "image": IMAGES, "answer": ("A", "B"), "index": (1, 2),
}  # fmt: skip
MANY = {f"image_{number}": (Shown(number), Shown(number + 10)) if number < 3 else None for number in range(1, 8)}
MMMU = {
    "question": ("Look at <image 1> and <image 2>.", "What is <image 1>, what <image 2>?"),
    "options": ("['red', 'blue']", "[]"), "explanation": "", **MANY,
    "img_type": "['Photographs']", "topic_difficulty": "Easy", "subfield": "Design",
}  # fmt: skip
PRO = {**MMMU, "options": str(list(COLOURS)), "answer": ("A", "D"), "id": ("test_Art_1", "test_Music_2")}
CV = {
    "idx": (0, 1), "question": ASKED, "choices": list(COLOURS), "answer": ("(A)", "(D)"), "prompt": "Which?\n(A) red",
    "filename": "img/2D/1.png", "source": "COCO", "source_dataset": "x", "task": "Count", "image": IMAGES,
}  # fmt: skip
CV_CARD = """---
configs:
- config_name: default
  data_files:
  - split: test
    path: "test*.parquet"
- config_name: 2D
  data_files:
  - split: test
    path: "test_2d.parquet"
- config_name: 3D
  data_files:
  - split: test
    path: "test_3d.parquet"
---
"""
CV_FILES = ("nyu-visionx/CV-Bench/test_2d.parquet", "nyu-visionx/CV-Bench/test_3d.parquet")
PAIR = {
    "Index": (1, 2), "image": IMAGES, "Question": ASKED, "Options": "(a) Red (b) Blue", "Correct Answer": ("(a)", "(b)")
}  # fmt: skip
GROUP = {
    "Index": (0, 1), "Image_0": IMAGES, "Image_1": (Shown(3), Shown(4)), "Question_0": "Is it red?",
    "Question_1": "Is it blue?", "Image_0_Question_0": ("Yes", "A"), "Image_1_Question_0": ("No", "B"),
    "Image_0_Question_1": ("No", "B"), "Image_1_Question_1": ("Yes", "A"),
    "Question_Type": ("yes_no", "multiple_choice"), "Source": "own",
}  # fmt: skip
FLAT = [
    {
        "Index": n, "Image": Shown(n // 4 * 2 + n % 2), "Question": f"Is it {COLOURS[n // 2]}?", "Source": "own",
        "Question_Type": "yes_no", "Answer": ("Yes", "No", "No", "Yes")[n % 4],
    }
    for n in range(8)
]  # fmt: skip
AOKVQA = {
    "image": IMAGES, "question_id": ("22jb", "2Aq5"), "question": ASKED, "choices": list(COLOURS),
    "correct_choice_idx": (0, 3), "direct_answers": (str(["red"] * 9 + ["reddish"]), str(["grey"] * 10)),
    "difficult_direct_answer": (False, True), "rationales": ["It is."],
}  # fmt: skip
MUIR = {
    "idx": ("1-0", "1-1"), "task": "Counting", "image_relation": "Temporal", "image_type": "Drawing",
    "question": "Which is red, <image> or <image>?", "options": ["<image>", "neither"], "answer": ("A", "B"),
    "image_list": ([Shown(1), Shown(2), Shown(3)], [Shown(4), Shown(5), Shown(6)]), "counterpart_idx": ("1-1", "1-0"),
}  # fmt: skip
VSTAR = {
    "image": IMAGES, "category": ("direct_attributes", "relative_position"), "label": ("A", "B"),
    "text": f"{ASKED}\n(A) red\n(B) blue\nAnswer with the option's letter from the given choices directly.",
    "question_id": ("0", "1"),
}  # fmt: skip
LITE = {
    "index": ("perception/a/1", "reasoning/b/2"), "question": ASKED, "answer": ("A", "E"),
    "bytes": tuple(base64.b64encode(one.content).decode() for one in IMAGES),
    "multi-choice options": ["(A) red", "(B) blue", "(C) green", "(D) grey", "(E) not in the image"],
    "category": ("Perception/OCR with Complex Context", "Reasoning/Monitoring"), "l2-category": "signs",
}  # fmt: skip
HALL = "lmms-lab/HallusionBench"
HALLUSION = {
    "category": "VD", "subcategory": "chart", "visual_input": ("1", "2"), "set_id": "0", "figure_id": ("0", "1"),
    "sample_note": "own", "question_id": "0", "question": "Is it red?", "gt_answer_details": "It is red.",
    "gt_answer": ("1", "0"), "filename": "./VD/chart/0_0.png", "image": IMAGES,
}  # fmt: skip
NO_FIGURE = {
    **{name: value for name, value in HALLUSION.items() if name != "image"},
    "category": "VS", "visual_input": "0", "question_id": ("0", "1"), "filename": None, PLACE: f"{HALL}/data/non_image"
}  # fmt: skip
PLUS = {f"choice_{letter}": text for letter, text in LETTERED.items()}
SEED = {f"choice_{letter.lower()}": text for letter, text in LETTERED.items()}
AMBER = "visual-preference/AMBER/data/query_discriminative_"

HUB: tuple[Layout, ...] = (
    *(
        Layout(
            f"mmmu{split and ':'}{split}", "parquet", f"lmms-lab/MMMU/data/{place}",
            two(**MMMU, id=(f"{place}_Art_1", f"{place}_Music_2"), answer=answers, question_type="multiple-choice"),
            targets, "id", image="image_1",
        )
        for split, place, answers, targets in (
            ("", "validation", ("B", "['4', 'four']"), ("B", ("4", "four"))),
            ("dev", "dev", ("A", "four"), ("A", "four")),
            ("test", "test", "?", (None, None)),
        )
    ),
    Layout("mmmu_pro", "parquet", "MMMU/MMMU_Pro/standard (10 options)/test",
           two(**PRO, subject="Art"), ("A", "D"), "id", image="image_1"),
    Layout("mmmu_pro:standard_4", "parquet", "MMMU/MMMU_Pro/standard (4 options)/test",
           two(**PRO, subject="Art"), ("A", "D"), "id", image="image_1"),
    Layout("mmmu_pro:vision", "parquet", "MMMU/MMMU_Pro/vision/test",
           two(id=PRO["id"], image=IMAGES, options=PRO["options"], answer=("A", "D"), subject="Art"), ("A", "D"), "id"),
    Layout("mmstar", "parquet", "Lin-Chen/MMStar/mmstar.parquet",
           two(index=(0, 1), question=f"{ASKED}\nOptions: A: red, B: blue", image=IMAGES, answer=("A", "B"),
               category="math", l2_category="geometry", meta_info={"source": "own"}),
           ("A", "B"), "index", more={"Lin-Chen/MMStar/README.md": "---\nconfigs:\n- config_name: val\n  data_files:\n"
                                      "  - split: val\n    path: mmstar.parquet\n---\n"}),
    *(
        Layout(f"ai2d{split}", "parquet", f"{name}/data/test",
               two(question=ASKED, options=list(COLOURS), answer=("0", "3"), image=IMAGES), ("A", "D"))
        for split, name in (("", "lmms-lab/ai2d"), (":no_mask", "Efficient-Large-Model/ai2d-no-mask"))
    ),
    *(
        Layout("realworldqa", "parquet", f"{name}/data/test",
               two(question=(f"{ASKED}\n\nA. Red\nB. Blue\nPlease answer directly.", "How many?"), image=IMAGES,
                   answer=("B", "Three"), image_path="1.webp"), ("B", "three"))
        for name in ("lmms-lab/RealWorldQA", "xai-org/RealworldQA")
    ),
    Layout("seedbench", "parquet", "lmms-lab/SEED-Bench/data/test",
           two(**SEED, answer=("A", "D"), data_id="1", data_type="image", question=ASKED, question_id=("1", "2"),
               question_type_id=1, image=([Shown(1)], [Shown(2)]), segment=None), ("A", "D"), "question_id"),
    Layout("seedbench:plus", "parquet", "doolayer/SEED-Bench-2-Plus/data/test",
           two(**PLUS, answer=("A", "D"), data_id="text_rich/1.png", data_type="Single Image", question=ASKED,
               question_id=("0", "1"), question_image_type="chart", question_image_subtype="tree", level="L1",
               subpart="x", version="v2+", data_source="own", image=IMAGES), ("A", "D"), "question_id"),
    *(
        Layout(f"blink{':test' * (split == 'test')}", "parquet", f"BLINK-Benchmark/BLINK/{TASKS[0]}/{split}",
               [{"idx": f"{split}_{name}_1", "question": ASKED, "sub_task": name, "choices": ["red", "blue"],
                 "answer": answer, "prompt": f"{ASKED}\n(A) red\n(B) blue", "explanation": "",
                 **{f"image_{k}": Shown(10 * n + k) if k < 3 else None for k in (1, 2, 3, 4)},
                 PLACE: f"BLINK-Benchmark/BLINK/{name}/{split}"} for n, name in enumerate(TASKS)],
               [target] * len(TASKS), "idx", image="image_1")
        for split, answer, target in (("val", "(B)", "B"), ("test", "hidden", None))
    ),
    Layout("cvbench", "parquet", CV_FILES[0], two(**CV, type=("2D", "3D"), **{PLACE: CV_FILES}), ("A", "D"), "idx",
           more={"nyu-visionx/CV-Bench/README.md": CV_CARD}),
    *(
        Layout(f"cvbench:{part.lower()}", "parquet", path, two(**CV, type=part), ("A", "D"), "idx",
               more={"nyu-visionx/CV-Bench/README.md": CV_CARD})
        for part, path in zip(("2D", "3D"), CV_FILES, strict=True)
    ),
    Layout("mmvp:corrected", "parquet", "lmms-lab-eval/MMVP/data/train", two(**PAIR), ("A", "B"), "Index",
           "Correct Answer"),
    Layout("mmvp", "csv", "MMVP/MMVP/Questions.csv",
           two(lndex=(1, 2), **{name: PAIR[name] for name in ("Question", "Options", "Correct Answer", "image")}),
           ("A", "B"), "lndex", "Correct Answer", images="MMVP/MMVP/MMVP Images/{}.jpg"),
    Layout("naturalbench", "parquet", "BaiqiL/NaturalBench/data/train", two(**GROUP),
           ("yes", "no", "no", "yes", "A", "B", "B", "A"), "Index", "Image_0_Question_0", "Image_0"),
    Layout("naturalbench", "parquet", "BaiqiL/NaturalBench-lmms-eval/data/test", FLAT,
           ("yes", "no", "no", "yes") * 2, "Index", "Answer", "Image"),
    Layout("aokvqa", "parquet", "HuggingFaceM4/A-OKVQA/data/validation", two(**AOKVQA), ("A", "D"), "question_id",
           "correct_choice_idx"),
    Layout("aokvqa:test", "parquet", "HuggingFaceM4/A-OKVQA/data/test",
           two(**{**AOKVQA, "correct_choice_idx": None, "direct_answers": None}), (None, None), "question_id",
           "correct_choice_idx"),
    *(
        Layout(f"mmbench:{split}", "parquet", f"lmms-lab/MMBench/{place}", two(**MMBENCH), ("A", "B"), "index")
        for split, place in (("dev_en", "en/dev"), ("dev_cn", "cn/dev"), ("test_en", "en/test"), ("test_cn", "cn/test"))
    ),
    Layout("mmbench:ccbench", "parquet", "lmms-lab/MMBench/cc/test",
           two(**{name: MMBENCH[name] for name in (*KIT, "index", "image", "answer", "category", "source")}),
           ("A", "B"), "index"),
    Layout("muirbench", "parquet", "MUIRBENCH/MUIRBENCH/data/test", two(**MUIR), ("A", "B"), "idx", image="image_list"),
    Layout("mmt_bench", "parquet", "lmms-lab/MMT-Benchmark/data/val",
           two(**KIT, E=("black", None), index=(1, 2), image=IMAGES, answer=("E", "D"), split="VAL", category="a",
               **{"l2-category": "b"}), ("E", "D"), "index"),
    Layout("mmt_bench:all", "parquet", "lmms-lab/MMT-Benchmark/data/val",
           two(**KIT, index=(1, 2), image=IMAGES, answer=("A", None), split=("VAL", "TEST"), category="a",
               **{"l2-category": "b", PLACE: tuple(f"lmms-lab/MMT-Benchmark/data/{s}" for s in ("val", "test"))}),
           ("A", None), "index"),
    Layout("vstar", "parquet", "lmms-lab/vstar-bench/data/test", two(**VSTAR), ("A", "B"), "question_id", "label"),
    Layout("mme_realworld_lite", "parquet", "yifanzhang114/MME-RealWorld-lite-lmms-eval/data/train", two(**LITE),
           ("A", "E"), "index", image="bytes"),
    Layout("sugarcrepe", "parquet", f"HuggingFaceM4/SugarCrepe_{next(iter(FILES))}/data/test",
           [{"image": Shown(n), "tested_labels": [f"A red {name}.", f"A blue {name}."], "true_label": n,
             PLACE: f"HuggingFaceM4/SugarCrepe_{name}/data/test"} for n, name in enumerate(FILES)],
           ["B"] * len(FILES), answer="true_label"),
    Layout("hallusionbench:image", "parquet", f"{HALL}/data/image", two(**HALLUSION), ("yes", "no"),
           answer="gt_answer"),
    Layout("hallusionbench", "parquet", f"{HALL}/data/image", [*two(**HALLUSION), *two(**NO_FIGURE)],
           ("yes", "no") * 2, answer="gt_answer"),
    *(
        Layout(f"amber_d:{part}", "parquet", f"{AMBER}{part}",
               two(id=(1005, 1006), query="Is it red?", answer=("yes", "no"), image=(Shown(1), Shown(1))),
               ("yes", "no"), "id")
        for part in ("existence", "attribute", "relation")
    ),
    Layout("amber_d", "parquet", f"{AMBER}existence",
           [{"id": 1005 + n, "query": "Is it red?", "answer": "yes", "image": Shown(1), PLACE: f"{AMBER}{part}"}
            for n, part in enumerate(("existence", "attribute", "relation"))],
           ("yes",) * 3, "id"),
    Layout("mmhal", "json", "Shengcao1006/MMHal-Bench/response_template.json",
           two(question_type=("attribute", "adversarial"), question_topic="own", image_id="1", image_content=["a cat"],
               image_src=("https://x.org/1.png", "https://x.org/2.png"), question=("Which?", "Where?"),
               gt_answer="Red.", model_name="", model_answer="", image_path=IMAGES), ("Red.", "Red."),
           answer="gt_answer", images="Shengcao1006/MMHal-Bench/images/{}.png"),
)  # fmt: skip
"""Every benchmark of several options or of hallucinations, with its datasets on the hub."""

NONE_ON_THE_HUB = {
    "ai2d:raw": "no copy on the hub",
    "amber_g": "no copy on the hub",
    "seedbench:all": "no copy on the hub",
    "mmbench:dev_20230712": "the hub has",
    **{f"mmbench:{name}_v11": "the hub has" for name in ("dev_en", "dev_cn", "test_en", "test_cn")},
    **{f"sugarcrepe:{name}": "" for name in FILES},
}
"""Splits without a dataset of their own on the hub, and what is said of them; SugarCrepe's are in that of `all`."""
