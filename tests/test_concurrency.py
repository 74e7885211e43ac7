"""Several fits at once: no deadlock, and the same as one after the other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from stackae import StackedAutoencoder, Training

ROWS = load_digits().data[:300] / 16
BRIEF = Training(max_epochs=2)


def codes(seed: int) -> np.ndarray:
    model = StackedAutoencoder((16, 4), pretrain=BRIEF, finetune=BRIEF, random_state=seed)
    return model.fit(ROWS).transform(ROWS)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fits_side_by_side_are_those_one_after_the_other(backend):
    alone = [codes(seed) for seed in range(4)]
    together = joblib.Parallel(2, backend=backend)(joblib.delayed(codes)(seed) for seed in range(4))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def threads_after_a_fit(seed: int) -> int:
    codes(seed)
    return torch.get_num_threads()


@pytest.mark.timeout(120)
def test_fits_in_several_processes_share_the_processor():
    n_threads = joblib.Parallel(2, backend="loky")(
        joblib.delayed(threads_after_a_fit)(seed) for seed in range(2)
    )
    assert max(n_threads) <= max(1, joblib.cpu_count() // 2)


@pytest.mark.timeout(120)
def test_two_fits_in_two_threads_leave_the_settings_of_the_process_as_they_were():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with ThreadPoolExecutor(2) as executor:
        together = list(executor.map(codes, (0, 1)))
    np.testing.assert_array_equal(together, [codes(0), codes(1)])
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


FORKED = """
import multiprocessing, numpy, torch
from stackae import Autoencoder, Training

torch.set_num_threads(2)
rows = numpy.random.default_rng(0).normal(size=(3000, 300)).astype("float32")

def codes(_):
    return Autoencoder(1000, training=Training(1), random_state=0).fit(rows).transform(rows)

codes(0)  # torch has started its threads
with multiprocessing.get_context("fork").Pool(2) as pool:
    one, other = pool.map_async(codes, [0, 1]).get(timeout=60)
torch.set_num_threads(1)
assert numpy.array_equal(one, codes(0)) and numpy.array_equal(one, other)
"""


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform != "linux", reason="fork is what starts processes on Linux")
def test_a_process_that_is_forked_after_torch_ran_does_not_wait_for_ever():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(120)
def test_a_cross_validation_on_two_processes_is_that_on_one():
    y = load_digits().target[:300]
    model = make_pipeline(
        StackedAutoencoder((16, 4), pretrain=BRIEF, finetune=BRIEF, random_state=0), LogisticRegression()
    )
    scores = [cross_val_score(model, ROWS, y, cv=3, n_jobs=n_jobs) for n_jobs in (1, 2)]
    np.testing.assert_array_equal(*scores)
