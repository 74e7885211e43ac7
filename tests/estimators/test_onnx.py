"""What is exported computes what transform does, anywhere, and nothing else is touched."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers import VARIANTS, small_autoencoder, small_stack
from sklearn.exceptions import NotFittedError

import stackae
from stackae import Autoencoder, Convolutional, Recurrent, TopK, Training
from stackae.exceptions import ParameterError
from stackae.serialization.onnx import OPSET

#: Functions are compared, not how well they were learned.
ONCE = Training(max_epochs=1, batch_size=64)


@pytest.fixture(scope="module")
def X(table):
    return table.astype(np.float32)


def session_of(model, folder):
    path = folder / "model.onnx"
    model.export_onnx(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def assert_same_codes(model, X, folder):
    """For blocks of several sizes, of which one sample is the least."""
    session = session_of(model, folder)
    for block in (X, X[:7], X[-1:]):
        (codes,) = session.run(["codes"], {"X": block})
        expected = model.transform(block)
        assert codes.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(codes, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_at_the_bottom_of_a_stack_computes_what_transform_does(name, X, tmp_path):
    layers = [Autoencoder(6, **VARIANTS[name]), 3]
    stack = small_stack(layers, pretrain=ONCE, finetune=None, output="all").fit(X)
    assert_same_codes(stack, X, tmp_path)  # those of the variant are the first of them


@pytest.mark.parametrize("output", ["code", "all"])
def test_a_fine_tuned_stack_gives_the_outputs_that_it_was_asked_for(output, X, tmp_path):
    stack = small_stack(output=output).fit(X)
    assert_same_codes(stack, X, tmp_path)
    assert session_of(stack, tmp_path).get_outputs()[0].shape == ["n_samples", 11 if output == "all" else 3]


def test_a_layer_of_a_stack_is_exported_by_itself(X, tmp_path):
    stack = small_stack().fit(X)
    assert_same_codes(stack.layers_[1], stack.layers_[0].transform(X), tmp_path)


@pytest.mark.parametrize("scale", ["auto", "standard", "minmax", None])
def test_the_scaling_is_in_the_file(scale, X, tmp_path):
    assert_same_codes(small_autoencoder(scale=scale, loss="huber").fit(X), X, tmp_path)


def test_samples_within_the_unit_interval_are_not_scaled(digits, tmp_path):
    X = digits[:200].astype(np.float32)
    assert_same_codes(small_stack(pretrain=ONCE, finetune=ONCE, shortcut=None).fit(X), X, tmp_path)
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert kinds.isdisjoint({"Sub", "Cast"})


@pytest.mark.parametrize(
    "parameters",
    [
        {"network": Convolutional((4, 4, 4), kernel_size=1, pool=3)},
        {"network": Convolutional((8, 8), pool=1), "tied_weights": True, "activation": "tanh"},
        {"network": Convolutional((8, 8)), "code": "variational"},
        {"network": Recurrent((4, 16), cell="lstm", hidden=5)},
        {"network": Recurrent((16, 4), hidden=5), "code": TopK(2, alpha=1.5)},
    ],
    ids=str,
)
def test_networks_and_codes_of_other_shapes_compute_what_transform_does(parameters, digits, tmp_path):
    X = digits[:200].astype(np.float32)
    assert_same_codes(small_autoencoder(training=ONCE, **parameters).fit(X), X, tmp_path)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_sequences_end_where_they_are_filled_up(cell, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(3, 2, size=(50, 12)).astype(np.float32)
    for sequence, length in zip(X, rng.integers(0, 7, size=50), strict=True):
        sequence[2 * length :] = -1
    assert (X == -1).all(1).any()
    network = Recurrent((6, 2), cell=cell, hidden=5, padding=-1.0)
    assert_same_codes(small_autoencoder(network=network, training=ONCE).fit(X), X, tmp_path)


def test_a_loaded_model_is_exported_to_the_same_bytes(X, tmp_path):
    model = small_stack().fit(X)
    model.save(tmp_path / "m.safetensors")
    model.export_onnx(tmp_path / "first.onnx")
    stackae.load(tmp_path / "m.safetensors").export_onnx(tmp_path / "again.onnx")
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


def test_the_file_tells_what_it_takes_what_it_gives_and_who_made_it(table, tmp_path):
    import pandas as pd

    stack = small_stack(output="all").fit(pd.DataFrame(table, columns=list("abcdef")))
    session = session_of(stack, tmp_path)
    (taken,), (given) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("X", "tensor(float)", ["n_samples", 6])
    assert [output.name for output in given] == ["codes"]
    told = session.get_modelmeta()
    assert told.producer_name == "stackae"
    told = told.custom_metadata_map
    assert (told["estimator"], json.loads(told["n_features"])) == ("StackedAutoencoder", 6)
    assert json.loads(told["feature_names"]) == list("abcdef")
    assert json.loads(told["code_names"]) == list(stack.get_feature_names_out())
    assert json.loads(told["versions"])["stackae"] == stackae.__version__


def test_samples_without_names_are_exported_without_names(X, tmp_path):
    told = session_of(small_autoencoder().fit(X), tmp_path).get_modelmeta().custom_metadata_map
    assert "feature_names" not in told


def test_the_file_is_valid_onnx_old_enough_for_runtimes_in_use_and_names_no_path(X, tmp_path):
    small_stack([Autoencoder(6, network="recurrent"), 3]).fit(X).export_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert model.ir_version <= 8
    assert b".py" not in (tmp_path / "m.onnx").read_bytes()


def test_only_the_encoder_is_in_the_file(X, tmp_path):
    model = small_autoencoder(penalty="adversarial").fit(X)
    model.export_onnx(tmp_path / "m.onnx")
    sizes = sorted(np.prod(tensor.dims) for tensor in onnx.load(tmp_path / "m.onnx").graph.initializer)
    assert sizes == [4, 6, 6, 24]  # bias, shift, factor, weights


@pytest.mark.parametrize("network", ["dense", "recurrent"])
def test_the_model_the_generators_and_the_warnings_are_as_they_were(network, X, tmp_path):
    model = small_stack([Autoencoder(6, network=network), 3]).fit(X)
    modules = dict(model.module_.named_modules())
    state = {name: value.clone() for name, value in model.module_.state_dict().items()}
    drawn, filters = torch.get_rng_state(), list(warnings.filters)
    model.export_onnx(tmp_path / "m.onnx")
    assert dict(model.module_.named_modules()) == modules
    for name, value in model.module_.state_dict().items():
        assert value.dtype == state[name].dtype
        assert torch.equal(value, state[name])
    assert torch.equal(torch.get_rng_state(), drawn)
    assert warnings.filters == filters
    assert torch.is_grad_enabled()
    assert not torch.onnx.is_in_onnx_export()


@pytest.mark.parametrize("name", ["plain", "network recurrent", "code topk"])
def test_nothing_is_printed_and_nothing_is_warned_of(name, X, tmp_path, capfd):
    model = small_autoencoder(**VARIANTS[name]).fit(X)
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model.export_onnx(tmp_path / "m.onnx")
    assert [str(warning.message) for warning in warned] == []
    assert capfd.readouterr() == ("", "")


def test_an_older_file_is_replaced_whole(X, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"older")
    assert_same_codes(small_autoencoder().fit(X), X, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_unfitted_model_is_not_exported(tmp_path):
    with pytest.raises(NotFittedError):
        Autoencoder().export_onnx(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_refused(X, tmp_path):
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(OSError, match=r"m\.onnx: the destination is a folder"):
        small_autoencoder().fit(X).export_onnx(tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_what_onnx_cannot_hold_is_refused_naming_it(X, tmp_path, monkeypatch):
    model = small_autoencoder().fit(X)
    monkeypatch.setattr(type(model), "_features", lambda self, module, x: torch.linalg.matrix_exp(x.t() @ x))
    with pytest.raises(ParameterError, match=r"m\.onnx: .*cannot be written as ONNX.*matrix_exp") as raised:
        model.export_onnx(tmp_path / "m.onnx")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_refusal_says_what_to_install(X, tmp_path, monkeypatch):
    model = small_autoencoder().fit(X)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ParameterError, match=r"m\.onnx: writing ONNX needs onnx; pip install 'stackae\[onnx\]'"
    ):
        model.export_onnx(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
