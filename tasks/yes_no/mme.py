"""MME: is it so? Pairs of yes/no questions about one picture, fourteen subtasks, perception and cognition.

Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models (arXiv 2306.13394).
Files: MME_Benchmark_release_version/SUBTASK, from the authors on request; results as eval_tool.zip of
BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation@dd295090, has them. Names of pictures repeat over
subtasks, so a picture is SUBTASK/NAME.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.parsing import text as answers
from vlmbench.stats.metrics import Metric

from . import mme_files, mme_metrics
from .mme_metrics import COGNITION, PERCEPTION, SUBTASKS

SHORT = "\nAnswer the question using a single word or phrase."
PLEASE = "Please answer yes or no."
_ANSWER = Generation(max_new_tokens=128)


def _shortened(question: str) -> str:
    """LLaVA's question file: the closing sentence goes, with whatever blanks are before it."""
    return question.replace(PLEASE, "").strip() + SHORT


def _shortened_once(question: str) -> str:
    """lmms-eval: only a sentence with one blank before it is found cleanly; a second blank stays."""
    return question.strip().replace(" " + PLEASE, "") + SHORT


PROMPTS: Mapping[str, Callable[[str], str]] = {
    "official": str,
    "llava": _shortened,
    "tinyllava": _shortened,
    "lmms_eval": _shortened_once,
    "vlmevalkit": str,
}
READERS: Mapping[str, Callable[[str], str]] = {
    "official": answers.opening_yes_no,
    "llava": answers.opening_yes_no,
    "tinyllava": answers.opening_yes_no,
    "lmms_eval": answers.opening_yes_no_stripped,
    "vlmevalkit": answers.word_yes_no,
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    "official": TaskProtocol(
        "official",
        "BradyFU/Awesome-Multimodal-Large-Language-Models tools/eval_tool.zip calculation.py@dd295090 (Evaluation)",
        "perception",
        _ANSWER,
        "yes or no must begin within the first four characters, blanks counted; anything else is wrong",
    ),
    "llava": TaskProtocol(
        "llava",
        "haotian-liu/LLaVA docs/Evaluation.md@c121f043, MME's convert_answer_to_mme.py, then calculation.py",
        "perception",
        _ANSWER,
        "asks for a single word or phrase; the papers' MME is perception alone",
    ),
    "tinyllava": TaskProtocol(
        "tinyllava",
        "TinyLLaVA/TinyLLaVA_Factory scripts/eval/mme.sh@53f12c78, then calculation.py",
        "perception",
        _ANSWER,
        "as llava",
    ),
    "lmms_eval": TaskProtocol(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mme/utils.py@75571cfe",
        "perception",
        Generation(max_new_tokens=16),
        "stripped, full stops deleted, y and n accepted; seven questions keep a stray blank in their prompt",
    ),
    "vlmevalkit": TaskProtocol(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "perception",
        _ANSWER,
        "the word yes or the word no anywhere, not both; its reasoning is our cognition",
    ),
}

HUB_NAMES = ("lmms-lab/MME", "lmms-lab-encoder/MME")
HUB_FIELDS = ("question_id", "question", "answer", "category")
LICENCE = "academic research only; ask the authors"
HOW = "ask the authors for MME_Benchmark_release_version.zip (their README says how) and unpack it here"


class Mme:
    """The benchmark, for all its protocols."""

    name = "mme"
    title = "MME: pairs of yes/no questions on perception and cognition (Fu et al. 2023)"
    version = 1
    splits: tuple[str, ...] = ("test",)
    sizes: Mapping[str, Size] = {
        "test": Size(2_374, 1_187, note="a yes and a no to each picture of a subtask; some pictures are in several")
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ""}

    def required_files(self, split: str) -> Sequence[DataFile]:
        """A folder a subtask: questions and pictures."""
        return [
            DataFile(
                f"{mme_files.ROOTS[0]}/{subtask}",
                f"{subtask}: questions and pictures",
                how=HOW,
                licence=LICENCE,
                also=tuple(f"{root}{subtask}" for root in ("", *(f"{r}/" for r in mme_files.ROOTS[1:]))),
            )
            for subtask in SUBTASKS
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions; ids are `OCR/0001.jpg#1` and `#2`."""
        if isinstance(data, Hub):
            return self._from_hub(data)
        return mme_files.read_questions(data.within(self.name))

    def _from_hub(self, data: Hub) -> Sequence[Sample]:
        table = data.table(HUB_NAMES, "default", "test", (*HUB_FIELDS, "image"))
        rows: dict[str, list[tuple[int, Row]]] = {}
        for index, row in enumerate(table.rows(HUB_FIELDS)):
            if row.text("category") not in SUBTASKS:
                raise row.error("category", f"{row.text('category')!r} is no subtask of MME")
            key = row.key("question_id")
            name = key if key.startswith(row.text("category") + "/") else f"{row.text('category')}/{key}"
            rows.setdefault(name, []).append((index, row))
        found = []
        for name, pair in rows.items():
            picture = table.picture(pair[0][0], "image", name)
            for number, (_, row) in enumerate(pair, 1):
                question = (row.text("question"), row.text("answer"))
                found.append(mme_files.sample(row, row.text("category"), name, number, question, picture))
        order = {subtask: at for at, subtask in enumerate(SUBTASKS)}
        return sorted(found, key=lambda sample: order[sample.tags["subtask"]])

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question as it is, or with LLaVA's request for a short answer."""
        prompt = PROMPTS[protocol](sample.question)
        return Request(sample.id, prompt, sample.images, generation=PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong; an answer that is neither yes nor no is wrong."""
        read = READERS[protocol](response.text)
        return Score(
            float(read == sample.target), parsed_answer=read, unread="" if read in ("yes", "no") else "yes or no"
        )

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Perception, cognition, total, and each subtask's score, acc and acc+."""
        return mme_metrics.metrics(scored)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """A folder of the official result files, LLaVA's answer lines, or rows of id and text."""
        return mme_files.read_answers(path, samples)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The official result folder: SUBTASK.txt, which calculation.py takes. Raises DataError when in the way."""
        if path.exists() and not path.is_dir():
            raise DataError("the results are a folder of files, and this is a file", where=str(path))
        mme_files.write_answers(answers, samples, path)


MME = Mme()

__all__ = ["COGNITION", "MME", "PERCEPTION", "SUBTASKS", "Mme"]
