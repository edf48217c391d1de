"""Named variants: their words in a key, what they refuse, and that a plain question's key stays what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.registry import bare_name, choose_task
from vlmbench.base.samples import Example, Generation, Request, Response, in_order
from vlmbench.base.variant import PLAIN, Variant, chosen, parse
from vlmbench.data.files import Folder
from vlmbench.runs.storage.store import answer_key

PLAIN_KEY, SAMPLED_KEY = "ac2cc40fe321d34868c28c0585e6d974", "a64a99ba84e9b2bd781edbf0c75884e0"


@pytest.mark.parametrize(
    "variant",
    [
        Variant(temperature=0.7),
        Variant(temperature=0.0),
        Variant(temperature=1.0, top_p=0.9, max_new_tokens=64, thinking=4096, shots="4:val", samples=5),
        Variant(shots="1"),
    ],
)
def test_a_label_leads_back_to_its_variant(variant: Variant) -> None:
    assert parse(variant.label) == variant
    choice = choose_task("pope:aokvqa@llava", variant)
    assert choice.key == f"pope:aokvqa@llava+{variant.label}"
    assert choose_task(choice.key).key == choice.key
    assert bare_name(choice.key) == "pope"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Variant(temperature=0.0), Variant(temperature=-0.0)),
        (Variant(shots="2"), Variant(shots="02")),
        (Variant(shots="4:val"), Variant(shots="\u0664:val")),  # an Arabic four
    ],
)
def test_one_setting_has_one_spelling(one: Variant, other: Variant) -> None:
    assert one == other and one.label == other.label


def test_two_settings_have_two_labels() -> None:
    assert Variant(temperature=0.1234567).label != Variant(temperature=0.12345678).label
    assert Variant(temperature=1, top_p=0.95).label == "temperature=1+top_p=0.95"


@pytest.mark.parametrize("name", ["system", "shots"])
def test_an_empty_text_is_not_taken_for_no_setting(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} takes a text, not an empty one"):
        chosen(**{name: ""})
    assert chosen(**{name: None}) == PLAIN


def test_a_variant_names_its_protocol_and_no_variant_changes_no_key() -> None:
    assert choose_task("pope", Variant(temperature=0.7)).key == "pope@official+temperature=0.7"
    assert choose_task("pope@official").key == "pope"
    assert PLAIN.label == ""


def test_the_key_holds_a_system_prompts_hash_and_the_run_its_text() -> None:
    variant = Variant(system="Be brief.")
    assert "Be brief" not in variant.label
    assert parse(variant.label).label == variant.label
    assert variant.to_dict() == {"system": "Be brief."}
    assert Variant(system="Be long.").label != variant.label


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": -0.1}, "--temperature takes a number from 0 to 2"),
        ({"temperature": float("nan")}, "--temperature"),
        ({"top_p": 0.0}, "--top-p takes a number above 0"),
        ({"max_new_tokens": 0}, "--max-new-tokens takes a whole number from 1 to"),
        ({"max_new_tokens": 10**20}, "--max-new-tokens takes a whole number from 1 to"),
        ({"samples": 10**9}, "--samples takes a whole number from 1 to 10,000"),
        ({"temperature": 1e-300}, "--temperature takes a number from 0 to 2"),
        ({"shots": "1" * 5000}, "--shots takes a number"),
        ({"system": 5}, "--system takes a text"),
        ({"samples": 0}, "--samples"),
        ({"thinking": 1.5}, "--thinking-budget takes a whole number"),
        ({"shots": "many"}, "--shots takes a number"),
        ({"shots": "0"}, "--shots takes a number"),
        ({"shots": "2:"}, "--shots takes a number"),
    ],
)
def test_values_out_of_range_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Variant(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variant", "own", "message"),
    [
        (Variant(samples=2), Generation(), "gives the same answer 2 times"),
        (Variant(top_p=0.5), Generation(), "changes nothing"),
        (Variant(temperature=0.5), Generation(num_beams=5), "beams"),
        (Variant(max_new_tokens=4), Generation(min_new_tokens=8), "wants at least 8"),
    ],
)
def test_settings_that_contradict_each_other(variant: Variant, own: Generation, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        variant.generation(own, "pope")


def test_a_protocol_that_samples_by_itself_can_be_sampled_often() -> None:
    own = Generation(temperature=0.2)
    assert Variant(samples=3).generation(own, "x") == own


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pope+warmth=1", "no variant 'warmth=1'"),
        ("pope+temperature", "no variant"),
        ("pope+temperature=hot", "temperature takes a number"),
        ("pope+temperature=1+temperature=0", "set twice"),
        ("pope+system=Be brief", "--system TEXT"),
    ],
)
def test_unknown_words_of_a_key(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_task(spec)


@pytest.mark.parametrize("name", registry.tasks.names())
def test_every_split_and_protocol_can_have_a_variant(name: str) -> None:
    """Some splits have a plus of their own."""
    task = registry.tasks.get(name)
    for split in task.splits:
        for protocol in task.protocols:
            choice = choose_task(f"{name}:{split}@{protocol}+max_new_tokens=3")
            assert (choice.split, choice.protocol, choice.variant.max_new_tokens) == (split, protocol, 3)
            again = choose_task(choose_task(f"{name}:{split}@{protocol}").key)
            assert (again.split, again.protocol, again.variant) == (split, protocol, PLAIN)
            assert bare_name(choice.key) == bare_name(again.key) == name


@pytest.mark.parametrize("spec", ["pope+", "pope++temperature=1", "pope@llava+temperature=1+", "+"])
def test_a_plus_without_a_setting(spec: str) -> None:
    with pytest.raises(UsageError):
        choose_task(spec)


def test_the_same_setting_in_two_places() -> None:
    with pytest.raises(UsageError, match="set twice: in the task and by --temperature"):
        choose_task("pope+temperature=0.5", Variant(temperature=0.7))
    assert choose_task("pope+temperature=0.5", Variant(temperature=0.5)).key == "pope@official+temperature=0.5"


@pytest.mark.parametrize(
    "variant", [Variant(temperature=0.7), Variant(temperature=0), Variant(top_p=1), Variant(thinking=9)]
)
def test_ranked_protocols_have_nothing_to_sample(variant: Variant) -> None:
    choice = choose_task("vsr@official", variant)
    sample = choice.task.samples(Folder.sample("vsr"), choice.split)[0]
    with pytest.raises(UsageError, match="ranks options"):
        choice.build_request(sample)


# ---------------------------------------------------------------------------------------------- requests and their keys


def _key(request: Request, *example_images: str) -> str:
    return answer_key(
        model="m", settings={}, task="t", version=1, request=request, images=("i",), example_images=example_images
    )


def test_the_keys_of_plain_questions_are_those_of_earlier_versions() -> None:
    """Computed on 39a9e9e."""
    assert _key(Request("s", "Is it?", generation=Generation(16))) == PLAIN_KEY
    sampled = Generation(16, temperature=0.5)
    assert _key(Request("s", "Is it?", generation=sampled)) == SAMPLED_KEY
    assert _key(Request("s", "Is it?", generation=sampled, draw=1)) != SAMPLED_KEY


def test_everything_that_decides_an_answer_is_in_its_key() -> None:
    plain = Request("s", "Is it?", generation=Generation(16))
    others = [
        replace(plain, image_places=(0,)),
        replace(plain, system="Be brief."),
        replace(plain, examples=(Example("e", "Was it?", "yes"),)),
        replace(plain, examples=(Example("e", "Was it?", "no"),)),
        replace(plain, generation=Generation(16, min_new_tokens=2)),
        replace(plain, generation=Generation(16, length_penalty=0.5)),
        replace(plain, generation=Generation(16, max_reasoning_tokens=100)),
    ]
    keys = [_key(request) for request in (plain, *others)] + [_key(others[2], "image of the example")]
    assert len(set(keys)) == len(keys)


def test_in_order() -> None:
    assert in_order("ab", ["x", "y"], ()) == ["x", "y", "ab"]
    assert in_order("ab", ["x", "y"], (0, 1)) == ["x", "a", "y", "b"]
    assert in_order("ab", ["x", "y"], (1, 1)) == ["a", "x", "y", "b"]
    assert in_order("ab", ["x", "y"], (2, 2)) == ["ab", "x", "y"]
    assert in_order("", ["x"], ()) == ["x"]
    assert in_order("", [], ()) == [""]


def test_a_response_without_reasoning_is_written_as_before() -> None:
    assert "reasoning" not in Response("yes").to_dict()
    assert Response("yes", reasoning="It is.").to_dict()["reasoning"] == "It is."
