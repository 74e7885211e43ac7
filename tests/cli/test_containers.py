"""Every command takes the files that hold arrays, with labels of their own."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from array_files import two_kinds, write_h5ad, write_matlab_73, write_sparse
from helpers import SMALL
from PIL import Image
from scipy import sparse
from scipy.io import savemat

pytestmark = pytest.mark.slow


def _npz(folder):
    X, kinds = two_kinds()
    write_sparse(folder / "t.npz", sparse.csr_matrix(X), y=kinds)
    return folder / "t.npz", "y"


def _mat(folder):
    X, kinds = two_kinds()
    savemat(folder / "t.mat", {"rows": X, "y": kinds})
    return folder / "t.mat", "y"


def _matlab_73(folder):
    X, kinds = two_kinds()
    write_matlab_73(folder / "t.mat", rows=X, y=kinds[None] + 1.0)
    return folder / "t.mat", "y"


def _hdf5(folder):
    X, kinds = two_kinds()
    with h5py.File(folder / "t.h5", "w") as file:
        file["a/rows"], file["a/others"], file["obs/kind"] = X, X, np.array(["ant", "bee"])[kinds].tolist()
    return f"{folder / 't.h5'}:a/rows", "obs/kind"


def _h5ad(folder):
    X, kinds = two_kinds()
    column = {"kind": "categorical", "codes": kinds, "categories": ["ant", "bee"]}
    write_h5ad(folder / "t.h5ad", sparse.csr_matrix(X), {"kind": column}, [f"gene{k}" for k in range(8)])
    return folder / "t.h5ad", "kind"


def _images(folder):
    X, kinds = two_kinds()
    for k, (x, kind) in enumerate(zip(X, kinds, strict=True)):
        place = folder / "images" / ("ant", "bee")[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((20 * x).astype(np.uint8).reshape(2, 4)).save(place / f"{k}.png")
    return folder / "images", None


@pytest.mark.parametrize("write", [_images, _h5ad, _npz, _mat, _matlab_73, _hdf5])
def test_every_command_takes_such_a_file(stackae, tmp_path, monkeypatch, write):
    monkeypatch.setattr("stackae.evaluation.experiment.FEW_LABELS", (10,))
    data, labels = write(tmp_path)
    run, predictor, named = tmp_path / "run", tmp_path / "predictor", ("--labels", labels) if labels else ()
    done = [
        stackae("pretrain", data, "--out", run, *SMALL, *named),
        stackae("transform", run, data, "--out", tmp_path / "codes.npy"),
        stackae("reconstruct", run, data, "--out", tmp_path / "back.npy"),
        stackae("score", run, data, "--explain", tmp_path / "why.csv"),
        stackae("evaluate", run, data, *named),
        stackae("evaluate", data, "--width", "2", "--splits", "1", "--layer", "8", *named),
        stackae("finetune", run, data, "--epochs", "2", "--out", predictor, *named),
        stackae("predict", predictor, data, "--out", tmp_path / "predictions.csv"),
    ]
    assert [outcome.code for outcome in done] == [0] * len(done), [outcome.err for outcome in done]
    assert np.load(tmp_path / "codes.npy").shape == (60, 3)
    assert np.load(tmp_path / "back.npy").shape[0] == 60
    assert "8" in done[0].out
    assert "worth it" in done[4].out
