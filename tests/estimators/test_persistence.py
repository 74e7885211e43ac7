"""Saved, pickled, loaded: the same model, and nothing else."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, VARIANTS, small_autoencoder, small_stack, timeless
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import stackae
from stackae import (
    L1,
    L2,
    Autoencoder,
    CrossEntropy,
    Dropout,
    GaussianNoise,
    Huber,
    KLSparsity,
    Masking,
    PerFeature,
    SaltAndPepper,
    SquaredError,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    Swap,
    TopK,
    Training,
)
from stackae.exceptions import ModelFileError, ParameterError
from stackae.serialization.model_file import read_model, write_model

OF_0_1_0 = Path(__file__).parent / "data" / "0.1.0"
#: Samples, and what the models of version 0.1.0 made of them.
EXPECTED = json.loads((OF_0_1_0 / "expected.json").read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def original(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    layers = [Autoencoder(8, corruption=Masking(0.1), penalty=KLSparsity(0.1, 0.5)), 3]
    small_stack(layers).fit(digits).save(path)
    return path


@pytest.fixture
def saved(original, tmp_path):
    return Path(shutil.copy(original, tmp_path))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_survives_save_and_load_bit_for_bit(name, table, tmp_path):
    for model in (small_autoencoder(**VARIANTS[name]), small_stack([Autoencoder(6, **VARIANTS[name]), 3])):
        path = tmp_path / f"{type(model).__name__}.safetensors"
        model.fit(table).save(path)
        again = stackae.load(path)
        assert type(again) is type(model)
        assert repr(again.get_params()) == repr(model.get_params())
        for method in ("transform", "reconstruct", "score_samples"):
            np.testing.assert_array_equal(getattr(again, method)(table), getattr(model, method)(table))
        assert again.history_ == timeless(model.history_)
        assert again.n_iter_ == model.n_iter_


def test_the_folder_of_a_run_stands_for_the_model_in_it(saved, digits, tmp_path):
    expected = stackae.load(saved).transform(digits)
    np.testing.assert_array_equal(stackae.load(tmp_path).transform(digits), expected)
    np.testing.assert_array_equal(stackae.load(str(tmp_path), device="cpu").transform(digits), expected)
    saved.unlink()
    said = rf"^{re.escape(str(tmp_path))}: a folder without model.safetensors; give a model's file, or the folder"
    with pytest.raises(FileNotFoundError, match=said):
        stackae.load(tmp_path)


def test_a_loaded_stack_has_its_layers_and_they_share_its_weights(saved, digits):
    stack = stackae.load(saved)
    assert [layer.n_components for layer in stack.layers_] == [8, 3]
    assert stack.layers_[0].corruption.level == 0.1
    assert stack.layers_[1].module_[0] is stack.module_[1]
    np.testing.assert_array_equal(
        stack.layers_[1].transform(stack.layers_[0].transform(digits)), stack.transform(digits)
    )


def test_feature_names_are_kept_and_still_checked(table, tmp_path):
    frame = pd.DataFrame(table, columns=list("abcdef"))
    small_stack().fit(frame).save(tmp_path / "m.safetensors")
    again = stackae.load(tmp_path / "m.safetensors")
    assert list(again.feature_names_in_) == list("abcdef")
    again.transform(frame)
    with pytest.raises(ValueError, match="feature names"):
        again.transform(frame[list("abcdfe")])


def test_a_loaded_model_can_be_fitted_again(saved, digits):
    again = stackae.load(saved)
    before = again.transform(digits)
    np.testing.assert_array_equal(again.fit(digits).transform(digits), before)


@pytest.mark.parametrize("dump", ["pickle", "joblib"])
def test_pickle_and_joblib_keep_the_model_bit_for_bit(dump, digits, tmp_path):
    model = small_stack().fit(digits)
    if dump == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "m.joblib")
        again = joblib.load(tmp_path / "m.joblib")
    np.testing.assert_array_equal(again.transform(digits), model.transform(digits))
    assert again.layers_[0].module_[0] is again.module_[0]


def test_a_pickle_from_a_machine_with_a_gpu_loads_on_one_without(digits):
    model = small_stack(device="cpu").fit(digits)
    model.device = "cuda:99"
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(digits), model.transform(digits))


def test_a_model_of_a_device_that_is_not_there_loads_on_the_processor(digits, tmp_path):
    model = small_stack().fit(digits)
    model.device = "cuda:99"
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        stackae.load(tmp_path / "m.safetensors").transform(digits), model.transform(digits)
    )
    with pytest.raises(ParameterError, match="cuda:99"):
        stackae.load(tmp_path / "m.safetensors", device="cuda:99")


def test_a_generator_object_as_seed_is_saved_as_none(digits, tmp_path):
    model = small_autoencoder(random_state=np.random.RandomState(0)).fit(digits)
    model.save(tmp_path / "m.safetensors")
    assert stackae.load(tmp_path / "m.safetensors").random_state is None


def test_an_unfitted_model_is_not_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        Autoencoder().save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_layers_were_changed_after_fit_is_not_saved(digits, tmp_path):
    model = small_stack().fit(digits).set_params(layers=(8,))
    with pytest.raises(ParameterError, match=r"changed after fit, from widths \[8, 3\] to \[8\]"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_saving_replaces_an_older_file_whole(saved, digits):
    other = small_stack(random_state=5).fit(digits)
    other.save(saved)
    np.testing.assert_array_equal(stackae.load(saved).transform(digits), other.transform(digits))


def edited(saved, change):
    header, tensors = read_model(saved)
    header = json.loads(json.dumps(header))
    change(header, tensors)
    write_model(saved, header, tensors)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda h, t: h.update(estimator="Popen"), "estimator 'Popen'.*upgrade"),
        (lambda h, t: h.update(edition=3), r"a newer stackae \(edition 3\); upgrade"),
        (lambda h, t: h["params"].update(layers={"class": "Popen", "params": {}}), "part 'Popen'.*upgrade"),
        (lambda h, t: h["layers"][0]["parts"]["corruption"].update({"class": "system"}), "part 'system'"),
        (lambda h, t: h["layers"][0]["parts"].update(activation="exec"), "activation 'exec'"),
        (lambda h, t: h["layers"][0]["parts"].update(n_components=10**12), "describes no model|not that of"),
        (lambda h, t: h["layers"][0].update(n_inputs=-1), "describes no model"),
        (lambda h, t: h["layers"].pop(), "ask for 2 layers, got 1"),
        (lambda h, t: h["params"].update(output="exec"), "output"),
        (lambda h, t: h["params"].update(unheard_of=1), "describes no model"),
        (lambda h, t: h.pop("fitted"), "describes no model"),
        (lambda h, t: h["fitted"].update(n_features_in_=3), "n_features_in_"),
        (lambda h, t: t.pop("layers.0.network.encoder_bias"), "describes no model"),
        (
            lambda h, t: t.update({k: v.double() for k, v in t.items()}),
            "must be torch.float32, got torch.float64",
        ),
        (lambda h, t: t.update({k: v[:1].contiguous() for k, v in t.items()}), "describes no model"),
    ],
)
def test_a_file_that_describes_no_model_is_refused_in_one_line(change, match, saved):
    edited(saved, change)
    with pytest.raises(ModelFileError, match=match) as raised:
        stackae.load(saved)
    assert str(raised.value).startswith(str(saved))
    assert "\n" not in str(raised.value)


def test_the_header_tells_versions_and_names_no_path(saved):
    header, _ = read_model(saved)
    assert header["versions"].keys() == {"stackae", "torch", "scikit-learn", "numpy", "python"}
    assert str(saved.parent) not in json.dumps(header)


def test_short_training_is_what_the_fixture_says(saved):
    assert repr(stackae.load(saved).pretrain) == repr(SHORT)
    assert isinstance(stackae.load(saved), StackedAutoencoder)


def test_a_part_of_ones_own_is_not_saved_to_a_file_that_holds_no_code(digits, tmp_path):
    class Mine(Masking):
        pass

    model = small_stack([Autoencoder(8, corruption=Mine(0.1)), 3]).fit(digits)
    with pytest.raises(ParameterError, match="holds no code, and cannot keep the class 'Mine'"):
        model.save(tmp_path / "m.safetensors")

    class Other(Autoencoder):
        pass

    with pytest.raises(ParameterError, match="cannot keep the class 'Other'"):
        Other(3, training=SHORT).fit(digits).save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


# Files of version 0.1.0 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"inputs"}))
def test_a_model_file_of_version_0_1_0_computes_what_it_did(name, tmp_path):
    X = np.asarray(EXPECTED["inputs"]["with_gaps" if name == "regressor" else "X"], np.float32)
    if name == "autoencoder":
        X = pd.DataFrame(X, columns=list("abcd"))
    model = stackae.load(OF_0_1_0 / f"{name}.safetensors")
    model.save(tmp_path / "again.safetensors")
    for loaded in (model, stackae.load(tmp_path / "again.safetensors")):
        for method, expected in EXPECTED[name].items():
            result = getattr(loaded, method)(X)
            if result.dtype.kind == "U":
                np.testing.assert_array_equal(result, expected)
            else:
                np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


def test_what_made_the_encoder_in_version_0_1_0_is_the_encoders_parameter_now():
    classifier, regressor, detector = (
        stackae.load(OF_0_1_0 / f"{name}.safetensors") for name in ("classifier", "regressor", "detector")
    )
    assert classifier.encoder.scale == "minmax"
    assert [layer.n_units for layer in classifier.module_] == [3, 2]
    assert classifier.encoder.layers[0].code == "topk"
    assert classifier.classes_.tolist() == ["no", "yes"]
    assert regressor.encoder.layers == (3, 2)
    assert np.isnan(regressor.encoder.missing_values)
    assert regressor.encoder.add_indicator
    assert detector.encoder.layers[0].n_components == 2
    assert all(model.encoder.shortcut is None for model in (classifier, regressor, detector))


@pytest.mark.parametrize("name", ["stack_with_shortcut", "stack_that_became_pca"])
def test_a_stack_of_version_0_1_0_goes_on_learning(name):
    model = stackae.load(OF_0_1_0 / f"{name}.safetensors")
    X = np.random.default_rng(1).normal(size=(100, 4))
    before, codes = model.score(X), model.transform(X)
    model.partial_fit(X)
    assert not np.array_equal(model.transform(X), codes)
    assert model.score(X) > before - 0.1


# Any parts, with any numbers ---------------------------------------------------------------------------------

share = st.floats(0.01, 0.9)
weight = st.floats(0, 2)
corruptions = st.one_of(
    st.none(),
    st.sampled_from(["masking", "swap"]),
    *(st.builds(kind, share) for kind in (Masking, SaltAndPepper, Swap, Dropout)),
    st.builds(lambda a, b: Masking((a, b), on="both"), share, share),
    st.builds(GaussianNoise, st.floats(0.01, 2)),
)
penalties = st.one_of(
    st.none(), st.lists(st.one_of(st.builds(L1, weight), st.builds(L2, weight)), min_size=1, max_size=2)
)
losses = st.one_of(
    st.sampled_from(
        ["auto", "squared_error", "huber", SquaredError(1.0, 0.5), CrossEntropy(1.0, 0.5), PerFeature()]
    ),
    st.builds(Huber, st.floats(0.1, 5)),
)
layers = st.builds(
    Autoencoder,
    st.integers(1, 7),
    activation=st.sampled_from(["auto", "identity", "relu", "tanh", "sigmoid", "silu"]),
    tied_weights=st.booleans(),
    corruption=corruptions,
    code=st.one_of(st.none(), st.builds(TopK, share)),
    penalty=penalties,
    loss=losses,
    training=st.just(Training(max_epochs=1)),
)
kinds = st.sampled_from(
    [
        StackedAutoencoder,
        StackedAutoencoderDetector,
        StackedAutoencoderClassifier,
        StackedAutoencoderRegressor,
        Autoencoder,
    ]
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=kinds, parts=st.lists(layers, min_size=1, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_any_estimator_of_any_parts_survives_save_and_load_bit_for_bit(kind, parts, seed, table, tmp_path):
    table, once = table[:40], Training(max_epochs=1)
    if kind is Autoencoder:
        model = parts[0].set_params(random_state=seed)
    elif kind is StackedAutoencoder:
        model = kind(parts, finetune=once, random_state=seed)
    else:
        own = {} if kind is StackedAutoencoderDetector else {"finetune": once}
        model = kind(StackedAutoencoder(parts, finetune=once), random_state=seed, **own)
    try:
        model.fit(table, np.arange(40) % 2)
    except (ParameterError, ArithmeticError):  # parts that cannot combine
        assume(False)
    model.save(tmp_path / "model.safetensors")
    again = stackae.load(tmp_path / "model.safetensors")
    assert repr(again.get_params()) == repr(model.get_params())
    assert again.history_ == timeless(model.history_)
    np.testing.assert_array_equal(again.transform(table), model.transform(table))
    pickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(pickled.transform(table), model.transform(table))
