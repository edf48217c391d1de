"""POPE: does the model see objects that are not there? Yes/no questions about COCO pictures, in three kinds of "no".

Li et al., Evaluating Object Hallucination in Large Vision-Language Models, EMNLP 2023 (arXiv 2305.10355).
Files: POPE output/coco/*.json and output/seem/{aokvqa,gqa}/*.json@3df3ba1b; the older random file (2,910 questions
instead of 3,000) of @e3e39262 is read just the same. Rules by protocol: vlmbench.parsing.text and pope_metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, Row, read_rows, unique
from vlmbench.parsing import text as answers
from vlmbench.stats.metrics import Metric

from ..families.checksums import checksum
from . import pope_answers, pope_metrics

KINDS = ("random", "popular", "adversarial")
"""How the absent objects were chosen: POPE's three splits, kept as the tag `split`."""

SHORT = "\nAnswer the question using a single word or phrase."
_ANSWER = Generation(max_new_tokens=128)

PROTOCOLS: Mapping[str, TaskProtocol] = {
    "official": TaskProtocol(
        "official",
        "RUCAIBox/POPE evaluate.py@3df3ba1b; bare question",
        "mean_f1",
        _ANSWER,
        "whatever does not say no in its first sentence counts as yes",
    ),
    "llava": TaskProtocol(
        "llava",
        "haotian-liu/LLaVA llava/eval/eval_pope.py@c121f043, docs/Evaluation.md",
        "mean_f1",
        _ANSWER,
        "asks for a single word or phrase; the papers' POPE is the mean of the three splits' F1",
    ),
    "tinyllava": TaskProtocol(
        "tinyllava",
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_pope.py@53f12c78; issue #154",
        "mean_accuracy",
        _ANSWER,
        "as llava, with 1e-6 added to denominators; its table shows the mean accuracy",
    ),
    "lmms_eval": TaskProtocol(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/pope/utils.py@75571cfe",
        "f1",
        _ANSWER,
        "only a bare yes or no counts; recall leaves other answers out; its own yes ratio is yes_ratio_of_targets",
    ),
    "vlmevalkit": TaskProtocol(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "f1",
        _ANSWER,
        "bare question; f1 is what it prints as Overall; an answer with neither or both words is wrong and not a yes",
    ),
}
_SUFFIXED = ("llava", "tinyllava", "lmms_eval")


def _exact(text: str) -> str:
    said = answers.bare(text)
    return said if said in ("yes", "no") else "unknown"


READERS: Mapping[str, Callable[[str], str]] = {
    "official": answers.first_sentence_yes_no,
    "llava": answers.first_sentence_yes_no,
    "tinyllava": answers.first_sentence_yes_no,
    "lmms_eval": _exact,
    "vlmevalkit": answers.word_yes_no,
}

HUB_NAMES = ("lmms-lab/POPE", "lmms-lab-encoder/POPE")
HUB_FIELDS = ("question_id", "question", "answer", "image_source", "category")
RAW = "https://raw.githubusercontent.com/RUCAIBox/POPE/3df3ba1b110ecce25696989577fad583b67d4239"


VERSIONS = ("coco", "aokvqa", "gqa")


def kinds_of(split: str) -> Sequence[str]:
    """The kinds of questions that a split has: the one it is named after, or all."""
    _, _, kind = split.partition("_")
    return (kind,) if kind else KINDS


def question_places(split: str, kind: str) -> list[str]:
    """Where a question file may lie below the data folder, the usual place first."""
    names = [f"{split}_pope_{kind}.json", f"{split}_pope_seem_{kind}.json"]
    if split != "coco":
        names.reverse()
    folders = [f"{split}/", "", f"output/{split}/", f"seem/{split}/", f"output/seem/{split}/"]
    return [folder + name for folder in folders for name in names]


class Pope:
    """The benchmark, for all its protocols."""

    name = "pope"
    title = "POPE: object hallucination by yes/no questions (Li et al. 2023)"
    version = 1
    splits: tuple[str, ...] = (*VERSIONS, *(f"{version}_{kind}" for version in VERSIONS for kind in KINDS))
    sizes: Mapping[str, Size] = {
        "coco": Size(9_000, 500, note="3,000 of each kind about the same pictures; 8,910 in the files of August 2023"),
        **{version: Size(9_000, 500, note="3,000 of each kind about the same pictures") for version in VERSIONS[1:]},
        **{
            f"{version}_{kind}": Size(3_000, 500, note="one kind by itself, as the official script")
            for version in VERSIONS
            for kind in KINDS
        },
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": "", "llava": ".jsonl"}
    """What `export` writes, by name: the suffix of its path."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """A question file of each kind, and the pictures."""
        kinds, split = kinds_of(split), split.partition("_")[0]
        folder = "output/coco" if split == "coco" else f"output/seem/{split}"
        files = [
            DataFile(
                places[0],
                f"{kind} questions",
                url,
                licence="MIT",
                split=split,
                also=tuple(places[1:]),
                checksum=checksum(url),
            )
            for kind in kinds
            for places in [question_places(split, kind)]
            for url in [f"{RAW}/{folder}/{places[0].rpartition('/')[2]}"]
        ]
        if split == "gqa":
            url, path = "https://downloads.cs.stanford.edu/nlp/data/gqa/images.zip", "images"
            return [*files, DataFile(path, "GQA pictures", url, licence="Visual Genome, CC BY 4.0", split=split)]
        url = "http://images.cocodataset.org/zips/val2014.zip"
        licence = "COCO terms of use; pictures from Flickr under their own licences"
        also = (f"{split}/val2014", "images", f"{split}/images")
        return [*files, DataFile("val2014", "COCO val2014 pictures", url, licence=licence, split=split, also=also)]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of the three kinds, or of one; ids are `random/1`."""
        version, kinds = split.partition("_")[0], kinds_of(split)
        if isinstance(data, Hub):
            return [sample for sample in self._from_hub(data, version) if sample.tags["split"] in kinds]
        data = data.within(self.name)
        found: list[Sample] = []
        for kind, path in zip(kinds, self._question_files(data, version, kinds), strict=True):
            found += _kind_samples(data, kind, path)
        return found

    def _question_files(self, data: Folder, version: str, kinds: Sequence[str]) -> list[Path]:
        places = {kind: question_places(version, kind) for kind in kinds}
        missing = [kind for kind in kinds if data.find(*places[kind]) is None]
        others = [s for s in VERSIONS if s != version and data.find(*question_places(s, KINDS[0]))]
        if len(missing) == len(kinds) and others:
            what = f"no question files of split {version} here, but of {', '.join(others)}"
            raise DataError(what, where=str(data.root), hint=f"name it: --tasks pope:{others[0]}")
        hint = f"missing: {', '.join(places[kind][0] for kind in missing)}; `vlmbench data fetch pope` gets them"
        if alone := [kind for kind in kinds if kind not in missing and missing]:
            hint += f"; or take one kind by itself: {', '.join(f'pope:{version}_{kind}' for kind in alone)}"
        return [data.need(f"POPE's {kind} question file", *places[kind], hint=hint) for kind in kinds]

    def _from_hub(self, data: Hub, split: str) -> Sequence[Sample]:
        if split != "coco":
            raise DataError(f"the hub has POPE's split coco only, not {split}", hint="use --data DIR for the others")
        table = data.table(HUB_NAMES, "default", "test", (*HUB_FIELDS, "image"))
        first: dict[str, int] = {}
        rows: list[tuple[str, Row]] = []
        for index, row in enumerate(table.rows(HUB_FIELDS)):
            first.setdefault(row.text("image_source"), index)
            kind = row.text("category")
            if kind not in KINDS:
                raise row.error("category", f"{kind!r} is none of {', '.join(KINDS)}")
            rows.append((f"{kind}/{row.key('question_id')}", row))
        unique(rows, "question_id")
        return [
            Sample(
                id=key,
                question=row.text("question"),
                images=(table.picture(first[row.text("image_source")], "image", row.text("image_source")),),
                target=_label(row, "answer"),
                tags={"split": row.text("category")},
                cluster=row.text("image_source"),
            )
            for key, row in rows
        ]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The bare question, or with LLaVA's request for a short answer."""
        prompt = sample.question + SHORT if protocol in _SUFFIXED else sample.question
        return Request(sample.id, prompt, sample.images, generation=PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong. An answer that is neither yes nor no is wrong under the protocols that can tell."""
        read = READERS[protocol](response.text)
        lacking = "yes or no" if read == "unknown" else answers.lacks_yes_no(response.text)
        return Score(float(read == sample.target), parsed_answer=read, unread=lacking)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The other word, and the right one."""
        other = "no" if sample.target == "yes" else "yes"
        return Score(0.0, parsed_answer=other), Score(1.0, parsed_answer=sample.target)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Pooled, mean over splits, by split."""
        items = pope_metrics.columns(
            [score.parsed_answer for _, score in scored],
            [sample.target for sample, _ in scored],
            [score.value or 0.0 for _, score in scored],
        )
        clusters = [sample.cluster for sample, _ in scored]
        return pope_metrics.metrics([sample.tags["split"] for sample, _ in scored], items, clusters, protocol, KINDS)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Official answer lines, LLaVA's answer lines, or rows of id and text."""
        return pope_answers.read(path, samples, KINDS)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """A folder of official answer lines, a file a split; or LLaVA's answer lines, its question file beside them."""
        if path.suffix == ".jsonl":
            prompts = {sample.id: self.build_request(sample, protocol).prompt for sample in samples}
            pope_answers.write_llava(path, answers, samples, prompts)
        else:
            pope_answers.write_official(path, answers, samples)


def _kind_samples(data: Folder, kind: str, path: Path) -> Iterator[Sample]:
    here = data.relative(path.parent)
    places = (f"{here}/val2014", f"{here}/images", "val2014", "images", here, ".")
    for key, row in unique(((row.key("question_id"), row) for row in read_rows(path)), "question_id").items():
        image = row.text("image")
        yield Sample(
            id=f"{kind}/{key}",
            question=row.text("text"),
            images=(data.picture(row, image, *places),),
            target=_label(row, "label"),
            tags={"split": kind},
            cluster=image,
        )


def _label(row: Row, field: str) -> str:
    label = row.text(field).strip().lower()
    if label not in ("yes", "no"):
        raise row.error(field, f"yes or no was expected, not {label!r:.40}")
    return label


POPE = Pope()
