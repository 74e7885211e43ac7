"""Threads and number formats: taken for a piece of work, and given back."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from helpers import threads_of_a_fit
from joblib import Parallel, cpu_count, delayed

from stackae import Autoencoder, Training
from stackae.training import loop, precision
from stackae.training.precision import computing, has_fast_bfloat16, resolve_device, uses_bfloat16

CPU = torch.device("cpu")


@pytest.mark.slow
def test_each_of_several_workers_uses_its_share_of_the_threads():
    used = Parallel(n_jobs=2)(delayed(threads_of_a_fit)(600) for _ in range(2))
    assert max(used) <= max(1, cpu_count() // 2)


def test_small_products_are_left_to_one_thread_and_large_ones_to_all():
    assert threads_of_a_fit(4) == 1
    assert threads_of_a_fit(600) == torch.get_num_threads()


def test_the_process_is_left_as_it_was():
    before = (torch.get_num_threads(), torch.get_float32_matmul_precision())
    with computing(CPU, work=1), computing(CPU, work=1):
        assert torch.get_num_threads() == 1
        assert torch.get_float32_matmul_precision() == "high"
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


def test_fits_in_several_threads_do_not_restore_the_precision_under_each_other():
    inside, leave = threading.Event(), threading.Event()

    def long():
        with computing(CPU):
            inside.set()
            leave.wait(10)
            assert torch.get_float32_matmul_precision() == "high"

    thread = threading.Thread(target=long)
    thread.start()
    inside.wait(10)
    with computing(CPU):
        pass
    assert torch.get_float32_matmul_precision() == "high"
    leave.set()
    thread.join()
    assert torch.get_float32_matmul_precision() == "highest"


def test_products_are_as_exact_as_they_were(generator):
    a, b = (torch.randn(256, 784, generator=generator) for _ in range(2))
    exact = a.double() @ b.double().t()
    with computing(CPU):
        error = (a @ b.t() - exact).norm() / exact.norm()
    assert error < 1e-6


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_auto_is_the_processor_where_there_is_no_gpu():
    assert resolve_device("auto") == CPU
    assert uses_bfloat16("auto", CPU, 1e9) == has_fast_bfloat16("cpu")


def test_little_work_is_done_in_float32_unless_bfloat16_is_asked_for(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda _: True)
    assert uses_bfloat16("auto", CPU, 2.1e7)
    assert not uses_bfloat16("auto", CPU, 1.9e7)
    assert not uses_bfloat16("float32", CPU, 1e9)
    assert uses_bfloat16("bfloat16", CPU, 1.0)


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and there is none")


@gpu
def test_a_gpu_learns_what_the_processor_learns():
    X = np.random.default_rng(0).random((2000, 20), np.float32)
    training = Training(max_epochs=5, batch_size=100)
    fits = [
        Autoencoder(5, training=training, device=device, precision="float32", random_state=0).fit(X)
        for device in ("cuda", "cpu")
    ]
    assert fits[0].module_[0].network.encoder_weight.device.type == "cuda"
    scores = [model.score(X) for model in fits]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@gpu
def test_steps_on_a_gpu_do_not_wait_for_it():  # or torch raises
    X = np.random.default_rng(0).random((2000, 20), np.float32)
    model = Autoencoder(
        5, corruption="masking", training=Training(max_epochs=1, batch_size=100), random_state=0
    )
    step = loop.step

    def watched(*args):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "step", watched)
        model.fit(X)


@gpu
def test_auto_is_the_gpu_with_bfloat16():
    assert resolve_device("auto").type == "cuda"
    assert uses_bfloat16("auto", torch.device("cuda"), 1e9) == has_fast_bfloat16("cuda")
