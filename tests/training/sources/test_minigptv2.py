"""MiniGPT-v2's data sets from their official files: every instruction of its pools, and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.training.sources.official import BOX, opened, picture, pool, says, turns, write
from vlmbench.base.errors import DataError
from vlmbench.training.sources import KINDS, pools

COCO = "COCO_train2014_000000000009.jpg"


def people(*answers: str) -> list[dict[str, Any]]:
    """Answers as the official VQA files have them."""
    return [{"answer": answer, "answer_confidence": "yes", "answer_id": at} for at, answer in enumerate(answers, 1)]


def test_the_pools_are_as_large_as_the_official_ones() -> None:
    sizes = {
        name: len(set(getattr(pools, name)))
        for name in ("VQA", "CAPTION", "GROUNDING", "REFER", "IDENTIFY", "ALIGNMENT")
    }
    assert sizes == {"VQA": 2, "CAPTION": 17, "GROUNDING": 4, "REFER": 7, "IDENTIFY": 7, "ALIGNMENT": 4}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('A "Cat"; (two)... #1: ~yes!*', "a cat two 1 yes"),
        ("What's this?\n", "what's this?"),
        ("word " * 60, " ".join(["word"] * 50)),
        ("  many   blanks ", "many blanks"),
        ("one.two", "one two"),
    ],
)
def test_the_cleaner(text: str, kept: str) -> None:
    assert pools.clean(text) == kept


@pytest.mark.parametrize("kind", ["coco_vqa", "ok_vqa"])
def test_vqa_by_lavis_and_by_the_official_pair_of_files(tmp_path: Path, kind: str) -> None:
    picture(tmp_path, COCO)
    answers = ["Two.", "two", "2", "!"]
    listed = [
        {
            "question_id": 1,
            "question": "How MANY cats?",
            "image": f"train2014/{COCO}",
            "answer": answers,
            "dataset": "vqa",
        }
    ]
    one = opened(kind, write(tmp_path / "vqa_train.json", listed), tmp_path)
    asked = write(
        tmp_path / "questions.json",
        {"info": {}, "license": None, "questions": [{"question_id": 1, "question": "How MANY cats?", "image_id": 9}]},
    )
    annotated = {"annotations": [{"question_id": 1, "image_id": 9, "answers": people(*answers)}], "info": {}}
    two = opened(kind, write(tmp_path / "annotations.json", annotated), tmp_path, questions=str(asked))
    for rows in (one, two):
        questions, replies = turns(rows)
        assert questions == pool(pools.VQA, "how many cats?")
        assert replies == {"two", "2"}  # the answer that the cleaner empties is never drawn
        assert rows.row(0).image is not None
    assert [one.entry(0, epoch) for epoch in range(9)] == [one.entry(0, epoch) for epoch in range(9)]


def test_an_answer_is_drawn_as_often_as_it_was_given(tmp_path: Path) -> None:
    picture(tmp_path, COCO)
    row = {"question_id": 1, "question": "q?", "image": COCO, "answer": ["yes"] * 7 + ["no"] * 3}
    rows = opened("coco_vqa", write(tmp_path / "rows.json", [row]), tmp_path)
    said = [rows.entry(0, epoch).turns[0][1] for epoch in range(1000)]
    assert 650 < said.count("yes") < 750


def test_vqa_in_llavas_form_is_one_dialogue_a_picture(tmp_path: Path) -> None:
    for name in (COCO, "COCO_train2014_000000000010.jpg"):
        picture(tmp_path, name)
    content = [
        {"question_id": at, "question": f"Q{at}?", "image": name, "answer": ["b", "A", "A"]}
        for at, name in enumerate((COCO, "COCO_train2014_000000000010.jpg", COCO))
    ]
    rows = opened("coco_vqa", write(tmp_path / "rows.json", content), tmp_path, form="llava")
    assert len(rows) == 2
    assert rows.entry(0).turns == (("Q0?\nAnswer the question using a single word or phrase.", "A"), ("Q2?", "A"))
    assert rows.entry(1).turns == (("Q1?\nAnswer the question using a single word or phrase.", "A"),)
    assert rows.length(0) == 13


def test_aokvqa(tmp_path: Path) -> None:
    picture(tmp_path, "000000000009.jpg")
    row = {
        "split": "train",
        "image_id": 9,
        "question_id": "x",
        "question": "What is it?",
        "choices": ["dog", "cat"],
        "correct_choice_idx": 1,
        "direct_answers": ["Cat", "cat", "kitten"],
    }
    path = write(tmp_path / "aokvqa.json", [row])
    assert turns(opened("aok_vqa", path, tmp_path)) == (pool(pools.VQA, "what is it?"), {"cat", "kitten"})
    (turn,) = opened("aok_vqa", path, tmp_path, form="llava").entry(0).turns
    assert turn == (
        "What is it?\nA. dog\nB. cat\nAnswer with the option's letter from the given choices directly.",
        "B",
    )


def test_gqa_official_and_by_lavis(tmp_path: Path) -> None:
    picture(tmp_path, "n1.jpg")
    official = {"07": {"imageId": "n1", "question": "Is it?", "answer": "yes", "types": {}}}
    listed = [{"image": "n1.jpg", "question": "Is it?", "answer": "yes", "question_id": "07"}]
    for name, content in (("official", official), ("lavis", listed)):
        rows = opened("gqa", write(tmp_path / f"{name}.json", content), tmp_path)
        assert turns(rows) == (pool(pools.VQA, "is it?"), {"yes"})
        assert rows.entry(0).id == "07"


def test_ocrvqa_keeps_the_training_split(tmp_path: Path) -> None:
    picture(tmp_path, "k1.png")
    book = {"imageURL": "http://x/y.png", "questions": ["Who?", "What?"], "answers": ["Ann B.", "Art"], "split": 1}
    rows = opened("ocrvqa", write(tmp_path / "d.json", {"k1": book, "k2": {**book, "split": 3}}), tmp_path)
    assert len(rows) == 2
    assert turns(rows, 1) == (pool(pools.VQA, "what?"), {"art"})
    assert turns(rows, 0)[1] == {"ann b"}
    assert rows.skipped == {"not of the training split": 1}
    broken = write(tmp_path / "b.json", {"k1": book, "k3": {**book, "answers": ["x"]}})
    assert dict(opened("ocrvqa", broken, tmp_path, max_bad=0.5).bad) == {"odd field": 1}


def references(folder: Path, protocol: int) -> Path:
    """RefCOCO's two files, with a reference of each split."""
    refs = [
        {
            "ref_id": at,
            "ann_id": 70 + at,
            "image_id": 9,
            "category_id": 1,
            "split": split,
            "file_name": COCO,
            "sent_ids": [1, 2],
            "sentences": [
                {"tokens": ["left", "cat"], "raw": "Left CAT.", "sent_id": 1, "sent": "left cat"},
                {"tokens": ["cat"], "raw": "the cat", "sent_id": 2, "sent": "the cat"},
            ],
        }
        for at, split in enumerate(("val", "train", "testA"))
    ]
    boxes = [{"id": 70 + at, "bbox": [20.5, 10, 50, 29.9], "segmentation": [[1, 2]]} for at in range(3)]
    write(folder / "instances.json", {"info": {}, "images": [], "annotations": boxes, "categories": []})
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=protocol))
    return folder


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_refcoco_and_its_inverse(tmp_path: Path, protocol: int) -> None:
    picture(tmp_path, COCO)  # 200 x 100
    folder, where = references(tmp_path / "refcoco", protocol), "{<10><10><35><39>}"
    rows = opened("refcoco", folder, tmp_path)
    assert len(rows) == 1
    assert turns(rows, epochs=200) == (pool(pools.REFER, "left cat") | pool(pools.REFER, "the cat"), {where})
    inverse = opened("invrefcoco", folder, tmp_path)
    assert turns(inverse, epochs=200) == (pool(pools.IDENTIFY, where), {"left cat", "the cat"})
    (turn,) = opened("refcocop", folder, tmp_path, form="llava").entry(0, 1).turns
    assert turn[0].startswith("Please provide the bounding box coordinate of the region this sentence describes: ")
    assert turn[1] == "[0.1, 0.3, 0.35, 0.45]"  # of the picture padded to 200 x 200
    assert rows.skipped == {"not of the training split": 2}


def test_a_pickle_that_does_more_than_hold_data_is_refused(tmp_path: Path) -> None:
    references(tmp_path, 2)
    for content in (b"cos\nsystem\n(S'true'\ntR.", pickle.dumps([Path("x")]), pickle.dumps([1, 2])[:-3], b"(lp0\n0."):
        (tmp_path / "refs(unc).p").write_bytes(content)
        with pytest.raises(DataError, match=r"does more than hold data|damaged pickle|list of references|bad"):
            opened("refcoco", tmp_path, tmp_path)


def test_visual_genome_keeps_small_regions(tmp_path: Path) -> None:
    picture(tmp_path, "VG_100K_2/1.jpg")
    region = {"region_id": 5, "image_id": 1, "phrase": "A red ball.", "x": 50, "y": 20, "width": 100, "height": 60}
    large = {**region, "region_id": 6, "width": 128, "height": 128}
    write(tmp_path / "region_descriptions.json", [{"id": 1, "regions": [large, region]}])
    write(tmp_path / "image_data.json", [{"image_id": 1, "url": "https://x/rak248/VG_100K_2/1.jpg", "width": 200}])
    rows = opened("refvg", tmp_path)
    assert len(rows) == 1
    assert turns(rows) == (pool(pools.REFER, "a red ball"), {"{<25><20><75><80>}"})
    (turn,) = opened("refvg", tmp_path, form="llava", inverse=True).entry(0).turns
    assert turn == ("Please provide a short description for this region: [0.25, 0.35, 0.75, 0.65].", "A red ball.")


def test_flickr(tmp_path: Path) -> None:
    picture(tmp_path, "36979.jpg")
    grounded = "<p>A man</p> {<1><2><3><4>}<delim>{<5><6><7><8>} sits"
    rows = opened(
        "flickr_grounded_caption",
        write(tmp_path / "g.json", [{"image_id": "36979", "grounded_caption": grounded}]),
        tmp_path,
    )
    assert turns(rows) == (pool(pools.GROUNDING), {grounded})
    content = [{"image_id": 36979, "caption": "A man sits.", "output": "<p>A man</p> {<1><2><3><4>}"}]
    rows = opened("flickr_CaptionToPhrase", write(tmp_path / "c.json", content), tmp_path)
    assert turns(rows) == ({"[detection] A man sits. "}, {"<p>A man</p> {<1><2><3><4>}"})
    content = [{"image_id": 36979, "phrase": "A man", "bbox": "{<1><2><3><4>}<delim>{<5><6><7><8>}"}]
    rows = opened("flickr_ObjectToPhrase", write(tmp_path / "p.json", content), tmp_path)
    assert turns(rows) == ({"[detection] A man "}, {"<p>A man</p> {<1><2><3><4>}<delim>{<5><6><7><8>}"})


def test_captions(tmp_path: Path) -> None:
    picture(tmp_path, COCO)
    picture(tmp_path, "abc.jpg")
    karpathy = [
        {"image": f"train2014/{COCO}", "caption": "A Cat.", "image_id": "coco_9"},
        {"image": "val2014/COCO_val2014_000000000003.jpg", "caption": "x", "image_id": "coco_3"},
    ]
    rows = opened("coco_caption", write(tmp_path / "k.json", karpathy), tmp_path)
    assert len(rows) == 1
    assert rows.skipped == {"not a training image": 1}
    assert turns(rows, epochs=300) == (pool(pools.CAPTION), {"a cat"})
    assert "[caption] A photo of  " in turns(rows, epochs=300)[0]  # the pool's own blank, and the one behind all
    caps = write(
        tmp_path / "t.json", {"dataset_type": "train", "data": [{"image_id": "abc", "caption_str": "A sign."}]}
    )
    assert turns(opened("textcaps_caption", caps, tmp_path), epochs=300) == (pool(pools.CAPTION), {"a sign"})
    (turn,) = opened("textcaps_caption", caps, tmp_path, form="llava").entry(0).turns
    assert turn == ("Provide a one-sentence caption for the provided image.", "A sign.")


def test_alignment(tmp_path: Path) -> None:
    picture(tmp_path, "image/2.jpg")
    write(tmp_path / "filter_cap.json", {"annotations": [{"image_id": "2", "caption": "The image shows A man."}]})
    for path in (tmp_path, tmp_path / "filter_cap.json"):
        rows = opened("cc_sbu_align", path)
        assert turns(rows) == (set(pools.ALIGNMENT), {"The image shows A man."})
        assert rows.row(0).image is not None


def test_llavas_parts_as_minigptv2_reads_them(tmp_path: Path) -> None:
    picture(tmp_path, COCO)
    row = {"id": "000000000009", "conversations": says("What is it?\n<image>", "A Cat.", "Why?", "So.")}
    path = write(tmp_path / "rows.json", [row])
    for kind in ("llava_detail", "llava_reason"):
        assert opened(kind, path, tmp_path).entry(0).turns == (("what is it? ", "A Cat."),)
    for kind in ("llava_conversation", "multitask_conversation"):
        assert opened(kind, path, tmp_path).entry(0).turns == (("What is it? ", "A Cat."), ("Why? ", "So."))


def test_unnatural_instructions_are_text_alone(tmp_path: Path) -> None:
    first = {"instruction_with_input": "Add: 1, 2", "constraints": "A NUMBER.", "output": "3!"}
    content = [{"instances": [first, {}]}, {"instances": [{**first, "constraints": None}]}, {"instances": []}]
    rows = opened("unnatural_instruction", write(tmp_path / "u.json", content), max_bad=0.4)
    assert rows.entry(0).turns == (("add 1, 2 a number", "3"),)
    assert rows.entry(1).turns == (("add 1, 2", "3"),)
    assert not rows.has_image(0)
    assert dict(rows.bad) == {"odd field": 1}


def test_every_data_set_of_the_stage_3_file_is_there() -> None:
    named = (
        "multitask_conversation llava_conversation unnatural_instruction refvg llava_detail llava_reason"
        " flickr_grounded_caption flickr_CaptionToPhrase flickr_ObjectToPhrase coco_caption textcaps_caption refcoco"
        " refcocop refcocog invrefcoco invrefcocop invrefcocog coco_vqa ok_vqa aok_vqa gqa ocrvqa"
    )
    assert set(named.split()) <= set(KINDS)
    assert BOX.fullmatch("{<1><2><3><4>}")
