"""Searches whose fits run elsewhere: on processes, on Ray, on Dask, and beside each other on one storage."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import joblib
import numpy as np
import pytest
import torch
from helpers import SHORT, small_stack
from sklearn.model_selection import GridSearchCV

from stackae import StackedAutoencoderClassifier


def on_backend(engine, stack):
    """Let joblib's work go to an engine; how many workers it has."""
    if engine == "dask":
        import distributed

        stack.enter_context(distributed.Client(distributed.LocalCluster()))
    elif engine == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    stack.enter_context(joblib.parallel_config("loky" if engine == "local" else engine, n_jobs=2))
    return 2


def test_a_search_finds_the_same_on_every_back_end_with_no_more_threads_than_cores(engine, digits):
    if engine == "spark":
        pytest.skip("joblib has no back end of its own for Spark")
    y = np.arange(len(digits)) % 2

    def threads(model, X, y):
        return torch.get_num_threads()

    def accuracy(model, X, y):
        return model.score(X, y)

    scoring = {"accuracy": accuracy, "threads": threads}
    model = StackedAutoencoderClassifier(small_stack((6,), shortcut=None), finetune=SHORT, random_state=0)
    search = GridSearchCV(model, {"encoder": [(4,), (6, 3)]}, cv=2, scoring=scoring, refit=False)
    before, here = torch.get_num_threads(), search.fit(digits, y).cv_results_["mean_test_accuracy"]
    with ExitStack() as stack:
        n_workers = on_backend(engine, stack)
        found = search.fit(digits, y).cv_results_
    np.testing.assert_allclose(found["mean_test_accuracy"], here, atol=0.02)
    assert found["mean_test_threads"].max() * n_workers <= max(joblib.cpu_count(), n_workers)
    assert torch.get_num_threads() == before


TRIALS = """
import sys, optuna, numpy as np
from stackae import StackedAutoencoder, Training
optuna.logging.set_verbosity(optuna.logging.ERROR)
X = np.random.default_rng(0).normal(size=(80, 6))
def objective(trial):
    width = trial.suggest_int("width", 1, 4)
    model = StackedAutoencoder((8, width), finetune=Training(max_epochs=1), random_state=0).fit(X)
    return model.score(X)
study = optuna.load_study(study_name="widths", storage=sys.argv[1])
study.optimize(objective, n_trials=3)
"""


def test_two_processes_share_a_study_of_optuna(tmp_path):
    import optuna

    storage = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(study_name="widths", storage=storage, direction="maximize")
    command = [sys.executable, "-c", TRIALS, storage]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(own.wait(120), own.stderr.read()) for own in both] == [(0, "")] * 2
    trials = optuna.load_study(study_name="widths", storage=storage).trials
    assert [trial.number for trial in trials] == list(range(6))
    assert all(trial.state.name == "COMPLETE" for trial in trials)
    values = {(trial.params["width"], trial.value) for trial in trials}
    assert len(values) == len({width for width, _ in values})  # the same wherever it is fitted
