"""Several fits at once: no deadlock, and the same as one after the other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from helpers import codes_of_digits
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from stackae import StackedAutoencoder, Training

pytestmark = pytest.mark.slow

BRIEF = Training(max_epochs=2)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fits_side_by_side_are_those_one_after_the_other(backend):
    alone = [codes_of_digits(seed) for seed in range(3)]
    together = joblib.Parallel(2, backend=backend)(joblib.delayed(codes_of_digits)(seed) for seed in range(3))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.timeout(120)
def test_two_fits_in_two_threads_leave_the_settings_of_the_process_as_they_were():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with ThreadPoolExecutor(2) as executor:
        together = list(executor.map(codes_of_digits, (0, 1)))
    np.testing.assert_array_equal(together, [codes_of_digits(0), codes_of_digits(1)])
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


FORKED = """
import multiprocessing, numpy, torch
from stackae import Autoencoder, Training

torch.set_num_threads(2)
X = numpy.random.default_rng(0).normal(size=(1000, 200)).astype("float32")

def codes(_):
    return Autoencoder(500, training=Training(1, 256), random_state=0).fit(X).transform(X)

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
    X, y = load_digits().data[:300] / 16, load_digits().target[:300]
    model = make_pipeline(
        StackedAutoencoder((16, 4), pretrain=BRIEF, finetune=BRIEF, random_state=0), LogisticRegression()
    )
    scores = [cross_val_score(model, X, y, cv=3, n_jobs=n_jobs) for n_jobs in (1, 2)]
    np.testing.assert_array_equal(*scores)
