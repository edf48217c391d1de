"""Error messages for checkpoints that transformers cannot open: its message, shortened, and a hint."""

from __future__ import annotations

import re
from collections.abc import Mapping

PACKAGES: Mapping[str, str] = {
    "torchvision": "torchvision (the build that fits this torch: see pytorch.org)",
    "num2words": "num2words",
    "bitsandbytes": "bitsandbytes",
    "compressed[-_]tensors": "compressed-tensors",
    "gptqmodel": "gptqmodel",
    "autoawq|awq": "gptqmodel, which reads AWQ as well",
    "auto[-_]gptq|optimum": "gptqmodel optimum",
    "hqq": "hqq",
    "quanto": "optimum-quanto",
    "aqlm": "aqlm",
    "eetq": "kernels",
    "torchao": "torchao",
    "timm": "timm",
    "einops": "einops",
    "flash[-_]attn": "flash-attn, or leave --attention out",
    "sentencepiece": "sentencepiece",
    "tiktoken": "tiktoken",
    "protobuf": "protobuf",
    "mistral[-_]common": "mistral-common",
    "peft": "peft",
    "accelerate": "accelerate",
}
"""A package by a word in the error that its absence makes, and what to install."""
LACKS = r"no module named|require|need|not installed|not found in your environment|not be found|install|not available"
HINTS: Mapping[str, str] = {
    "trust_remote_code": "read the code that comes with it; then --trust-remote-code runs it",
    "(?i)unrecognized configuration class": (
        "AutoModelForImageTextToText of this transformers does not know its class: serve the model with its"
        " authors' code, and ask the server: --model openai:NAME,base_url=..."
    ),
    "(?i)does not recognize this architecture|unrecognized model in|should have a `?model_type": (
        "pip install -U transformers, or a checkpoint whose config.json names a model_type that this version has"
    ),
    "does not support PeftType": (
        "transformers loads no adapter of this type: merge it into its base with PEFT"
        " (PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(...)) and name that folder"
    ),
    "does not support prompt learning": (
        "prompts that were learned cannot be merged and transformers does not load them: ask PEFT's own model in"
        " Python, vlmbench.evaluate(function, ...)"
    ),
    "(?i)gated|401|403 client|access to model": "ask for access on the hub's page, and log in: hf auth login",
    "(?i)couldn't connect|offline|connection error|max retries": "download it, and name the folder",
    "(?i)not a local folder and is not a valid model|repository not found": (
        "name a folder, or a model of the hub as it is spelled there"
    ),
    "(?i)incomplete ?metadata|headertoo|invalid ?header|error while deserializing": (
        "a file of weights is damaged: download it again"
    ),
    "(?i)no file named .*safetensors": (
        "weights must be safetensors: open them where they were made; save_pretrained(...) writes such files"
    ),
}
"""A pattern in transformers' words, and the hint."""
OTHERWISE = "it takes a folder (or hub name) with config.json, *.safetensors and the processor's files"
LONGEST = 400


def short_message(error: BaseException) -> str:
    """The message without blank lines, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def hint_for(error: BaseException) -> str:
    """The hint for what transformers raised."""
    message = str(error)
    for pattern, hint in HINTS.items():
        if re.search(pattern, message):
            return hint
    if isinstance(error, ImportError) or re.search(LACKS, message, re.IGNORECASE):
        for pattern, package in PACKAGES.items():
            if re.search(rf"(?i)\b({pattern})\b", message):
                return f"pip install {package}"
    return OTHERWISE
