"""A fit that dies anywhere goes on from its checkpoints, and ends in the same bits."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers import VARIANTS, small_autoencoder, small_stack, timeless

from stackae import Autoencoder, Masking, TopK, Training
from stackae.exceptions import DivergedError, ModelFileError, StackaeWarning
from stackae.serialization.model_file import read_model, write_model
from stackae.training.callbacks import Callback, Checkpoints

pytestmark = pytest.mark.slow


class KilledError(Exception):
    pass


class Dying(Callback):
    """Dies after an epoch of a phase; of any layer, if none is named."""

    def __init__(self, phase, epoch, layer=None):
        self.place = phase, epoch
        self.layer = layer

    def end_epoch(self, record, run):
        here = record["phase"], record["epoch"]
        if run is not None and here == self.place and self.layer in (None, record["layer"]):
            raise KilledError


class Trained(Callback):
    """Keeps which epochs are trained, beside those that are found."""

    def __init__(self):
        self.epochs = []

    def end_epoch(self, record, run):
        if run is not None:
            self.epochs.append((record["phase"], record["layer"], record["epoch"]))


def killed(model, X, folder, *place, every=0.0):
    """Fit until it dies."""
    with pytest.raises(KilledError):
        model.set_callbacks(Checkpoints(folder, "run", every), Dying(*place)).fit(X)


def resumed(model, X, folder):
    """The model, fitted from what is in the folder, and which epochs that took."""
    trained = Trained()
    return model.set_callbacks(Checkpoints(folder, "run", 0.0), trained).fit(X), trained.epochs


def same(one, other, X):
    """To the last bit: weights, codes, and what the history says, but for the time it took."""
    for a, b in zip(one.module_.state_dict().values(), other.module_.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(one.transform(X), other.transform(X))
    assert repr(timeless(one.history_)) == repr(timeless(other.history_))  # the order of entries too


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fit_that_died_ends_in_the_same_bits_whatever_its_parts(variant, digits, tmp_path):
    """It dies in the first layer that is trained, and again in fine-tuning."""
    X = digits[:200, 16:32]

    def model():
        return small_stack([Autoencoder(8, **VARIANTS[variant]), Autoencoder(3)])

    undisturbed = model().fit(X)
    killed(model(), X, tmp_path, "pretrain", 2)
    killed(model(), X, tmp_path, "finetune", 2)
    again, trained = resumed(model(), X, tmp_path)
    assert trained == [("finetune", None, 3)]
    same(again, undisturbed, X)


@pytest.mark.parametrize(
    "parameters",
    [
        {"layers": (16, 4)},
        {"layers": (16, 4), "finetune": Training(3, optimizer="sgd", schedule="cosine")},
        {
            "layers": (16, 4),
            "finetune": Training(9, patience=2, tol=0.2, optimizer="adamw", weight_decay=0.1),
        },
        {"layers": [Autoencoder(20, code=TopK(3), training=Training(30)), Autoencoder(4)]},
        {"layers": [Autoencoder(8, corruption=Masking((0.5, 0.0)), training=Training(8)), Autoencoder(4)]},
    ],
    ids=["a shortcut", "SGD", "early stopping", "dead units revived", "levels that fall"],
)
def test_what_a_phase_remembers_is_remembered(parameters, digits, tmp_path):
    X = digits[:400]
    undisturbed = small_stack(**parameters).fit(X)
    killed(small_stack(**parameters), X, tmp_path, "pretrain", 1)
    killed(small_stack(**parameters), X, tmp_path, "pretrain", 3, 1)  # where it has not been before
    killed(small_stack(**parameters), X, tmp_path, "pretrain", 2, 2)
    killed(small_stack(**parameters), X, tmp_path, "finetune", 1)
    same(resumed(small_stack(**parameters), X, tmp_path)[0], undisturbed, X)


def test_samples_on_the_disk_go_on_too(digits, tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(60_000, 64))
    X[:] = np.resize(digits, X.shape)
    twice = Training(2, batch_size=1024)
    options = {"max_memory": "17MB", "pretrain": twice, "finetune": twice}
    (tmp_path / "checkpoints").mkdir()
    assert small_stack(**options).plan(X).is_streamed
    undisturbed = small_stack(**options).fit(X)
    killed(small_stack(**options), X, tmp_path / "checkpoints", "pretrain", 1, 1)
    killed(small_stack(**options), X, tmp_path / "checkpoints", "pretrain", 1, 2)
    same(resumed(small_stack(**options), X, tmp_path / "checkpoints")[0], undisturbed, digits)


def test_layers_that_are_kept_in_a_cache_are_phases_too(digits, tmp_path):
    """The layer that a dead fit has left there is not trained again, and the next phase finds its own."""
    X = digits[:300]
    (tmp_path / "checkpoints").mkdir()
    undisturbed = small_stack().fit(X)
    for place in (("pretrain", 2, 2), ("finetune", 2)):
        killed(small_stack(memory=tmp_path / "cache"), X, tmp_path / "checkpoints", *place)
    model = small_stack(memory=tmp_path / "cache")
    again, trained = resumed(model, X, tmp_path / "checkpoints")
    assert trained == [("finetune", None, 3)]
    same(again, undisturbed, X)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_trained_is_not_trained_again(digits, tmp_path):
    X = digits[:300]
    killed(small_stack(), X, tmp_path, "pretrain", 2, 2)
    assert names(tmp_path) == ["001.safetensors", "002-000001.safetensors", "002-000002.safetensors"]
    _, trained = resumed(small_stack(), X, tmp_path)
    assert trained == [("pretrain", 2, 3), *(("finetune", None, k) for k in (1, 2, 3))]
    assert names(tmp_path) == [f"00{k}.safetensors" for k in (1, 2, 3)]
    assert resumed(small_stack(), X, tmp_path)[1] == []


def test_a_history_that_is_kept_apart_is_told_of_what_was_trained_before(digits, tmp_path):
    class Told(Callback):
        records = ()

        def end_epoch(self, record, run):
            self.records = (*self.records, record)

    killed(small_stack(), digits[:300], tmp_path, "finetune", 1)
    told = Told()
    model = small_stack().set_callbacks(Checkpoints(tmp_path, "run"), told).fit(digits[:300])
    assert list(told.records) == model.history_


def test_two_checkpoints_of_a_phase_are_kept_and_an_older_one_serves_where_the_newest_is_damaged(
    digits, tmp_path
):
    X = digits[:300]
    options = {"layers": (8, 3), "pretrain": Training(6)}
    undisturbed = small_stack(**options).fit(X)
    killed(small_stack(**options), X, tmp_path, "pretrain", 4)
    older, newest = sorted(tmp_path.iterdir())
    assert [path.name for path in (older, newest)] == ["001-000003.safetensors", "001-000004.safetensors"]
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    with pytest.warns(StackaeWarning, match="001-000004.safetensors: .* an older checkpoint is used"):
        model, trained = resumed(small_stack(**options), X, tmp_path)
    assert trained[0] == ("pretrain", 1, 4)
    same(model, undisturbed, X)


def test_a_finished_phase_that_is_damaged_is_trained_again_with_all_that_follow(digits, tmp_path):
    X = digits[:300]
    undisturbed, _ = resumed(small_stack(), X, tmp_path)
    (tmp_path / "002.safetensors").write_bytes(b"")
    with pytest.warns(StackaeWarning, match="is empty"):
        model, trained = resumed(small_stack(), X, tmp_path)
    assert trained == [("pretrain", 2, k) for k in (1, 2, 3)] + [("finetune", None, k) for k in (1, 2, 3)]
    same(model, undisturbed, X)


def test_a_fit_that_is_broken_off_between_two_checkpoints_leaves_its_last_epoch(digits, tmp_path):
    killed(small_stack(), digits[:300], tmp_path, "pretrain", 2, every=3600.0)
    assert names(tmp_path) == ["001-000002.safetensors"]


def test_a_loss_that_diverges_leaves_the_last_good_epoch(digits, tmp_path):
    class Diverging(Callback):
        left = 3

        def end_batches(self, n_samples):
            self.left -= 1
            if not self.left:
                raise DivergedError("the loss became nan")

    with pytest.raises(ArithmeticError):
        small_stack().set_callbacks(Checkpoints(tmp_path, "run"), Diverging()).fit(digits[:300])
    assert names(tmp_path) == ["001-000002.safetensors"]


# What is refused ---------------------------------------------------------------------------------------


@pytest.fixture
def finished(digits, tmp_path):
    resumed(small_autoencoder(), digits[:100], tmp_path)
    assert names(tmp_path) == ["001.safetensors"]
    return tmp_path


def test_checkpoints_of_another_run_are_refused(finished, digits):
    model = small_autoencoder().set_callbacks(Checkpoints(finished, "another"))
    with pytest.raises(ModelFileError, match=r"001.safetensors: is a checkpoint of another run; empty its"):
        model.fit(digits[:100])


def test_checkpoints_of_other_shapes_are_refused(finished, digits):
    model = small_autoencoder(5).set_callbacks(Checkpoints(finished, "run"))
    with pytest.raises(ModelFileError, match=r"001.safetensors: was left by another fit \(other seed\)"):
        model.fit(digits[:100])


def test_checkpoints_of_version_0_1_0_are_refused_with_what_to_do(finished, digits):
    header, tensors = read_model(finished / "001.safetensors")
    del header["format"]  # which that version did not write
    write_model(finished / "001.safetensors", header, tensors)
    with pytest.raises(
        ModelFileError,
        match=r"001.safetensors: was written by stackae 0\.1\.0, which alone goes on from it; finish the run"
        " there, or start it anew",
    ):
        resumed(small_autoencoder(), digits[:100], finished)


@pytest.mark.parametrize("begun", [None, [1]], ids=["without", "no dictionary"])
def test_a_checkpoint_that_does_not_say_how_its_fit_began_is_refused(begun, finished, digits):
    header, tensors = read_model(finished / "001.safetensors")
    write_model(finished / "001.safetensors", header | {"begun": begun}, tensors)
    with pytest.raises(ModelFileError, match=r"001.safetensors: was left by another fit"):
        resumed(small_autoencoder(), digits[:100], finished)


def test_a_disk_without_room_is_told_before_anything_is_trained(digits, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=100))
    trained = Trained()
    with pytest.raises(OSError, match=r"training leaves .* MB there at least, and .* MB are free; make room"):
        small_autoencoder().set_callbacks(Checkpoints(tmp_path, "run"), trained).fit(digits[:100])
    assert trained.epochs == []


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"random_state": 1}, "seed"),
        ({"training": Training(max_epochs=3, batch_size=32, learning_rate=0.1)}, "parameters"),
        ({"data": True}, "data"),
    ],
    ids=["seed", "training", "data"],
)
def test_what_another_fit_has_left_under_the_same_key_is_refused(finished, digits, other, what):
    X = digits[100:200] if other.pop("data", False) else digits[:100]
    model = small_autoencoder(4, **other).set_callbacks(Checkpoints(finished, "run"))
    with pytest.raises(ModelFileError, match=rf"was left by another fit \(other {what}\); give its own data"):
        model.fit(X)


def test_the_folder_is_made(tmp_path, digits):
    model = small_autoencoder(3).set_callbacks(Checkpoints(tmp_path / "new" / "folder", "run"))
    model.fit(digits[:50])
    assert (tmp_path / "new" / "folder" / "001.safetensors").is_file()
