"""The files of benchmarks as their authors and VLMEvalKit publish them."""

from __future__ import annotations

from typing import Any

from tests.tasks.families.schemas.hub_layouts import (
    AOKVQA,
    ASKED,
    COLOURS,
    CV,
    FLAT,
    GROUP,
    HALLUSION,
    IMAGES,
    KIT,
    LITE,
    MMMU,
    MUIR,
    PAIR,
    PRO,
    SEED,
    VSTAR,
    two,
)
from tests.tasks.families.schemas.layouts import INSIDE, KEY, Layout, Shown
from vlmbench.tasks.multiple_choice.several_images.blink import TASKS
from vlmbench.tasks.multiple_choice.sugarcrepe import FILES

ROTATED = [
    {"index": n + turn * 10**6, "question": ASKED, **dict(zip("AB", ("red", "blue")[:: 1 - 2 * turn], strict=True)),
     "answer": "AB"[turn], "category": "color", "l2-category": "attribute", "split": "dev", "hint": "", "C": "",
     "D": "", "image": Shown(n) if turn == 0 else str(n)}
    for turn in (0, 1) for n in (1, 2)
]  # fmt: skip
"""A circular benchmark: two questions, and each again with its options exchanged."""
AMBER = {"id": (1005, 1006), "image": IMAGES, "query": "Is it red?"}
NAMED = [{"id": 1004 + n, "type": "discriminative-attribute-state", "truth": ("yes", "no")[n - 1]} for n in (1, 2)]
MMHAL = {
    "question_type": ("attribute", "adversarial"), "image_content": ["a cat"], "question": ("Which?", "Where?"),
    "gt_answer": "Red.", "model_answer": "",
}  # fmt: skip
LITE_FILE = {
    "Question_id": ("a/1", "b/2"), "Question Type": "Multiple Choice", "Image": IMAGES, "Text": ASKED,
    "Answer choices": LITE["multi-choice options"], "Ground truth": ("A", "E"), "Task": ("Perception", "Reasoning"),
    "Subtask": "Monitoring", "Category": "signs",
}  # fmt: skip
VS_ID = ("VD_chart_1_0_0_0", "VD_chart_2_0_1_0")


def kit(spec: str, name: str, *targets: Any, **changes: Any) -> Layout:
    """VLMEvalKit's table of two rows."""
    row = {"index": (1, 2), **KIT, "image": IMAGES, "category": "a", "l2-category": "b", "answer": targets, **changes}
    return Layout(spec, "tsv", name, two(**row), targets, "index")


OFFICIAL: tuple[Layout, ...] = (
    kit("mmstar", "MMStar.tsv", "A", "D", l2_category="b"),
    kit("ai2d", "AI2D_TEST.tsv", "A", "D"),
    kit("ai2d:no_mask", "AI2D_TEST_NO_MASK.tsv", "A", "D"),
    Layout("ai2d:raw", "by question", "ai2d/questions/1.png.json",
           two(question=(ASKED, "Which?"), questionId=("1.png-0", "1.png-1"), answerTexts=list(COLOURS),
               correctAnswer=(0, 3), abcLabel=False, shown=Shown(1)), ("A", "D"), "questionId", "correctAnswer",
           more={"ai2d_test_ids.csv": "1\n"}, images="ai2d/images/{}.png"),
    kit("realworldqa", "RealWorldQA.tsv", "A", "D"),
    kit("seedbench", "SEEDBench_IMG.tsv", "A", "D"),
    kit("seedbench:plus", "SEEDBench2_Plus.tsv", "A", "D"),
    *(
        Layout(f"seedbench{split}", "listed", "SEED-Bench.json",
               two(**SEED, answer=("A", "D"), data_id=IMAGES, data_type="image", question=ASKED, question_id=("1", "2"),
                   question_type_id=1), ("A", "D"), "question_id", image="data_id", images="SEED-Bench-image/{}.png")
        for split in ("", ":all")
    ),
    kit("cvbench:2d", "CV-Bench-2D.tsv", "A", "D", split="2D", source="COCO", task="Count"),
    kit("cvbench:3d", "CV-Bench-3D.tsv", "A", "D", split="3D", source="Omni3D", task="Depth"),
    *(
        Layout(f"cvbench:{part}", "lines", f"test_{part}.jsonl",
               two(**{**CV, "filename": IMAGES, "type": part.upper()}), ("A", "D"), "idx", image="filename",
               images="img/{}.png") for part in ("2d", "3d")
    ),
    Layout("cvbench", "lines", "test.jsonl", two(**CV, type=("2D", "3D")), ("A", "D"), "idx", images="{}.png"),
    *(
        Layout(f"mmvp{split}", "csv", "Questions.csv",
               two(**{"lndex" if name == "Index" else name: value for name, value in PAIR.items()}), ("A", "B"),
               "lndex", "Correct Answer", "", "MMVP Images/{}.jpg") for split in ("", ":corrected")
    ),
    Layout("mmvp", "tsv", "MMVP.tsv", two(index=(1, 2), question=ASKED, A="Open", B="Closed", image=IMAGES,
           answer=("A", "B")), ("A", "B"), "index"),
    Layout("naturalbench", "lines", "test.jsonl", two(**GROUP), ("yes", "no", "no", "yes", "A", "B", "B", "A"), "Index",
           "Image_0_Question_0", "Image_0", "{}.png"),
    Layout("naturalbench", "tsv", "NaturalBenchDataset.tsv",
           [{"index": row["Index"], "question": row["Question"], "answer": row["Answer"], "type": "yes_no",
             "image": row["Image"]} for row in FLAT], ("yes", "no", "no", "yes") * 2, "index"),
    *(
        Layout(f"aokvqa{split and ':test'}", "json", f"aokvqa_v1p0_{split or 'val'}.json",
               two(**{**{k: v for k, v in AOKVQA.items() if k not in ("image", "direct_answers")}, "split": "val",
                      "image_id": (1, 2), "shown": IMAGES, "direct_answers": ["red"] * 10,
                      "correct_choice_idx": answers}), targets, "question_id", "correct_choice_idx",
               image="image_id", images=f"{split or 'val'}2017/{{:012d}}.jpg")
        for split, answers, targets in (("", (0, 3), ("A", "D")), ("test", None, (None, None)))
    ),
    Layout("aokvqa", "tsv", "a-okvqa.tsv", two(index=("a", "b"), **KIT, image=IMAGES, answer=("A", "D")), ("A", "D"),
           "index"),
    *(
        Layout(f"mmbench{split}", "tsv", f"{name}.tsv", ROTATED, ("A", "A", "B", "B"), "index")
        for split, name in (
            ("", "MMBench_DEV_EN"), (":dev_cn", "MMBench_DEV_CN"), (":test_en", "MMBench_TEST_EN"),
            (":test_cn", "MMBench_TEST_CN"), (":dev_20230712", "mmbench_dev_20230712"), (":ccbench", "CCBench"),
            (":dev_en_v11", "MMBench_DEV_EN_V11"), (":dev_cn_v11", "MMBench_DEV_CN_V11"),
            (":test_en_v11", "MMBench_TEST_EN_V11"), (":test_cn_v11", "MMBench_TEST_CN_V11"),
        )
    ),
    kit("mmt_bench", "MMT-Bench_VAL.tsv", "A", "D", split="VAL"),
    kit("mmt_bench:all", "MMT-Bench_ALL.tsv", "A", None, split=("VAL", "TEST")),
    kit("vstar", "VStarBench.tsv", "A", "D"),
    Layout("vstar", "each", "direct_attributes/1.json",
           two(question=ASKED, options=["It is red.", "It is blue."], target_object=["ball"], bbox=[[1, 2, 3, 4]],
               shown=IMAGES, **{KEY: ("direct_attributes/1.json", "direct_attributes/2.json")}), ("A", "A"), KEY,
           "options", images="direct_attributes/{}.jpg"),
    Layout("vstar", "lines", "test_questions.jsonl", two(**VSTAR), ("A", "B"), "question_id", "label",
           images="direct_attributes/{}.png", name="direct_attributes/{}.png"),
    Layout("mme_realworld_lite", "json", "data/MME-RealWorld-Lite.json", two(**LITE_FILE), ("A", "E"), "Question_id",
           "Ground truth", "Image", "data/imgs/{}.png"),
    Layout("mme_realworld_lite", "tsv", "mme_realworld_lite.tsv",
           two(**{**{k: v for k, v in LITE.items() if k != "bytes"}, "image": IMAGES}), ("A", "E"), "index"),
    kit("mmmu", "MMMU_DEV_VAL.tsv", "A", "D", split="validation", question="What is <image 1>?"),
    kit("mmmu:dev", "MMMU_DEV_VAL.tsv", "A", "D", split="dev", question="What is <image 1>?"),
    kit("mmmu:test", "MMMU_TEST.tsv", None, None, split="test", question="What is <image 1>?"),
    *(
        Layout(f"mmmu{split}", "lines", f"{name}.jsonl",
               two(**MMMU, id=(f"{name}_Art_1", f"{name}_Music_2"), answer=("A", "['4', 'four']")),
               ("A", ("4", "four")), "id", image="image_1", images="{}.png")
        for split, name in (("", "val"), (":dev", "dev"), (":test", "test"))
    ),
    kit("mmmu_pro", "MMMU_Pro_10c.tsv", "A", "J", **dict(zip("EFGHIJ", "efghij", strict=True)),
        question="What is <image 1>?"),
    Layout("mmmu_pro:vision", "tsv", "MMMU_Pro_V.tsv", two(index=(1, 2), **dict(zip("ABCDEFGHIJ", "abcdefghij",
           strict=True)), image=IMAGES, answer=("A", "J"), category="a"), ("A", "J"), "index"),
    *(
        Layout(f"mmmu_pro{split}", "lines", f"{name}.jsonl", two(**PRO, subject="Art"), ("A", "D"), "id",
               image="image_1", images="{}.png")
        for split, name in (("", "standard_10"), (":standard_4", "standard_4"))
    ),
    kit("blink", "BLINK.tsv", "A", "D"),
    *(
        Layout(f"blink{split}", "lines", f"{name}.jsonl",
               two(idx=(f"{name}_{TASKS[0]}_1", f"{name}_{TASKS[0]}_2"), question=ASKED, sub_task=TASKS[0],
                   choices=["red", "blue"], answer=answers, prompt=f"{ASKED}\n(A) red\n(B) blue", image_1=IMAGES,
                   image_2=None, image_3=None, image_4=None), targets, "idx", image="image_1", images="{}.png")
        for split, name, answers, targets in (("", "val", ("(A)", "(B)"), ("A", "B")), (":test", "test", "hidden",
                                                                                        (None, None)))
    ),
    kit("muirbench", "MUIRBench.tsv", "A", "D", question="Which is <image>, which <image>?",
        image=([Shown(1), Shown(2)], [Shown(3), Shown(4)])),
    Layout("muirbench", "lines", "test.jsonl", two(**MUIR), ("A", "B"), "idx", image="image_list", images="{}.png"),
    *(
        Layout(f"sugarcrepe:{name}", "keyed", f"data/{name}.json",
               two(filename=IMAGES, caption="A red dog.", negative_caption="A blue dog.", **{KEY: ("0", "1")}),
               ("B", "B"), KEY, "caption", "filename", "val2017/{}.png") for name in FILES
    ),
    Layout("sugarcrepe", "keyed", "data/add_att.json", two(filename=IMAGES, caption="A red dog.",
           negative_caption="A blue dog.", **{KEY: ("0", "1")}), ["B"] * 8, KEY, "caption", "filename",
           "val2017/{}.png", more={f"data/{name}.json": {"0": {"filename": "1.png", "caption": "A red dog.",
                                   "negative_caption": "A dog."}} for name in FILES if name != "add_att"}),
    Layout("hallusionbench", "json", "HallusionBench.json",
           two(**{**{k: v for k, v in HALLUSION.items() if k != "image"}, "filename": IMAGES}), ("yes", "no"),
           answer="gt_answer", image="filename", images="hallusion_bench/{}.png"),
    Layout("hallusionbench:image", "tsv", "HallusionBench.tsv",
           two(index=VS_ID, question="Is it red?", answer=("Yes", "No"), image=IMAGES), ("yes", "no"), "index"),
    *(
        Layout(f"amber_d{split}", "json", "data/query/query_discriminative.json", two(**AMBER), ("yes", "no"), "id",
               images="image/{}.png", more={"data/annotations.json": NAMED}) for split in ("", ":attribute")
    ),
    *(
        Layout(f"amber_d{split}", "tsv", "AMBER.tsv",
               two(index=(1, 2), question="Is it red?", answer=("Yes", "No"), image=IMAGES, category=kind),
               ("yes", "no"), "index")
        for split, kind in (("", "relation"), (":existence", "discriminative-hallucination"), (":relation", "relation"))
    ),
    Layout("mmhal", "json", "response_template.json",
           two(**MMHAL, image_src=tuple(f"https://x.org/{n}.png" for n in (1, 2)), shown=IMAGES), ("Red.", "Red."),
           answer="gt_answer", image="image_src"),
    Layout("mmhal", "lines", "mmhal-bench_with_image.jsonl", two(**MMHAL, image=IMAGES), ("Red.", "Red."),
           answer="gt_answer", name=INSIDE),
)  # fmt: skip
"""Every benchmark of several options or of hallucinations, in each of its layouts."""
