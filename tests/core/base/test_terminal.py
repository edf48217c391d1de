"""Text of others cannot steer a terminal, whichever verb prints it; with --json stdout holds JSON and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image

from tests.core.imports import made_files
from tests.core.runs.test_damage import SPECIAL
from vlmbench.base.process import exit_codes, terminal
from vlmbench.cli import main as cli
from vlmbench.runs.storage import manifest

ROOT = Path(__file__).resolve().parents[3]
EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x1b]0;title\x07\x9b31m\u202eevil\u2066\r\x08\x00\x7f\ud800\u2028end"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
PLUGIN = """
import os, subprocess, logging
from pathlib import Path
from vlmbench.base import registry
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Response, Sample, Score, Status
from tests.support.toys import ToyTask

EVIL = {evil!r}
TEXT = EVIL.encode("utf-8", "replace").decode()

class Noisy:
    name, fingerprint, settings, supports_logprobs = TEXT, "n", {{}}, False
    facts = {{"device": TEXT}}
    def answer(self, groups):
        print("printed" + EVIL)
        os.write(1, b"written\\n")
        subprocess.run(["echo", "by a child"])
        logging.getLogger("x").warning("logged " + EVIL)
        for group in groups:
            for request in group:
                failed = request.sample_id.endswith("-0" + TEXT)
                yield request, Response(finish="error", error=TEXT) if failed else Response(text=TEXT)

class Evil(ToyTask):
    bundled_data_dir = Path(__file__).parent
    def samples(self, data, split):
        from dataclasses import replace
        return [replace(s, id=s.id + TEXT, tags={{"j": TEXT}}) for s in super().samples(data, split)]
    def score(self, sample, response, protocol):
        return Score(None, Status.UNPARSED, note=TEXT, parsed_answer=TEXT)

class Broken(Noisy):
    def answer(self, groups):
        raise ModelError(EVIL, where=EVIL, hint=EVIL)

print("imported" + EVIL)
registry.models.add("noisy", lambda checkpoint=None: Noisy())
registry.models.add("broken", lambda checkpoint=None: Broken())
registry.tasks.add("evil", Evil(name="evil", title=TEXT))
"""


@pytest.fixture
def plugin(tmp_path: Path, forgotten: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a task and models that mean harm, and chatter."""
    path = tmp_path / "evil_plugin.py"
    path.write_text(PLUGIN.format(evil=EVIL))
    monkeypatch.setenv("VLMBENCH_PLUGINS", str(path))
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    yield path


def words(folder: Path) -> Mapping[str, list[str]]:
    """A command of every verb that meets text of others; `run` comes first, since others read its folder."""
    run, name = str(folder / "run"), EVIL.replace("\x00", "").encode("utf-8", "replace").decode()
    made_files.lmms_eval(folder / "peer", model=name)
    study = ["--repeats", "1", "--output", str(folder / "study")]
    return {
        "import": ["import", str(folder / "peer"), "--output", str(folder / "imported")],
        "run": ["run", "--model", "noisy", "--tasks", "evil,pope", "--limit", "6", "--output", run],
        "score": ["score", run],
        "check": ["check", run, "--baseline", run, "--tasks", "pope"],
        "compare": ["compare", run, run, "--tasks", "pope"],
        "tasks": ["tasks", "evil"],
        "suites": ["suites", "mobilevlm6"],
        "models": ["models", "noisy"],
        "data": ["data", "status", "evil"],
        "power": ["power", "pope"],
        "ask": ["ask", "--model", "noisy", str(folder / "a.png"), "what?"],
        "latency": ["latency", "noisy", "--words", "3", "--pixels", "8", "--answers", "2", "--repeats", "1"],
        "compress-study": [
            "compress-study",
            "noisy",
            "--tasks",
            "pope",
            "--formats",
            "default",
            "--limit",
            "2",
            *study,
        ],
        "baseline": ["baseline", run, "--output", str(folder / "b.json")],
        "doctor": ["doctor"],
        "history": ["history", run, run],
        "watch": ["watch", run, "--once"],
        "report": ["report", run, "--output", str(folder / "site")],
        "export": ["export", run, "--task", "pope", "--output", str(folder / "p.jsonl")],
        "a model that raises": ["run", "--model", "broken", "--tasks", "pope", "--output", str(folder / "other")],
        "an unknown model": ["run", "--model", name, "--tasks", "pope"],
        "an unknown task": ["run", "--model", "echo", "--tasks", name],
        "an unknown verb": [name],
        "a folder that is none": ["score", "pope", "--predictions", name],
        "a wrong option": ["run", "--what", name, "--model", "echo", "--tasks", "pope"],
    }


def carry_out(command: list[str]) -> int:
    return cli.main(command)


def test_nothing_that_is_printed_steers_the_terminal(
    plugin: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, command in words(tmp_path).items():
        carry_out(command)
        out, err = capfd.readouterr()
        assert not STEERING.search(out + err), f"{name}: {STEERING.search(out + err)}"
        assert "Traceback" not in err, f"{name}: {err}"
        assert out + err


@pytest.mark.parametrize("stop", ["sys.exit(0)", "sys.exit()", "sys.exit(1)", "exit('done')", "raise SystemExit([])"])
def test_a_model_that_ends_the_process_is_no_success(
    stop: str, tmp_path: Path, forgotten: None, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "ends.py"
    plugin.write_text(f"import sys, vlmbench\n@vlmbench.model('ends')\ndef ends(images, question):\n    {stop}\n")
    command = ["run", "--plugins", str(plugin), "--model", "ends", "--tasks", "pope", "--limit", "2", "--json"]
    assert cli.main([*command, "--output", str(tmp_path / "run")]) == exit_codes.USER_MUST_CHANGE
    out, err = capfd.readouterr()
    assert out == "" and "ended the command: SystemExit(" in err and not (tmp_path / "run/scores.json").exists()


JSON_VERBS = (
    "compress-study",
    "run",
    "score",
    "check",
    "compare",
    "tasks",
    "suites",
    "models",
    "data",
    "power",
    "ask",
    "doctor",
    "watch",
    "import",
    "latency",
)


def test_json_stays_json_whatever_is_printed(plugin: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for verb in JSON_VERBS:
        carry_out([*words(tmp_path)[verb], "--json"])
        out, err = capfd.readouterr()
        assert out, f"{verb}: {err}"
        json.loads(out)
        assert not STEERING.search(out), verb
        if verb in ("run", "ask"):
            assert "printed" in err and "written" in err and "by a child" in err


@pytest.mark.slow
def test_json_alone_on_the_stdout_of_a_process(plugin: Path, tmp_path: Path) -> None:
    """At exit, too, when libraries say goodbye."""
    plugin.write_text(
        plugin.read_text() + "\nimport atexit; atexit.register(lambda: (print('bye'), os.write(1, b'b')))"
    )
    command = [sys.executable, "-m", "vlmbench.cli.main", *words(tmp_path)["run"], "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert set(json.loads(done.stdout)) == {"evil", "pope"}
    assert b"bye" in done.stderr


def test_every_verb_that_offers_json_is_tested() -> None:
    offering = [verb for verb in cli.VERBS if "--json" in cli.parser(verb).format_help()]
    assert sorted(offering) == sorted(JSON_VERBS)


def test_what_is_shown_of_json_is_the_same_json() -> None:
    content = {"text": EVIL.encode("utf-8", "replace").decode(), "arabic": "مرحبا", "lines": "a\nb\tc"}
    for dumped in (json.dumps(content), json.dumps(content, ensure_ascii=False)):
        assert json.loads(terminal.visible(dumped)) == content
    assert terminal.visible("日本 ünï\n\t ok") == "日本 ünï\n\t ok"


def test_git_takes_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run asks for the commit; a kill in that moment must not leave .git/index.lock to others."""
    seen = tmp_path / "seen"
    git = tmp_path / "git"
    git.write_text(f'#!/bin/sh\necho "$GIT_OPTIONAL_LOCKS $*" >> {seen}\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "vlmbench/runs/storage/manifest.py"))
    (tmp_path / ".git").mkdir()
    manifest.code_version()
    lines = seen.read_text().splitlines()
    assert len(lines) == 2 and all(line.startswith("0 --no-optional-locks ") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_as_ctrl_c_does(tmp_path: Path, number: int, code: int) -> None:
    plugin = tmp_path / "slow.py"
    plugin.write_text(
        "import time\nfrom vlmbench.base import registry\nfrom tests.support.toys import ToyModel\n"
        "registry.models.add('slow', lambda checkpoint=None: ToyModel(lambda request: time.sleep(0.05) or 'yes'))\n"
    )
    run = tmp_path / "run"
    command = [sys.executable, "-m", "vlmbench.cli.main", "run", "--plugins", str(plugin), "--model", "slow"]
    before = signal.signal(number, signal.SIG_DFL)  # a child inherits what nohup or a background shell lets it ignore
    process = subprocess.Popen(
        [*command, "--tasks", "pope", "--output", str(run)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    signal.signal(number, before)
    _until(lambda: process.poll() is not None or ((run / "log.jsonl").is_file() and (run / "log.jsonl").stat().st_size))
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command resumes from there" in told and "Traceback" not in told


def _until(true: Callable[[], object]) -> None:
    while not true():
        time.sleep(0.01)


SETTINGS: Mapping[str, str] = {
    "a path of 1 MB": f'data = "{"a" * (1 << 20)}"',
    "a path of 10,000 letters": f'runs = "{"a" * 10_000}"',
    "a NUL": 'data = "a\\u0000b"',
    "5,000 brackets": "data = " + "[" * 5_000 + "]" * 5_000,
    "a number of 5,000 digits": "data = " + "9" * 5_000,
    "no text": "data = 1979-05-27",
    "no TOML": "data = = 1",
    "an infinite number": "data = inf",
}


@pytest.mark.parametrize("content", SETTINGS.values(), ids=SETTINGS)
def test_settings_that_make_no_sense_are_told_in_a_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vlmbench.toml").write_text(content)
    assert cli.main(["run", "--model", "echo", "--tasks", "pope", "--limit", "3"]) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert told.startswith("vlmbench: ") and len(told) < 600 and "vlmbench.toml" in told


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_as_settings(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    SPECIAL[kind](Path("vlmbench.toml"))
    assert cli.main(["run", "--model", "echo", "--tasks", "pope", "--limit", "3"]) == exit_codes.USER_MUST_CHANGE


def test_a_long_name_becomes_a_folder_that_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = ",".join(f"pope@{name}" for name in ("official", "llava", "tinyllava", "vlmevalkit", "lmms_eval"))
    tasks += ",iconqa,mmbench,scienceqa,vsr,refcoco,gqa,vizwiz,textvqa,okvqa,vqav2,mme,hateful_memes"
    for model in ("echo,text=yes", "echo,text=no"):
        cli.main(["run", "--model", model, "--tasks", tasks, "--limit", "1", "--min-coverage", "0", "--json"])
    made = [path.name for path in (tmp_path / "runs").iterdir()]
    assert len(made) == 2 and all(len(name.encode()) <= 255 for name in made)


def test_an_output_that_is_too_long_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / ("x" * 300))
    assert cli.main(["run", "--model", "echo", "--tasks", "pope", "--limit", "3", "--output", output]) == 2
    assert "File name too long" in capsys.readouterr().err


def test_columns_of_text_in_any_script() -> None:
    """A wide character takes two cells, a combining mark none."""
    rows = [("label", "n"), ("red", "5"), ("红色", "1,200"), ("re\u0301d", "7")]
    assert terminal.aligned(rows, {1}) == [
        "label      n",
        "-----  -----",
        "red        5",
        "红色   1,200",
        "re\u0301d        7",
    ]
    assert terminal.aligned(rows[:2], rule=False) == ["label  n", "red    5"]
