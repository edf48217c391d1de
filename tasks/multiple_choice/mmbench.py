"""MMBench: multiple-choice questions in English and Chinese, each asked once for every rotation of its options.

Liu et al., MMBench: Is Your Multi-modal Model an All-around Player?, ECCV 2024 (arXiv 2307.06281). A question counts
only if the model is right about all its rotations (circular accuracy). Version 1.0; the files of July and of October
2023 hold different questions. The evaluation server closed on 31 March 2026; VLMEvalKit's files of the test splits hold
the answers since (open-compass/MMBench#61, VLMEvalKit#1516). Older copies lack them: they can be asked, not scored.

The splits whose names end in `v11` are version 1.1, without the faulty questions of 1.0: what OpenCompass' average
takes. How many rows they have is unverified, and no copy of them on the hub is known. `ccbench` is CCBench, about
Chinese culture, in Chinese, by the same rules (Liu et al. 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vlmbench.base.samples import Request, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE as KIT_SITE
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.families import option_judge, prompts
from vlmbench.families.groups import circular
from vlmbench.families.multiple_choice import KIT, ChoiceRules, MultipleChoice, sheet_files
from vlmbench.parsing import options as letters

OPTIONS = "ABCD"


@dataclass(frozen=True)
class Rules(ChoiceRules):
    """A protocol whose figure is circular accuracy, and which may allow Chinese answers another length."""

    headline: str = "circular_accuracy"
    chinese_tokens: int | None = None


RULES = {
    "official": Rules(
        f"{KIT}@e8e78f05, exact matching",
        prompts.vlmevalkit,
        letters.vlmevalkit_letter,
        note="an answer from which no rule can tell the option is wrong; a letter counts among the last four words",
    ),
    "official_2023": Rules(
        f"{KIT}@aca64dbb, exact matching",
        prompts.vlmevalkit,
        letters.vlmevalkit_letter_2023,
        note="the rules until August 2025, behind most published figures: a lone letter counts anywhere",
    ),
    "official_judge": Rules(
        f"{KIT}@e8e78f05, with a judge",
        prompts.vlmevalkit,
        letters.vlmevalkit_letter,
        judge=option_judge.RULES,
        note="a judge matches the answers that no rule can; after three tries they throw dice, here it has no verdict",
    ),
    "llava": Rules(
        f"haotian-liu/LLaVA llava/eval/model_vqa_mmbench.py@c121f043; then the server: {KIT}@aca64dbb",
        prompts.llava,
        letters.vlmevalkit_letter_2023,
        note="asks for the letter; the papers' figures are of the 20230712 file (en) and 20231003 (cn)",
    ),
    "tinyllava": Rules(
        f"TinyLLaVA/TinyLLaVA_Factory, branch tinyllava_bench; then the server: {KIT}@aca64dbb",
        prompts.llava,
        letters.vlmevalkit_letter_2023,
        note="as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmbench/mmbench_evals.py@75571cfe, without its judge",
        prompts.lmms_eval_mmbench,
        letters.lmms_eval_letter,
        chinese_tokens=256,
        stop=("ASSISTANT:",),
        note="an older port of the rules: E is none of them, and a bare A in a sentence is an article",
    ),
    "exact": Rules(
        "letter equality; words as haotian-liu/LLaVA llava/eval/model_vqa_mmbench.py@c121f043",
        prompts.llava,
        letters.exact_letter,
        note="the whole answer must be the letter",
    ),
}

SITE = "https://opencompass.openxlab.space/utils/benchmarks/MMBench"
OLD_SITE = "https://download.openmmlab.com/mmclassification/datasets/mmbench"
LICENCE = "Apache-2.0 (as two papers say); images under their own licences"
LANGUAGES = {"dev_en": "en", "dev_cn": "cn", "test_en": "en", "test_cn": "cn", "dev_20230712": "en"}
V11 = {f"{name}_v11": name.partition("_")[2] for name in ("dev_en", "dev_cn", "test_en", "test_cn")}
COLUMNS = columns(OPTIONS, tags={"ability": "l2-category", "leaf": "category", "split": "split"}, hidden_answers=True)


def tsv(name: str, *older: str, site: str = SITE) -> DataFile:
    """One split's table, and older files that are taken where it is missing."""
    return table(name, site, older, LICENCE)


FILES = ImageTable(
    files={
        "dev_en": tsv("MMBench_DEV_EN.tsv", "mmbench_dev_en_20231003.tsv", "mmbench_dev_20230712.tsv"),
        "dev_cn": tsv("MMBench_DEV_CN.tsv", "mmbench_dev_cn_20231003.tsv"),
        "test_en": tsv("MMBench_TEST_EN.tsv", "mmbench_test_en_20231003.tsv"),
        "test_cn": tsv("MMBench_TEST_CN.tsv", "mmbench_test_cn_20231003.tsv"),
        "dev_20230712": tsv("mmbench_dev_20230712.tsv", site=OLD_SITE),
        **{name: tsv(f"MMBench_{name.upper()}.tsv") for name in V11},
        "ccbench": tsv("CCBench.tsv", site=KIT_SITE),
    },
    columns=COLUMNS,
    rotated=True,
    tags={name: {"language": language} for name, language in {**LANGUAGES, **V11, "ccbench": "cn"}.items()},
    hub=HubDataset(
        names=("lmms-lab/MMBench", "lmms-lab-encoder/MMBench"),
        splits={f"{name}_{lang}": f"{lang}/{name}" for name in ("dev", "test") for lang in ("en", "cn")}
        | {"ccbench": "cc/test"},
        columns=replace(COLUMNS, tags={**COLUMNS.tags, "ability": "L2-category"}),
    ),
)


class MMBench(MultipleChoice):
    """Multiple choice whose answers in Chinese may have another length."""

    @property
    def translations(self) -> Mapping[str, Mapping[str, str]]:
        """The Chinese splits hold the questions of the English ones, under the same ids."""
        return {name: {"zh": name.replace("_en", "_cn")} for name in ("dev_en", "test_en", "dev_en_v11", "test_en_v11")}

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words."""
        request, tokens = super().build_request(sample, protocol), RULES[protocol].chinese_tokens
        if tokens is None or sample.tags["language"] == "en":
            return request
        return replace(request, generation=replace(request.generation, max_new_tokens=tokens))


ROTATED = "rows, rotations of the options included"
MMBENCH = MMBench(
    name="mmbench",
    title="MMBench: multiple choice, right for every rotation of the options (Liu et al. 2024)",
    about=__doc__,
    sizes={
        "dev_en": Size(4_329, note=ROTATED),
        "dev_cn": Size(4_329, note=ROTATED),
        "test_en": Size(6_666, note=ROTATED),
        "test_cn": Size(6_666, note=ROTATED),
        "dev_20230712": Size(4_377, note=f"{ROTATED}: 1,176 questions"),
        "ccbench": Size(2_040, note=f"{ROTATED}: 510 questions"),
    },
    unsized=tuple(V11),
    needs_image=True,
    rules=RULES,
    files=FILES,
    answer_files=sheet_files(
        "give one answer to each row of the split, rotations included (mmbench:SPLIT names another)",
        "The sheet that the evaluation server took, with LLaVA's columns; .tsv for VLMEvalKit's own tools.",
    ),
    figures=lambda scored, protocol: circular.metrics(scored, ("ability", "leaf", "split")),
    withheld_note="this copy of the file has no answers, which today's has: get it anew "
    "(`vlmbench data fetch mmbench:test_en`)",
)
