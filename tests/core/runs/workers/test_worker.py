"""What a worker does with its groups, without Ray: every group is told of once, and its answers lie in the part."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import ToyModel, gone, keep, png
from vlmbench.base.model import Model
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.data.images import decoding as images
from vlmbench.runs.storage import answer_log, parts
from vlmbench.runs.workers import worker as workers
from vlmbench.runs.workers.images import Group
from vlmbench.runs.workers.worker import Finished, Progress, Worker

GROUP = [Request(f"{i}", f"question {i}") for i in range(6)]


def group(number: int, requests: Sequence[Request], hashes: tuple[str, ...] | None = ()) -> Group:
    return Group(number, tuple(f"k{request.sample_id}" for request in requests), tuple(requests), hashes)


PORTION = [group(0, GROUP[:2]), group(1, GROUP[2:4]), group(2, GROUP[4:])]
MESSAGES = parts.Part(None, "part-0000-x.jsonl", "", 0.0)
"""No folder, and a message after every group."""


def told(model: Model, portion: workers.Portion, part: parts.Part = MESSAGES) -> list[Progress]:
    """What a worker says of its groups."""
    return [progress for progress in Worker(lambda: model).answer(portion, part) if isinstance(progress, Progress)]


def finished(progress: Sequence[Progress]) -> list[Finished]:
    return [one for some in progress for one in some.finished]


def answers(progress: Sequence[Progress]) -> dict[str, Response]:
    return answer_log.read_lines(b"".join(one.lines for one in progress)).answers


def test_the_worker_tells_of_every_group() -> None:
    """Whatever a model does with its groups, each comes back once."""
    found = told(ToyModel(raise_at=frozenset({"3"})), PORTION)
    assert finished(found) == [
        Finished(0, True),
        Finished(1, True, "RuntimeError: planted"),
        Finished(2, True),
    ]
    errors = {key: response.error for key, response in answers(found).items() if response.finish == "error"}
    assert errors == {"k3": "RuntimeError: planted"}
    assert len(answers(found)) == 6

    class Lazy(ToyModel):
        def answer(self, groups: Any) -> Any:
            yield next(iter(groups))[0], None

    found = told(Lazy(), PORTION)
    assert [one.answered for one in finished(found)] == [False] * 3
    assert {response.error for response in answers(found).values()} == {workers.NO_ANSWER}


def test_answers_are_in_the_part_before_they_are_told_of(tmp_path: Path) -> None:
    folder = parts.PartFolder(tmp_path, 0.0)
    part = folder.new(0)
    seen = []
    for progress in Worker(ToyModel).answer(PORTION, part):
        assert isinstance(progress, Progress)
        assert not progress.lines
        content = (tmp_path / "parts" / part.name).read_bytes()
        assert len(content) >= progress.size > 0
        seen.append(answer_log.read_lines(content[: progress.size]).answers.keys())
    assert [len(keys) for keys in seen] == [2, 4, 6]


@pytest.mark.parametrize("token", ["another", None])
def test_a_folder_that_is_another_one_here_is_not_written_to(tmp_path: Path, token: str | None) -> None:
    part = parts.PartFolder(tmp_path, 0.0).new(0)
    mark = tmp_path / "parts" / ".token"
    mark.unlink() if token is None else mark.write_text(token)
    found = told(ToyModel(), PORTION, part)
    assert len(answers(found)) == 6
    assert f"cannot write to {tmp_path}" in found[0].detour
    assert not list((tmp_path / "parts").glob("part*"))


def test_images_are_read_here_and_must_be_those_that_were_planned() -> None:
    content = png((1, 2, 3))
    right = images.fingerprint(content)

    def asked(number: int, load: Any, hashes: tuple[str, ...] | None) -> Group:
        return group(number, [Request(str(number), "?", (ImageRef("a.png", load),))], hashes)

    class Looks(ToyModel):
        def answer(self, groups: Any) -> Any:
            for some in groups:
                for request in some:
                    yield request, Response(images.fingerprint(request.images[0].load()))

    portion = [
        asked(0, partial(keep, content), (right,)),
        asked(1, partial(gone, "b.png"), (right,)),
        asked(2, partial(keep, png((9, 9, 9))), (right,)),
        asked(3, partial(keep, b"bytes that were sent"), None),
    ]
    found = told(Looks(), portion)
    unread = {one.number: one.unread for one in finished(found)}
    assert (unread[0], unread[3]) == ("", "")
    assert "the picture is not there" in unread[1]
    assert unread[2] == "a.png is another image here"
    assert answers(found).keys() == {"k0", "k3"}
    assert answers(found)["k0"].text == right


def test_a_part_on_a_full_disk_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    part = parts.PartFolder(tmp_path, 0.0).new(0)

    def full(self: object, lines: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parts.PartWriter, "write", full)
    (found,) = Worker(ToyModel).answer(PORTION, part)
    assert "a worker cannot write: No space left" in str(found)


def test_what_is_not_finite_is_stored_as_the_runner_would() -> None:
    class Broken(ToyModel):
        def answer(self, groups: Any) -> Any:
            for some in groups:
                for request in some:
                    yield request, Response("yes", margin=float("nan"))

    assert {one.finish for one in answers(told(Broken(), PORTION)).values()} == {"error"}


def test_a_working_directory_that_is_not_here_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Worker(ToyModel, str(tmp_path / "elsewhere"))
    assert Path.cwd() == tmp_path
    (tmp_path / "here").mkdir()
    Worker(ToyModel, str(tmp_path / "here"))
    assert Path.cwd() == tmp_path / "here"
