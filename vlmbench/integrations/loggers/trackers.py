"""One class per experiment tracker. Each joins the run that the program has open there, or opens and closes its own.

Libraries are imported when a tracker is opened. Where a server is and its key are read by the libraries themselves,
from their environment variables and settings files.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

from .sent_run import COLUMNS, PREFIX, SentRun
from .targets import PROJECT, Target

SECONDS = 30
"""After which a service that does not answer is given up."""


class Tracker(Protocol):
    """An open run of a service."""

    def numbers(self, values: Mapping[str, float], step: int | None) -> None:
        """Numbers by name, at a step of a training."""

    def run(self, sent: SentRun, step: int | None) -> None:
        """A finished evaluation: its numbers, and whatever else the service can show."""

    def close(self) -> None:
        """End the run, where it was opened here."""


class Wandb:
    """Weights & Biases: metrics, a table of scores, run.json and scores.json as an artifact."""

    def __init__(self, target: Target, title: str, config: Mapping[str, Any], folder: Path) -> None:
        import wandb

        self._library, self._own = wandb, wandb.run is None
        self._run: Any = wandb.run
        if self._own:
            # the command line, the console's text and the code may hold what is nobody's business: they stay here
            quiet: dict[str, Any] = {"console": "off", "disable_git": True, "disable_code": True}
            unknown = {"x_disable_meta": True, "x_disable_stats": True, "finish_timeout": SECONDS}
            fields = wandb.Settings.model_fields
            quiet |= {name: value for name, value in unknown.items() if name in fields}
            settings = wandb.Settings(init_timeout=SECONDS, login_timeout=SECONDS, **quiet)
            self._run = wandb.init(
                project=target.options.get("project", PROJECT),
                entity=target.options.get("entity"),
                name=target.options.get("name", title),
                config=dict(config),
                settings=settings,
            )

    def numbers(self, values: Mapping[str, float], step: int | None) -> None:
        """A line of its history. In a run that somebody else opened, which may count otherwise, the step is a value."""
        if self._own or step is None:
            self._run.log(dict(values), step=step)
        else:
            self._run.log({**values, f"{PREFIX}step": step})

    def run(self, sent: SentRun, step: int | None) -> None:
        """Numbers, table, artifact."""
        self.numbers(sent.numbers, step)
        table = self._library.Table(columns=list(COLUMNS), data=sent.rows)
        self._run.log({f"{PREFIX}scores": table}, step=step if self._own else None)
        name = re.sub(r"[^\w.-]", "-", f"vlmbench-{sent.folder.name}")[:128]
        artifact = self._library.Artifact(name, type="evaluation")
        for path in sent.files:
            artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def close(self) -> None:
        """Wait until everything is sent."""
        if self._own:
            self._run.finish()


class Mlflow:
    """MLflow: metrics, parameters, the files as artifacts. The program's active run and experiment stay active."""

    RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"

    def __init__(self, target: Target, title: str, config: Mapping[str, Any], folder: Path) -> None:
        import mlflow
        from mlflow.entities import Metric, Param

        self._metric, active = Metric, mlflow.active_run()
        with self._impatient():
            self._client = mlflow.MlflowClient()
            self._own = active is None
            if active is not None:
                self._id = active.info.run_id
                return
            project = target.options.get("project", os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
            known = self._client.get_experiment_by_name(project)
            place = self._client.create_experiment(project) if known is None else known.experiment_id
            self._id = self._client.create_run(place, run_name=target.options.get("name", title)).info.run_id
            parameters = [Param(_mlflow_name(name), _text(value)[:500]) for name, value in config.items()]
            self._client.log_batch(self._id, params=parameters)

    def numbers(self, values: Mapping[str, float], step: int | None) -> None:
        """Metrics at a step."""
        now = int(time.time() * 1000)
        metrics = [self._metric(_mlflow_name(name), value, now, step or 0) for name, value in values.items()]
        with self._impatient():
            for start in range(0, len(metrics), 1000):  # the most of one request
                self._client.log_batch(self._id, metrics=metrics[start : start + 1000])

    def run(self, sent: SentRun, step: int | None) -> None:
        """Metrics and files."""
        self.numbers(sent.numbers, step)
        with self._impatient():
            for path in sent.files:
                self._client.log_artifact(self._id, str(path), "vlmbench" if step is None else sent.folder.name)

    def close(self) -> None:
        """Mark our own run as finished."""
        if self._own:
            with self._impatient():
                self._client.set_terminated(self._id)

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        """MLflow tries seven times, for minutes, unless the environment says otherwise."""
        if self.RETRIES in os.environ:
            yield
            return
        os.environ[self.RETRIES] = "2"
        try:
            yield
        finally:
            os.environ.pop(self.RETRIES, None)


class Trackio:
    """Trackio: metrics and a table of scores."""

    def __init__(self, target: Target, title: str, config: Mapping[str, Any], folder: Path) -> None:
        import trackio

        self._library = trackio
        project, name = target.options.get("project", PROJECT), target.options.get("name", title)
        quiet = {"embed": False, "auto_log_cpu": False, "auto_log_gpu": False}  # the later two in recent versions
        known = signature(trackio.init).parameters
        more = {option: value for option, value in quiet.items() if option in known}
        self._run: Any = trackio.init(project=project, name=name, config=dict(config), **more)

    def numbers(self, values: Mapping[str, float], step: int | None) -> None:
        """Metrics at a step."""
        self._run.log(dict(values), step=step)

    def run(self, sent: SentRun, step: int | None) -> None:
        """Metrics, and the table."""
        import pandas as pd

        table = self._library.Table(dataframe=pd.DataFrame(sent.rows, columns=list(COLUMNS)))
        self._run.log({**sent.numbers, f"{PREFIX}scores": table}, step=step)

    def close(self) -> None:
        """Wait until everything is sent."""
        self._run.finish()


class TensorBoard:
    """TensorBoard: scalars, the table of scores and run.json as texts."""

    def __init__(self, target: Target, title: str, config: Mapping[str, Any], folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        name = target.options.get("name", title)
        place = Path(target.options["dir"]) / name if "dir" in target.options else folder / "tensorboard"
        self._writer: Any = SummaryWriter(str(place))

    def numbers(self, values: Mapping[str, float], step: int | None) -> None:
        """Scalars at a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step or 0)

    def run(self, sent: SentRun, step: int | None) -> None:
        """Scalars and texts."""
        self.numbers(sent.numbers, step)
        lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in (COLUMNS, ["---"] * len(COLUMNS), *sent.rows)]
        self._writer.add_text(f"{PREFIX}scores", "\n".join(lines), step or 0)
        manifest = json.dumps(sent.manifest, indent=1, ensure_ascii=False)
        self._writer.add_text(
            f"{PREFIX}run.json", "\n".join(f"    {line}" for line in manifest.splitlines()), step or 0
        )

    def close(self) -> None:
        """Write everything to the disk."""
        self._writer.close()


TRACKERS: Mapping[str, Callable[[Target, str, Mapping[str, Any], Path], Tracker]] = {
    "wandb": Wandb,
    "mlflow": Mlflow,
    "trackio": Trackio,
    "tensorboard": TensorBoard,
}
"""By the name of the service: what opens it, given its options, a title, what decided the run, and a folder."""


def _mlflow_name(name: str) -> str:
    """MLflow takes letters, digits, and few signs."""
    return re.sub(r"[^\w\-./ ]", "_", name)[:250]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> str:
    shown = f"{value:.2f}" if isinstance(value, float) else "" if value is None else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")
