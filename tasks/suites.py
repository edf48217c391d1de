"""Suites: the lists of benchmarks that papers and leaderboards report together, by name. A new suite is one entry.

A member without a task is a benchmark that is not built in yet; who builds it fills its task in (tests/core/suites/
test_built_in.py finds it). An average is there where its formula is published, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.scoring.suites.suite import Member, Suite

LLAVA = "haotian-liu/LLaVA docs/Evaluation.md@c121f043"
_VQAV2, _VIZWIZ = Member("VQAv2", "vqav2:test-dev@llava"), Member("VizWiz", "vizwiz:test@llava")
_GQA, _SQA, _TEXTVQA = (
    Member("GQA", "gqa@llava"),
    Member("SQA-I", "scienceqa@llava"),
    Member("TextVQA", "textvqa@llava"),
)
_POPE, _MME = Member("POPE", "pope@llava"), Member("MME", "mme@llava", ("perception",))
_MMBENCH = Member("MMBench", "mmbench:dev_20230712@llava")
_MMVET = Member("MM-Vet", "mmvet@official")

_ALL = (
    Suite(
        "mobilevlm6",
        "MobileVLM's six (Chu et al. 2023)",
        "Meituan-AutoML/MobileVLM README.md@19d76848",
        (
            _GQA,
            _SQA,
            _TEXTVQA,
            _POPE,
            Member("MME", "mme@llava", ("perception",), divide_by=20),
            Member("MMBench", "mmbench:dev_en@llava"),
        ),
        "mean",
        "the column Avg. of that table: the mean with MME's perception / 20 gives its rows (one of five off by 0.1)",
    ),
    Suite(
        "tinygptv",
        "TinyGPT-V's five (Yuan et al. 2023)",
        "arXiv 2312.16862v2; DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        (
            Member("GQA", "gqa@tinygpt_v"),
            Member("VSR", "vsr@tinygpt_v"),
            Member("IconVQA", "iconqa:choose_txt_val@tinygpt_v"),
            Member("VizWiz", "vizwiz:val@tinygpt_v"),
            Member("HM", "hateful_memes:dev_seen@tinygpt_v"),
        ),
        "mean",
        "the average in the paper's table: 46.02 and 37.2 are the means of its rows for Phi-2 and Phi-1.5",
    ),
    Suite(
        "opencompass8",
        "OpenCompass' eight, the default of the OpenVLM leaderboard",
        "open-compass/VLMEvalKit, the leaderboard's meta_data.py: DEFAULT_BENCH",
        (
            Member("MMBench_V11", "mmbench:test_en_v11@official"),
            Member("MMStar", "mmstar@vlmevalkit"),
            Member("MMMU_VAL", "mmmu@vlmevalkit"),
            Member("MathVista", "mathvista@vlmevalkit"),
            Member("OCRBench", "ocrbench@vlmevalkit", divide_by=10),
            Member("AI2D", "ai2d@vlmevalkit"),
            Member("HallusionBench", "hallusionbench:image@vlmevalkit"),
            Member("MMVet", "mmvet@vlmevalkit"),
        ),
        "mean",
        "the leaderboard's meta_data.py: Avg Score is the average over the benchmarks, normalized to 0 - 100",
        "MMBench_V11 is the English test split (whether the leaderboard takes the mean with the Chinese one is "
        "unverified); HallusionBench's figure is the mean of its aAcc, fAcc and qAcc",
    ),
    Suite(
        "llava12",
        "LLaVA-1.5's twelve (Liu et al. 2023)",
        LLAVA,
        (
            _VQAV2,
            _GQA,
            _VIZWIZ,
            _SQA,
            _TEXTVQA,
            _POPE,
            _MME,
            _MMBENCH,
            Member("MMBench-CN", "mmbench:dev_cn@llava"),
            Member("SEED-Bench", "seedbench:all@llava"),
            Member("LLaVA-Bench", "llava_bench@official"),
            _MMVET,
        ),
        note="VQAv2 and VizWiz are scored by their servers",
    ),
    Suite(
        "tinyllava",
        "TinyLLaVA Factory's eight (Jia et al. 2024)",
        "TinyLLaVA/TinyLLaVA_Factory README.md, scripts/eval@53f12c78",
        (
            Member("VQAv2", "vqav2:test-dev@tinyllava"),
            Member("GQA", "gqa@tinyllava"),
            Member("SQA-I", "scienceqa@tinyllava"),
            Member("TextVQA", "textvqa@tinyllava"),
            _MMVET,
            Member("POPE", "pope@tinyllava"),
            Member("MME", "mme@tinyllava", ("perception",)),
            Member("MMMU-val", "mmmu@official"),
        ),
        note="VQAv2 is scored by its server",
    ),
    Suite(
        "imp9",
        "Imp's nine (Shao et al. 2024)",
        "MILVLG/imp README.md@1188061e, scripts/eval@1a800c02",
        (_VQAV2, _GQA, _VIZWIZ, _SQA, _TEXTVQA, _POPE, _MME, _MMBENCH, _MMVET),
        note="asked and scored as LLaVA-1.5 does; VQAv2 and VizWiz are scored by their servers",
    ),
    Suite(
        "bunny",
        "Bunny's list (He et al. 2024)",
        "BAAI-DCAI/Bunny README.md@66476a24",
        (
            _MME,
            Member("MME-C", "mme@llava", ("cognition",)),
            Member("MMBench-test", "mmbench:test_en@llava"),
            Member("MMBench-dev", "mmbench:dev_en@llava"),
            Member("MMBench-CN-test", "mmbench:test_cn@llava"),
            Member("MMBench-CN-dev", "mmbench:dev_cn@llava"),
            Member("SEED-Bench", "seedbench:image@llava"),
            Member("MMMU-val", "mmmu@official"),
            Member("MMMU-test", "mmmu:test@official"),
            _VQAV2,
            _GQA,
            _SQA,
            _POPE,
        ),
        note="VQAv2 and the test splits of MMBench and MMMU are scored by their servers",
    ),
    Suite(
        "nanovlm9",
        "nanoVLM's nine, by lmms-eval",
        "huggingface/nanoVLM models/config.py@4e0c096",
        (
            Member("MMStar", "mmstar@lmms_eval"),
            Member("MMMU_VAL", "mmmu@lmms_eval"),
            Member("OCRBench", "ocrbench@lmms_eval"),
            Member("TextVQA", "textvqa@lmms_eval"),
            Member("DocVQA", "docvqa@lmms_eval"),
            Member("ScienceQA", "scienceqa:test@lmms_eval"),
            Member("MME", "mme@lmms_eval"),
            Member("InfoVQA", "infovqa@lmms_eval"),
            Member("ChartQA", "chartqa@lmms_eval"),
        ),
    ),
    Suite(
        "smolvlm9",
        "SmolVLM2's nine, by VLMEvalKit",
        "the model card of HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        (
            Member("MathVista", "mathvista@smolvlm"),
            Member("MMMU", "mmmu@smolvlm"),
            Member("OCRBench", "ocrbench@smolvlm", divide_by=10),
            Member("MMStar", "mmstar@smolvlm"),
            Member("AI2D", "ai2d@smolvlm"),
            Member("ChartQA", "chartqa@smolvlm"),
            Member("ScienceQA", "scienceqa@smolvlm"),
            Member("TextVQA", "textvqa@smolvlm"),
            Member("DocVQA", "docvqa@smolvlm"),
        ),
        note="asked in the words that VLMEvalKit has for SmolVLM (protocol smolvlm), without the beginning of a reply, "
        "`Answer:`, that it adds to questions with options",
    ),
    Suite(
        "amber",
        "AMBER, both parts (Wang et al. 2023)",
        "arXiv 2311.07397",
        (Member("AMBER-g", "amber_g@official", ("faithfulness",)), Member("AMBER-d", "amber_d@official")),
        "mean",
        "arXiv 2311.07397: AMBER Score = (100 - CHAIR + F1) / 2; faithfulness is 100 - CHAIR",
        "amber_g@official needs NLTK and the pairs of alike words",
    ),
    Suite(
        "granite",
        "Granite Vision's twelve, by lmms-eval",
        "the model card of ibm-granite/granite-vision-3.3-2b",
        (
            Member("ChartQA", "chartqa@lmms_eval"),
            Member("DocVQA", "docvqa@lmms_eval"),
            Member("TextVQA", "textvqa@lmms_eval"),
            Member("AI2D", "ai2d@lmms_eval"),
            Member("InfoVQA", "infovqa@lmms_eval"),
            Member("OCRBench", "ocrbench@lmms_eval"),
            Member("LiveXiv"),
            Member("MMMU", "mmmu@lmms_eval"),
            Member("VQAv2", "vqav2@lmms_eval"),
            Member("RealWorldQA", "realworldqa@lmms_eval"),
            Member("VizWiz", "vizwiz@lmms_eval"),
            Member("OK-VQA", "okvqa@lmms_eval"),
        ),
    ),
    Suite(
        "molmo11",
        "Molmo's eleven academic benchmarks (Deitke et al. 2024)",
        "allenai/molmo, the registry of its evaluation data@793fa38",
        (
            Member("AI2D", "ai2d:no_mask@lmms_eval"),
            Member("ChartQA", "chartqa@lmms_eval"),
            Member("VQAv2", "vqav2@official"),
            Member("DocVQA", "docvqa@lmms_eval"),
            Member("InfoVQA", "infovqa@lmms_eval"),
            Member("TextVQA", "textvqa@official"),
            Member("RealWorldQA", "realworldqa@lmms_eval"),
            Member("MMMU", "mmmu@official"),
            Member("MathVista", "mathvista@official"),
            Member("CountBenchQA", "countbenchqa@lmms_eval"),
            Member("PixMo-Count", "pixmo_count@lmms_eval"),
        ),
        note="Molmo's own prompts are no protocol here; which rendering of AI2D it uses was not verified",
    ),
    Suite(
        "moondream",
        "Moondream's evaluations",
        "vikhyat/moondream moondream/eval/eval_all.py@44146f1",
        (
            Member("ChartQA", "chartqa@moondream"),
            Member("CountBenchQA", "countbenchqa@moondream"),
            Member("DocVQA", "docvqa@moondream"),
            Member("MMStar", "mmstar@official"),
            Member("NaturalBench", "naturalbench@official"),
            Member("POPE", "pope@official"),
            Member("RealWorldQA", "realworldqa@lmms_eval"),
            Member("TallyQA", "tallyqa@moondream"),
            Member("TextVQA", "textvqa@official"),
            Member("COCO mAP"),
            Member("GazeFollow"),
        ),
        note="Moondream's own prompts are no protocol here",
    ),
)

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in _ALL}
