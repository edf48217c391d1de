"""MMBench: multiple-choice questions in English and Chinese, each asked once for every rotation of its options.

Liu et al., MMBench: Is Your Multi-modal Model an All-around Player?, ECCV 2024 (arXiv 2307.06281). A question counts
only if the model is right about all its rotations (circular accuracy). Version 1.0; the files of July and of October
2023 hold different questions. The evaluation server closed on 31 March 2026; VLMEvalKit's files of the test splits hold
the answers since (open-compass/MMBench#61, VLMEvalKit#1516). Older copies lack them: they can be asked, not scored.
Rules by protocol: vlmbench.parsing.options; rows and pictures: mmbench_rows; the judge's words: mmbench_judge.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.samples import Generation, JudgeRequest, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, JudgeRules, Size, TaskProtocol
from vlmbench.data import sheets
from vlmbench.data.files import Folder, Hub, read_table
from vlmbench.data.predictions import join, read_plain
from vlmbench.parsing import options as letters
from vlmbench.stats.metrics import Metric, by_tag, mean

from ..families.checksums import checksum
from . import mmbench_judge, mmbench_rows
from .mmbench_rows import LETTERS, by_letter

# ---------------------------------------------------------------------------------------------------------- wording


def _listed(sample: Sample) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in by_letter(sample).items())


def vlmevalkit_prompt(sample: Sample) -> str:
    """Hint, question, options, and a request in English whatever the language."""
    hint = f"Hint: {sample.extra['hint']}\n" if sample.extra["hint"] else ""
    request = "Please select the correct answer from the options above. \n"
    return f"{hint}Question: {sample.question}\nOptions:\n{_listed(sample)}\n{request}"


def llava_prompt(sample: Sample) -> str:
    """Hint, question, options, and a request for the letter."""
    hint = f"{sample.extra['hint']}\n" if sample.extra["hint"] else ""
    english = "Answer with the option's letter from the given choices directly."
    return f"{hint}{sample.question}\n{_listed(sample)}\n{_in(sample, english, '请直接回答选项字母。')}"


def lmms_eval_prompt(sample: Sample) -> str:
    """Hint and question on one line with the words before the options; a blank line before the request."""
    hint = f"{sample.extra['hint']} " if sample.extra["hint"] else ""
    before = _in(sample, "There are several options:", "有如下几个选项：")
    english = "Answer with the option's letter from the given choices directly."
    request = _in(sample, english, "请直接使用所提供的选项字母作为答案回答。")
    return f"{hint}{sample.question} {before}\n{_listed(sample)}\n\n{request}"


def _in(sample: Sample, english: str, chinese: str) -> str:
    return chinese if sample.tags["language"] == "cn" else english


# -------------------------------------------------------------------------------------------------------- protocols


@dataclass(frozen=True)
class Rules:
    """One protocol's words, reader and generation."""

    source: str
    prompt: Callable[[Sample], str]
    parse: Callable[[str, Mapping[str, str]], str]
    """Answer and options to a letter; "" where it cannot be told."""
    tokens: int = 1024
    chinese_tokens: int | None = None
    stop: tuple[str, ...] = ()
    judge: JudgeRules | None = None
    note: str = ""

    def generation(self, language: str = "en") -> Generation:
        """How an answer in a language is generated."""
        tokens = self.tokens if language == "en" or self.chinese_tokens is None else self.chinese_tokens
        return Generation(max_new_tokens=tokens, stop=self.stop)


_KIT = "open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py, vlmeval/utils/matching_util.py"

RULES: Mapping[str, Rules] = {
    "official": Rules(
        f"{_KIT}@e8e78f05, exact matching",
        vlmevalkit_prompt,
        letters.vlmevalkit_letter,
        note="an answer from which no rule can tell the option is wrong; a letter counts among the last four words",
    ),
    "official_2023": Rules(
        f"{_KIT}@aca64dbb, exact matching",
        vlmevalkit_prompt,
        letters.vlmevalkit_letter_2023,
        note="the rules until August 2025, behind most published figures: a lone letter counts anywhere",
    ),
    "official_judge": Rules(
        f"{_KIT}@e8e78f05, with a judge",
        vlmevalkit_prompt,
        letters.vlmevalkit_letter,
        judge=mmbench_judge.RULES,
        note="a judge matches the answers that no rule can; after three tries they throw dice, here it has no verdict",
    ),
    "llava": Rules(
        f"haotian-liu/LLaVA llava/eval/model_vqa_mmbench.py@c121f043; then the server: {_KIT}@aca64dbb",
        llava_prompt,
        letters.vlmevalkit_letter_2023,
        note="asks for the letter; the papers' figures are of the 20230712 file (en) and 20231003 (cn)",
    ),
    "tinyllava": Rules(
        f"TinyLLaVA/TinyLLaVA_Factory, branch tinyllava_bench; then the server: {_KIT}@aca64dbb",
        llava_prompt,
        letters.vlmevalkit_letter_2023,
        note="as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmbench/mmbench_evals.py@75571cfe, without its judge",
        lmms_eval_prompt,
        letters.lmms_eval_letter,
        chinese_tokens=256,
        stop=("ASSISTANT:",),
        note="an older port of the rules: E is none of them, and a bare A in a sentence is an article",
    ),
    "exact": Rules(
        "letter equality; words as haotian-liu/LLaVA llava/eval/model_vqa_mmbench.py@c121f043",
        llava_prompt,
        letters.exact_letter,
        note="the whole answer must be the letter",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "circular_accuracy", r.generation(), r.note, r.judge)
    for name, r in RULES.items()
}

# ------------------------------------------------------------------------------------------------------------- data

SITE = "https://opencompass.openxlab.space/utils/benchmarks/MMBench"
OLD_SITE = "https://download.openmmlab.com/mmclassification/datasets/mmbench"
LICENCE = "Apache-2.0 (as two papers say); pictures under their own licences"

FILES: Mapping[str, tuple[str, ...]] = {
    "dev_en": ("MMBench_DEV_EN.tsv", "mmbench_dev_en_20231003.tsv", "mmbench_dev_20230712.tsv"),
    "dev_cn": ("MMBench_DEV_CN.tsv", "mmbench_dev_cn_20231003.tsv"),
    "test_en": ("MMBench_TEST_EN.tsv", "mmbench_test_en_20231003.tsv"),
    "test_cn": ("MMBench_TEST_CN.tsv", "mmbench_test_cn_20231003.tsv"),
    "dev_20230712": ("mmbench_dev_20230712.tsv",),
}
"""By split, the file that `data fetch` gets first. dev_en takes the file of July 2023 only where no other is there."""

UNANSWERED = (
    "this copy of the file has no answers, which today's has: get it anew (`vlmbench data fetch mmbench:test_en`)"
)
TURNED = "rows, rotations of the options included"
SIZES: Mapping[str, Size] = {
    "dev_en": Size(4_329, note=TURNED),
    "dev_cn": Size(4_329, note=TURNED),
    "test_en": Size(6_666, note=TURNED),
    "test_cn": Size(6_666, note=TURNED),
    "dev_20230712": Size(4_377, note=f"{TURNED}: 1,176 questions"),
}


def _language(split: str) -> str:
    return "cn" if split.endswith("_cn") else "en"


class MMBench:
    """The benchmark, for all its protocols."""

    name = "mmbench"
    title = "MMBench: multiple choice, right for every rotation of the options (Liu et al. 2024)"
    version = 1
    splits: tuple[str, ...] = tuple(FILES)
    sizes: Mapping[str, Size] = SIZES
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"xlsx": ".xlsx", "tsv": ".tsv"}
    """What `export` writes, by name: the suffix of its path."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One table, with the pictures inside."""
        first, *also = FILES[split]
        url = f"{OLD_SITE if first.startswith('mmbench_') else SITE}/{first}"
        what, check = "questions and pictures", checksum(url)
        return [DataFile(first, what, url, licence=LICENCE, split=split, also=tuple(also), checksum=check)]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All rows of a split, rotations included; ids are the rows' indices."""
        if isinstance(data, Hub):
            return mmbench_rows.from_hub(data, _language(split), split.partition("_")[0])
        data = data.within(self.name)
        others = [other for other in self.splits if other != split and data.find(*FILES[other])]
        hint = f"there is a file of {', '.join(others)}: name it, mmbench:{others[0]}" if others else ""
        path = data.need(
            f"MMBench's table of {split}", *FILES[split], hint=hint or "`vlmbench data fetch mmbench` gets it"
        )
        return mmbench_rows.from_table(read_table(path), _language(split))

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question with its options in the protocol's words."""
        rules = RULES[protocol]
        generation = rules.generation(sample.tags["language"])
        return Request(sample.id, rules.prompt(sample), sample.images, generation=generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong about this rotation. What no rule can read is wrong, or for a judge where there is one."""
        rules = RULES[protocol]
        letter = rules.parse(response.text, by_letter(sample))
        if sample.target is None:
            return Score(None, Status.WITHHELD, letter, UNANSWERED)
        if not letter and rules.judge is not None:
            return Score(None, Status.JUDGE_FAILED, note="no rule can tell the option, and no judge was asked")
        note, lacking = "" if letter else "undecided", "" if letter in by_letter(sample) else "option"
        return Score(float(letter == sample.target), parsed_answer=letter, note=note, unread=lacking)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        """Ask a judge which option is meant, where no rule can tell."""
        return mmbench_judge.grade(sample, response.text, RULES[protocol].parse)

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """None: verdicts on MMBench are kept in no file of their own."""
        return None

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Circular accuracy of questions, whole and by ability; accuracy of the questions as they are beside it."""
        clusters = [sample.cluster for sample, _ in scored]
        first = [at for at, (sample, _) in enumerate(scored) if sample.extra["group"] == int(sample.id)]
        vanilla = mean("vanilla_accuracy", [scored[at][1].value or 0.0 for at in first], [clusters[at] for at in first])
        groups, left_out = circular(scored)
        if not groups:
            return [vanilla]
        values = list(groups.values())
        in_order = sorted((sample for sample, _ in scored), key=lambda sample: int(sample.id), reverse=True)
        unturned = {sample.extra["group"]: sample for sample in in_order}
        shown = [unturned[group] for group in groups]
        clusters = [sample.cluster for sample in shown]
        note = f"{left_out} questions left out: a rotation has no score" if left_out else ""
        whole = replace(mean("circular_accuracy", values, clusters), note=note)
        return [whole, vanilla, *_bars(values, shown, clusters)]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The server's sheet (index, prediction) as .xlsx, .tsv or .csv; LLaVA's answer lines; rows of id and text."""
        hint = "give one answer to each row of the split, rotations included (mmbench:SPLIT names another)"
        return join(
            read_plain(path, ("index", "question_id", "id"), samples, never=("answer", "ans")), samples, path, hint
        )

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The sheet that the evaluation server took, with LLaVA's columns; .tsv for VLMEvalKit's own tools."""
        write = sheets.write_tsv if path.suffix == ".tsv" else sheets.write_sheet
        header = ("index", "question", *LETTERS, "prediction", "answer", "split")
        rows = [
            (
                int(sample.id),
                sample.question,
                *(by_letter(sample).get(letter) for letter in LETTERS),
                answers[sample.id],
                sample.target,
                sample.tags.get("split"),
            )
            for sample in samples
        ]
        write(path, header, rows)


def circular(scored: Sequence[tuple[Sample, Score]]) -> tuple[dict[int, float], int]:
    """(1 or 0 for each question, how many are left out). A question counts where all its rotations have a score.

    One wrong rotation would decide, but were it counted alone, the questions left out would be those without one: the
    figure would lean. Where a judge ran several times, the mean over the runs that graded all rotations.
    """
    rows: dict[int, list[Score]] = {}
    turns: dict[int, int] = {}
    for sample, score in scored:
        rows.setdefault(sample.extra["group"], []).append(score)
        turns[sample.extra["group"]] = sample.extra["turns"]
    found = {group: _all_right(scores, turns[group]) for group, scores in rows.items()}
    whole = {group: value for group, value in found.items() if value is not None}
    return whole, len(rows) - len(whole)


def _all_right(scores: Sequence[Score], turns: int) -> float | None:
    """Whether all rotations are right; None where that is not known."""
    hits: list[float] = []
    for run in range(max(1, *(len(score.verdicts) for score in scores))):
        values = [_of_run(score, run) for score in scores]
        if len(values) == turns and None not in values:
            hits.append(float(0.0 not in values))
    return sum(hits) / len(hits) if hits else None


def _of_run(score: Score, run: int) -> float | None:
    """A rotation's value by one run of the judge; by rule it is the same in all of them."""
    if not score.verdicts:
        return score.value
    return score.verdicts[run].value if run < len(score.verdicts) else None


def _bars(values: Sequence[float], shown: Sequence[Sample], clusters: Sequence[str]) -> list[Metric]:
    """Bars by ability (L-2), leaf ability and, in files that mix them, split."""
    made: list[Metric] = []
    for tag in ("ability", "leaf", "split"):
        at = [index for index, sample in enumerate(shown) if tag in sample.tags]
        labels = [shown[index].tags[tag] for index in at]
        if len(set(labels)) > 1 or tag != "split":
            made += by_tag(tag, [values[i] for i in at], labels, [clusters[i] for i in at])
    return made


MMBENCH = MMBench()
