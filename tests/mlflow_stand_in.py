"""What loggers call of mlflow, in memory, as its documentation has it: for suites in which it is not installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

#: What the tests of the logger run with.
MLFLOWS = ("stand-in", "mlflow")
#: What mlflow takes in one batch.
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100


@dataclass(frozen=True)
class Param:
    """A parameter of a run; its value is text."""

    key: str
    value: str


@dataclass(frozen=True)
class Metric:
    """A number of a run at a step; the timestamp counts milliseconds."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass
class _Run:
    info: SimpleNamespace
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Metric]] = field(default_factory=dict)

    @property
    def data(self) -> SimpleNamespace:
        last = {name: found[-1].value for name, found in self.history.items()}
        return SimpleNamespace(params=self.params, tags=self.tags, metrics=last)


class Store:
    """What lies at a tracking URI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiments: dict[str, SimpleNamespace] = {}
        self.runs: dict[str, _Run] = {}
        self.clock = count(1)


class MlflowClient:
    """mlflow.tracking.MlflowClient, as far as it is called; a run that was not begun is a KeyError."""

    store: Store

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.tracking_uri = tracking_uri

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        return self.store.experiments.get(name)

    def create_experiment(self, name: str) -> str:
        assert name not in self.store.experiments, "an experiment of that name exists"
        experiment_id = str(len(self.store.experiments) + 1)
        self.store.experiments[name] = SimpleNamespace(name=name, experiment_id=experiment_id)
        return experiment_id

    def create_run(self, experiment_id: str, *, run_name: str | None = None, tags: Any = None) -> _Run:
        started = next(self.store.clock)
        info = SimpleNamespace(
            run_id=f"run{started}",
            run_name=run_name or f"bold-crow-{started}",
            experiment_id=experiment_id,
            status="RUNNING",
            start_time=started,
        )
        self.store.runs[info.run_id] = run = _Run(info, dict(tags or {}))
        return run

    def get_run(self, run_id: str) -> _Run:
        return self.store.runs[run_id]

    def search_runs(self, experiment_ids: list[str], *, order_by: list[str] | None = None) -> list[_Run]:
        assert order_by in (None, ["attributes.start_time DESC"])
        found = [run for run in self.store.runs.values() if run.info.experiment_id in experiment_ids]
        return sorted(found, key=lambda run: -run.info.start_time)

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= _MOST_METRICS
        assert len(params) <= _MOST_PARAMETERS
        run = self.store.runs[run_id]
        for metric in metrics:
            run.history.setdefault(metric.key, []).append(metric)
        for param in params:
            assert run.params.setdefault(param.key, param.value) == param.value, "a parameter is changed"

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        return self.store.runs[run_id].history.get(key, [])

    def log_image(self, run_id: str, image: np.ndarray, artifact_file: str) -> None:
        from PIL import Image

        path = self.store.folder / run_id / artifact_file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

    def download_artifacts(self, run_id: str, path: str) -> str:
        return str(self.store.folder / run_id / path)

    def set_terminated(self, run_id: str, status: str | None = None) -> None:
        self.store.runs[run_id].info.status = status or "FINISHED"


def store_in(folder: Path, which: str, monkeypatch: Any) -> str:
    """The tracking URI of an empty store, in the folder: of mlflow itself, where it is installed, or of the
    stand-in, which ``import mlflow`` then gives."""
    monkeypatch.chdir(folder)  # where artifacts go
    if which == "mlflow":
        pytest.importorskip("mlflow", reason="mlflow is not installed; pip install 'stackae[mlflow]'")
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        return f"sqlite:///{folder / 'mlflow.db'}"
    parts = {
        "mlflow": {"active_run": lambda: None},
        "mlflow.tracking": {"MlflowClient": type("MlflowClient", (MlflowClient,), {"store": Store(folder)})},
        "mlflow.entities": {"Metric": Metric, "Param": Param},
    }
    for name, contents in parts.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return "memory"
