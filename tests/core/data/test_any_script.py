"""Text in any script keeps its bytes: task file, prompt, store, export, answer file, comparison, site.

What no UTF-8 holds, halves of surrogate pairs, is refused where it comes in.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vlmbench
from tests.support.toys import png
from vlmbench.base import registry
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.files import unicode_problem
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Request, Sample
from vlmbench.cli import main as cli
from vlmbench.data.answers.predictions import answer_rows
from vlmbench.data.encoding import check_encodable
from vlmbench.data.files import Folder
from vlmbench.data.rows import Row
from vlmbench.runs.storage.reopening import read_answers

SCRIPTS = (
    "caf\u00e9 \u1e69 \u212b",  # NFC, and an Angstrom sign that NFC would change
    "cafe\u0301 s\u0323\u0307 \ufb01",  # NFD, and a ligature that NFKC would part
    "ما هذا؟ \u200fقط\u200e 42",  # right to left, with marks
    "\u202eabc\u202c \u2066x\u2069",  # direction overrides
    "מה זֶה? שָׁלוֹם",
    "图中有什么？\u3000全角 ＡＢＣ",
    "これは何ですか？ が\u3099 ﾊﾟ",
    "각\u1100\u1161\u11a8",  # a syllable, composed and in parts
    "यह क्या है? क्\u200dष क्\u200cष",  # joiners decide how it is drawn
    "นี่คืออะไร ที่",
    "Z\u0351\u036b\u0343a\u0363l\u0300g\u0301o\u0322",  # many marks on one letter
    "👩🏽\u200d🚀 🇨🇳 ❤\ufe0f 1\ufe0f\u20e3",  # emoji of several code points
    "𝒳 𐍈 𠮷 \U0010fffd",  # outside the basic plane
    "\u2028line\u2029paragraph\u0085next\x0b\x0c",  # what some readers take for line ends
    "\r\n\t quoted \"'\\ \x00\x1b[31m \x7f",
    "\ufeff \ufffc \ufffd \ufffe\uffff \ufdd0",  # marks and non-characters
    "</script><!-- ${x} $& {question} {{ x }} %s \\u00e9 &amp;",
    " ",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ANY = TEXT | st.sampled_from(SCRIPTS) | TEXT.map(lambda text: unicodedata.normalize("NFD", text))
HALF = st.characters(categories=["Cs"])


def table(rows: Sequence[tuple[str, str]], suffix: str) -> bytes:
    """A task's file."""
    if suffix == ".jsonl":
        lines = [json.dumps({"question": q, "answer": a, "image": "a.png"}, ensure_ascii=False) for q, a in rows]
        return ("\n".join(lines) + "\n").encode()
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if suffix == ".tsv" else ",")
    writer.writerow(("question", "answer", "image"))
    writer.writerows((*row, "a.png") for row in rows)
    return out.getvalue().encode()


@contextmanager
def ran(rows: Sequence[tuple[str, str]], suffix: str = ".csv") -> Iterator[tuple[Path, list[str], vlmbench.Result]]:
    """A task of these questions and answers, run with a model that knows the answers: folder, prompts seen, result."""
    prompts: list[str] = []
    said = iter([answer for _, answer in dict(zip(map(wrapped, (q for q, _ in rows)), rows, strict=True)).values()])

    def knows(images: Any, question: str) -> str:
        prompts.append(question)
        return next(said)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "a.png").write_bytes(png((1, 2, 3)))
        (folder / f"t{suffix}").write_bytes(table(rows, suffix))
        task = vlmbench.TableTask("scripts", folder / f"t{suffix}", prompt="Q: {question} A:")
        yield folder, prompts, vlmbench.evaluate(knows, task, output=folder / "run")


def wrapped(question: str) -> str:
    return f"Q: {question} A:"


ROWS = st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4, unique_by=lambda row: row[0])


@pytest.mark.slow
@given(ROWS, st.sampled_from([".csv", ".tsv", ".jsonl"]))
@example([(text, text) for text in SCRIPTS], ".csv")
@example([(text, text) for text in SCRIPTS], ".jsonl")
@settings(max_examples=40)
def test_from_the_file_to_the_export(rows: list[tuple[str, str]], suffix: str) -> None:
    questions, answers = [q for q, _ in rows], [a for _, a in rows]
    with ran(rows, suffix) as (folder, prompts, result):
        kept = result.records
        assert prompts == [wrapped(question) for question in questions] == list(kept["prompt"])
        assert list(kept["question"]) == questions
        assert [json.loads(text) for text in kept["target"]] == [[answer] for answer in answers]
        assert list(kept["text"]) == list(kept["parsed_answer"]) == answers
        assert {response.text for response in read_answers(result.folder).values()} == set(answers)
        assert result.summary["scripts"]["accuracy"]["value"] == 100.0  # a text says the same as itself
        task = vlmbench.TableTask("scripts", folder / f"t{suffix}")
        samples = task.samples(Folder(folder), "all")
        given_back = dict(zip(kept["sample_id"], kept["text"], strict=True))
        task.export(given_back, samples, "official", folder / "x.jsonl")
        assert task.read_predictions(folder / "x.jsonl", samples) == given_back


def site_chunks(site: Path) -> Iterable[Any]:
    """The JSON of a site's files of whole records, read as a browser reads them: a string literal, then JSON."""
    for path in sorted((site / "data").glob("list-*-*-*.js")):
        literal = re.fullmatch(r"vb\.take\(\"[^\"]*\",'(.*)'\)\n", path.read_text("utf-8"), re.DOTALL)
        assert literal is not None and "\n" not in literal[1] and "\r" not in literal[1]
        yield orjson.loads(re.sub(r"\\(.)", r"\1", literal[1]))


def shown_prompt(template: str, question: str) -> str:
    """What reports/site/assets/lib/records.ts makes of a prompt."""
    return re.sub("\ufffc([01])", lambda found: question if found[1] == "1" else "\ufffc", template)


@given(ROWS)
@example([(text, text) for text in SCRIPTS])
@settings(max_examples=4)
def test_to_the_site(rows: list[tuple[str, str]]) -> None:
    with ran(rows) as (folder, prompts, result):
        assert cli.main(["report", str(result.folder), "--output", str(folder / "site")]) == exit_codes.OK
        (chunk,) = site_chunks(folder / "site")
        assert chunk["question"] == [question for question, _ in rows]
        assert chunk["text"] == chunk["parsed"] == chunk["target"] == [answer for _, answer in rows]
        numbers, words = chunk["prompt"]["codes"], chunk["prompt"]["values"]
        assert [shown_prompt(words[n], q) for n, (q, _) in zip(numbers, rows, strict=True)] == prompts


def test_questions_that_differ_in_form_alone_are_two(tmp_path: Path) -> None:
    composed, apart = "Qu'est-ce que le caf\u00e9?", "Qu'est-ce que le cafe\u0301?"
    with ran([(composed, "a"), (apart, "b")]) as (_, _, result):
        assert result.records["key"].nunique() == 2


# ------------------------------------------------------------------------------------------------------- MMBench-CN


def test_mmbench_cn_keeps_its_bytes(tmp_path: Path) -> None:
    choice = registry.choose_task("mmbench:dev_cn@llava")
    samples = choice.task.samples(Folder.sample("mmbench"), "dev_cn")
    source = (Folder.sample("mmbench").root / "MMBench_DEV_CN.tsv").read_text("utf-8")
    assert all(sample.question in source and option in source for sample in samples for option in sample.choices)
    said = {sample.id: f"{sample.target}. 答案：{sample.choices[0]}" for sample in samples}
    (tmp_path / "script.json").write_text(json.dumps(said), encoding="utf-8")
    result = vlmbench.evaluate(f"echo:{tmp_path / 'script.json'}", "mmbench:dev_cn@llava", output=tmp_path / "run")
    assert result.records["prompt"].str.endswith("\n请直接回答选项字母。").all()
    assert dict(zip(result.records["sample_id"], result.records["text"], strict=True)) == said
    for suffix in (".xlsx", ".tsv"):
        path = tmp_path / f"answers{suffix}"
        assert cli.main(["export", str(tmp_path / "run"), "--output", str(path)]) == exit_codes.OK
        assert choice.task.read_predictions(path, samples) == said


# ------------------------------------------------------------------------------------------------- no text at all


@given(ANY, HALF, ANY)
def test_halves_of_pairs_are_refused_with_their_place(before: str, half: str, after: str) -> None:
    text = before + half + after
    with pytest.raises(DataError) as error:
        Row({"question": text}, "file.jsonl", "line 3").text("question")
    assert str(error.value).startswith(
        f"file.jsonl, line 3, field 'question': character {len(before) + 1} is U+{ord(half):04X}, half of"
    )
    str(error.value).encode()
    assert unicode_problem(before + after) == ""


def test_both_escaped_halves_are_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": "1", "text": "\\ud83d\\ude80"}\n{"id": "2", "text": "\\ud83d"}\n')
    one, two = answer_rows(tmp_path / "a.jsonl")
    assert one.text("text") == "🚀"
    with pytest.raises(DataError, match="half of a surrogate pair"):
        two.text("text")


def test_an_answer_file_with_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("question,answer\n?,a\n")
    (tmp_path / "x.jsonl").write_bytes(b'{"id": "1", "text": "\\udc00"}\n')
    task = vlmbench.TableTask("scripts", tmp_path / "t.csv", columns=(None, "question", "answer"))
    samples = task.samples(Folder(tmp_path), "all")
    with pytest.raises(PredictionsError, match=r"x\.jsonl, line 1, field 'text': character 1 is U\+DC00"):
        task.read_predictions(tmp_path / "x.jsonl", samples)


def test_words_of_a_command_that_are_no_text_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--model", "echo,text=\udcff", "--tasks", "pope"]) == exit_codes.USER_MUST_CHANGE
    assert r"'echo,text=\udcff' is not UTF-8 text: character 11 is U+DCFF" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "shift_jis", "utf-8"])
def test_other_encodings_are_refused(encoding: str, tmp_path: Path) -> None:
    content = "question,answer\n字 これ,字\n".encode(encoding)
    (tmp_path / "t.csv").write_bytes(content if encoding != "utf-8" else content.replace(b"\xe5", b"\xed\xa0", 1))
    with pytest.raises(DataError, match=r"t\.csv.*(UTF-8|UTF-16)"):
        vlmbench.TableTask("scripts", tmp_path / "t.csv").samples(Folder(tmp_path), "all")


@pytest.mark.parametrize(
    ("sample", "prompt", "place"),
    [
        (Sample("\ud800", "?", (), "a"), "?", "id"),
        (Sample("1", "\ud800", (), "a"), "?", "question"),
        (Sample("1", "?", (), {"a": ["\ud800"]}), "?", "target"),
        (Sample("1", "?", (), "a", choices=("\ud800",)), "?", "choices"),
        (Sample("1", "?", (), "a", tags={"kind": "\ud800"}), "?", "tags"),
        (Sample("1", "?", (), "a"), "\ud800", "prompt"),
    ],
)
def test_a_task_that_makes_one_is_refused_before_it_is_asked(sample: Sample, prompt: str, place: str) -> None:
    with pytest.raises(DataError, match=rf"mine, sample '.*', {place}: character 1 is U\+D800"):
        check_encodable("mine", [(sample, Request(sample.id, prompt))])
