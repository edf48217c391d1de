"""docs/models/models.md: the published variants, their parameters and stages, counted by models/zoo/model_stats.py."""

from __future__ import annotations

from collections.abc import Iterator

from docs.printing.markdown import code, joined, table
from vlmbench.base import registry
from vlmbench.cli.verbs.models import HEAD, NOTES, row, stage_text
from vlmbench.models.zoo.model_stats import ModelStats, stats_of
from vlmbench.models.zoo.variants import ABSENT, Variant
from vlmbench.plugins import variants as weights

TITLES = {"tinyllava": "TinyLLaVA", "tinygptv": "TinyGPT-V", "minigpt4": "MiniGPT-4", "minigptv2": "MiniGPT-v2"}
INTRO = """\
`vlmbench models` lists the published variants, and `vlmbench models NAME` prints the figures of this page. They are
counted on networks without weights, so nothing is downloaded. `--model NAME` uses the weights in the cache folder,
under `models/`; if they are missing, it says how to get them. Names follow the papers: recipe, vision tower (C: CLIP,
Sig: SigLIP), language model (TL: TinyLlama, SLM: StableLM-2, Phi: phi-2); `factory-` marks the rows of TinyLLaVA
Factory's table."""
COUNTED = """\
- TinyGPT-V's paper gives 2.8 B for the language model alone. All its parts have 3.88 B, and 3.92 B with the adapters,
  which are included in the total here.
- Factory drops the first token of every tower. SigLIP has no class token, so it loses a patch: 728 visual tokens, while
  the code of TinyLLaVA's paper kept all 729.
- share-pretrain differs: the paper trains SigLIP's layers from 12 on, Factory's scripts freeze the tower."""


def models(printed: str) -> str:
    """The page. `printed`: the line that says how it is generated."""
    lines = ["# Models", "", printed, "", INTRO, "", *(f"- {note}" for note in NOTES), COUNTED]
    for system in registry.MODELS:
        if found := list(weights.variants(system).values()):
            lines += ["", f"## {TITLES[system]}", "", *_system(found)]
    lines += ["", "## Published, but not supported", "", *table(("variant", "why"), _absent())]
    return "\n".join(lines) + "\n"


def _system(found: list[Variant]) -> Iterator[str]:
    sheets = [stats_of(variant.name) for variant in found]
    yield from table(HEAD, ([code(sheet.name), *row(sheet)[1:]] for sheet in sheets))
    yield ""
    yield from table(("variants", "stage", "trains", "source"), _stages(found, sheets))
    yield ""
    yield from table(("variant", "parts", "source", "official weights", "needs in addition"), map(_where, found))


def _stages(found: list[Variant], sheets: list[ModelStats]) -> Iterator[tuple[str, str, str, str]]:
    """Variants whose stages are the same share a row."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for variant, sheet in zip(found, sheets, strict=True):
        for stage in variant.stages:
            key = stage.name, stage_text(sheet.stages[stage.name]), stage.source
            rows.setdefault(key, []).append(variant.short)
    for (name, learns, source), names in rows.items():
        yield joined(names), name, learns, source


def _where(variant: Variant) -> tuple[str, str, str, str, str]:
    where = variant.weights
    if where is None:
        return code(variant.name), variant.made_of, variant.source, "none known", ""
    file = f"{where.file} of " if where.file else ""
    return code(variant.name), variant.made_of, variant.source, f"{file}{where.where}", ", ".join(where.needs)


def _absent() -> Iterator[tuple[str, str]]:
    return ((code(name), why) for name, why in ABSENT.items())
