"""Checksums of official files whose address names an unchanging content, by the end of that address.

`git:` ones are the blobs' names in the repositories, at the commits that the addresses name; `md5:` ones are those that
open-compass/VLMEvalKit vlmeval/dataset/{image_mcq,image_vqa}.py@e8e78f05 (DATASET_MD5) checks its downloads with; its
sums of the test splits, which are of the files before the answers were added, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

CHECKSUMS: Mapping[str, str] = {
    "output/coco/coco_pope_adversarial.json": "git:4eb7fc57596b955756a94bc63d1f967c2afb692a",
    "output/coco/coco_pope_popular.json": "git:eecb09ee9c68becd95e6b18d48433ec68cc261b1",
    "output/coco/coco_pope_random.json": "git:cd2b137f786675decb7442675929885125eeb083",
    "output/seem/aokvqa/aokvqa_pope_seem_adversarial.json": "git:1e1ca8f0a2ba0ca979bb01de0c5ebbaba33ed6ce",
    "output/seem/aokvqa/aokvqa_pope_seem_popular.json": "git:c8bd47232cd5297e8e156424fe36105b4a335519",
    "output/seem/aokvqa/aokvqa_pope_seem_random.json": "git:065cf9d1f841bac712e619cd7d256c6498cdbb8b",
    "output/seem/gqa/gqa_pope_seem_adversarial.json": "git:df94709910df3b3d0e539cb608b920def54f72d3",
    "output/seem/gqa/gqa_pope_seem_popular.json": "git:68a7c45154917e23e573e479043bd8515fed8cea",
    "output/seem/gqa/gqa_pope_seem_random.json": "git:291c3c82ea23f5eaf45db2b8b3be46449d9b5173",
    "eval_scripts/eval_data/refcoco+_testA.json": "git:f851393050a994b11097eeb5857d48cc8b41369d",
    "eval_scripts/eval_data/refcoco+_testB.json": "git:49ab6c1a47b283cd8361ca954e36c84efe7f4b86",
    "eval_scripts/eval_data/refcoco+_val.json": "git:fc881f24dce5c6b79203c8f73f4690ecb3aaf708",
    "eval_scripts/eval_data/refcoco_testA.json": "git:c4e88b504b152d81abc5b51453e4a0871083df96",
    "eval_scripts/eval_data/refcoco_testB.json": "git:e361002bd44bed5a898114516e0c31d218d75dc0",
    "eval_scripts/eval_data/refcoco_val.json": "git:d7c181592d8de651c771b0f8a77484bcd732f911",
    "eval_scripts/eval_data/refcocog_test.json": "git:56a9958c8fcd4a6b548102f01f41cc5d3e18126f",
    "eval_scripts/eval_data/refcocog_val.json": "git:b64c02deec668d71935bbec42800ed55382c0c37",
    "data/splits/random/dev.jsonl": "git:1cc57f714f4b516237da78c098c979d73c10bea2",
    "data/splits/random/test.jsonl": "git:5d9ee349707b99bbef726d6898cf2f0419923d7d",
    "data/splits/zeroshot/dev.jsonl": "git:f1da567feb3fa56e4be8005b57cffe5cf158b6c2",
    "data/splits/zeroshot/test.jsonl": "git:ef6a41c54859fa141c25f67de429514c4339fd7f",
    "data/scienceqa/pid_splits.json": "git:bde005092576ebebfed08087879ff774fcd75b62",
    "data/scienceqa/problems.json": "git:3920b762556abfbfa001f298c9740c36d4e041e1",
    "data/annotations.json": "git:47e6642eb38defe5c3c68abaee08d6ab3214ca7b",
    "data/query/query_discriminative.json": "git:06b236bb0f8ff884c281ce4a3cc062a6ef6aa1a2",
    "data/query/query_generative.json": "git:a694d7f907bb9db38c11dcf8489f0935045e0be2",
    "data/relation.json": "git:f2702c8f10e9d456f821834e431ab43e9e426fb5",
    "data/safe_words.txt": "git:0a4cddfaf70c505341e9047cf1a61d794737e854",
    "MMBench/MMBench_DEV_EN.tsv": "md5:b6caf1133a01c6bb705cf753bb527ed8",
    "MMBench/MMBench_DEV_CN.tsv": "md5:08b8fc3324a5ed74155350f57be69fbd",
    "MMBench/MMBench_DEV_EN_V11.tsv": "md5:30c05be8f2f347a50be25aa067248184",
    "MMBench/MMBench_DEV_CN_V11.tsv": "md5:593f9b5f6bea453d870a798b34ae4f37",
    "VLMEval/CCBench.tsv": "md5:f5dde47f24dc5a6fb6e595b409b466ac",
    "MMT-Bench/MMT-Bench_VAL.tsv": "md5:8dd4b730f53dbf9c3aed90ca31c928e0",
    "MMT-Bench/MMT-Bench_ALL.tsv": "md5:b273a2f4c596fe4f2605de0494cd632f",
    "VLMEval/BLINK.tsv": "md5:d5e8af148b10ac69f535ff7b23f3f989",
    "VLMEval/MMMU_Pro_10c.tsv": "md5:22cee868fe6b680d14b99bfff6db8172",
    "VLMEval/MMMU_Pro_V.tsv": "md5:d01441a87b3dbe721b5a04652ae38009",
    "VLMEval/MUIRBench.tsv": "md5:2e5e6fd7699761b08a7cb3ab8c0c2ec8",
    "VLMEval/COCO_VAL.tsv": "md5:72a5079dead060269ac222c5aa5128af",
    "VLMEval/MMMU_DEV_VAL.tsv": "md5:585e8ad75e73f75dcad265dfd0417d64",
    "VLMEval/MMMU_TEST.tsv": "md5:c19875d11a2d348d07e5eb4bdf33166d",
    "VLMEval/MMStar.tsv": "md5:e1ecd2140806c1b1bbf54b43372efb9e",
    "VLMEval/AI2D_TEST.tsv": "md5:0f593e0d1c7df9a3d69bf1f947e71975",
    "VLMEval/AI2D_TEST_NO_MASK.tsv": "md5:fd8f463634d4fe9fbd23b876e8eea5be",
    "VLMEval/RealWorldQA.tsv": "md5:4de008f55dc4fd008ca9e15321dc44b7",
    "OCRBench/OCRBench/OCRBench.json": "git:4db590f90789cb86e7eb553e35ee29e35620b6b5",
    "VLMEval/CountBenchQA.tsv": "md5:fc73c8d4ffa665431448753f094d56ff",
    "VLMEval/CV-Bench-2D.tsv": "md5:a7cff4cc2857cc237ee2b89e62bccb2d",
    "VLMEval/CV-Bench-3D.tsv": "md5:bb94c0d568d652d15b60e001ac40a170",
    "MathVista/53d525874bdde205128e6b160b7357a88277d479/data/testmini.json": (
        "git:1f4aee19b503e50dbb23a0dd74f475538de29e45"
    ),
    "MathVista/53d525874bdde205128e6b160b7357a88277d479/data/test.json": "git:8b395e6d89c0df1749ee91b2e276825ae7a296ac",
    "MATH-V/a1f5cc3add200c0cd080fad463e500f44ef1fb41/data/test.jsonl": "git:bc3d0a3ccacde01aceb2d7a951b60f859871e9c2",
    "MATH-V/a1f5cc3add200c0cd080fad463e500f44ef1fb41/data/testmini.jsonl": (
        "git:87514e1d0908a439d58594aaf7573ba5f345def9"
    ),
    "MathVerse/937b090597aeafb8e82b35d310a4bc5b9e2ea29d/data/testmini.json": (
        "git:1cac81b979470deaf0431c8685774057a73c7f0b"
    ),
    "data/testmini_text_only.json": "git:c4ba3a1e6676ffec0f3103544039ffbe3fdd0f4a",
    "SEEDBench/SEEDBench2_Plus.tsv": "md5:e32d3216dc4f452b0fe497a52015d1fd",
}


def checksum(url: str) -> str:
    """What `data fetch` checks a file against; empty where nothing is known."""
    return next((known for end, known in CHECKSUMS.items() if url.endswith(f"/{end}")), "")
