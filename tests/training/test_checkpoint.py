"""A fit that dies anywhere goes on from its checkpoints, and ends in the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import SHORT, VARIANTS, small_stack

from stackae import Autoencoder, Masking, StackedAutoencoder, TopK, Training
from stackae.exceptions import ModelFileError, StackaeWarning
from stackae.training import loop
from stackae.training.callbacks.checkpoints import Checkpoints, Keeper, keeper, kept_by


class KilledError(Exception):
    pass


class Dying(Checkpoints):
    """Dies after so many epochs."""

    def __init__(self, folder, n_epochs, every=0.0):
        super().__init__(folder, "run", every)
        self.left = n_epochs

    def end_epoch(self, *args):
        super().end_epoch(*args)
        self.left -= 1
        if self.left == 0:
            raise KilledError


def killed_and_resumed(model, X, folder, n_epochs):
    """The model as it is when its fit has died after so many epochs, and went on."""
    with pytest.raises(KilledError), kept_by(Dying(folder, n_epochs)):
        model.fit(X)
    with kept_by(Checkpoints(folder, "run")):
        return model.fit(X)


def same(one, other, X):
    """To the last bit: weights, codes, and what the history says, but for the time it took."""
    for a, b in zip(one.module_.state_dict().values(), other.module_.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(one.transform(X), other.transform(X))
    timeless = [
        [{k: v for k, v in record.items() if "second" not in k} for record in model.history_]
        for model in (one, other)
    ]
    assert list(map(repr, timeless[0])) == list(map(repr, timeless[1]))  # the order of entries too


# Of three epochs a phase the last tells the keeper of its end: 2 is within the first layer, 6 in fine-tuning.
@pytest.mark.parametrize("n_epochs", [2, 6])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fit_that_died_ends_in_the_same_bits_whatever_its_parts(variant, n_epochs, digits, tmp_path):
    X = digits[:300]

    def model():
        return small_stack([Autoencoder(8, **VARIANTS[variant]), Autoencoder(3)])

    undisturbed = model().fit(X)
    phases = {record["phase"] for record in undisturbed.history_}
    if len(undisturbed.history_) < 9:  # a closed form has one epoch
        n_epochs = min(n_epochs, 4)
    assert phases == {"pretrain", "finetune"}
    same(killed_and_resumed(model(), X, tmp_path, n_epochs), undisturbed, X)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"layers": (16, 4)},
        {"layers": (16, 4), "finetune": Training(3, optimizer="sgd", schedule="cosine")},
        {
            "layers": (16, 4),
            "finetune": Training(9, patience=2, tol=0.2, optimizer="adamw", weight_decay=0.1),
        },
        {"layers": [Autoencoder(20, code=TopK(3), training=Training(30)), Autoencoder(4)]},
        {"layers": [Autoencoder(8, corruption=Masking((0.5, 0.0)), training=Training(8)), Autoencoder(4)]},
    ],
    ids=["two layers", "a shortcut", "SGD", "early stopping", "dead units revived", "levels that fall"],
)
@pytest.mark.parametrize("n_epochs", [1, 4, 5])
def test_what_a_phase_remembers_is_remembered(parameters, n_epochs, digits, tmp_path):
    X = digits[:400]
    undisturbed = small_stack(**parameters).fit(X)
    same(killed_and_resumed(small_stack(**parameters), X, tmp_path, n_epochs), undisturbed, X)


def test_nearly_two_valued_rows_that_fall_behind_pca_are_trained_twice_and_go_on_in_either(digits, tmp_path):
    X = (digits[:400] > 0.5).astype(float)
    model = StackedAutoencoder((16, 4), pretrain=SHORT, finetune=SHORT, random_state=0)
    undisturbed = model.fit(X)
    assert undisturbed.module_.shortcut is not None
    for k, n_epochs in enumerate((5, 8)):
        (tmp_path / str(k)).mkdir()
        same(killed_and_resumed(small_stack((16, 4)), X, tmp_path / str(k), n_epochs), undisturbed, X)


def test_rows_on_the_disk_go_on_too(digits, tmp_path):
    X = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(80_000, 64))
    X[:] = np.resize(digits, X.shape)
    twice = Training(2, batch_size=1024)
    options = {"max_memory": "17MB", "pretrain": twice, "finetune": twice}
    undisturbed = small_stack(**options).fit(X)
    for k in (1, 2, 3):
        folder = tmp_path / str(k)
        folder.mkdir()
        same(killed_and_resumed(small_stack(**options), X, folder, k), undisturbed, digits)


def epochs_of(model, X, folder, monkeypatch):
    """How many epochs a fit trains, beside what it finds."""
    trained = []
    epoch = loop.epoch

    def spy(run, number):
        trained.append((run.phase, run.layer, number))
        return epoch(run, number)

    with monkeypatch.context() as patched, kept_by(Checkpoints(folder, "run")):
        patched.setattr(loop, "epoch", spy)
        model.fit(X)
    return trained


def test_what_was_trained_is_not_trained_again(digits, tmp_path, monkeypatch):
    with pytest.raises(KilledError), kept_by(Dying(tmp_path, 4)):
        small_stack().fit(digits)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "001.safetensors",
        "002-000001.safetensors",
        "002-000002.safetensors",
    ]
    again = epochs_of(small_stack(), digits, tmp_path, monkeypatch)
    assert again == [("pretrain", 2, 3), *(("finetune", None, k) for k in (1, 2, 3))]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"00{k}.safetensors" for k in (1, 2, 3)]
    assert epochs_of(small_stack(), digits, tmp_path, monkeypatch) == []


def test_two_checkpoints_of_a_phase_are_kept_and_an_older_one_serves_where_the_newest_is_damaged(
    digits, tmp_path, monkeypatch
):
    model = small_stack(pretrain=Training(6), layers=(8, 3))
    undisturbed = small_stack(pretrain=Training(6), layers=(8, 3)).fit(digits)
    with pytest.raises(KilledError), kept_by(Dying(tmp_path, 4)):
        model.fit(digits)
    older, newest = sorted(tmp_path.iterdir())
    assert [path.name for path in (older, newest)] == ["001-000003.safetensors", "001-000004.safetensors"]
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    with pytest.warns(StackaeWarning, match="001-000004.safetensors: .* an older checkpoint is used"):
        trained = epochs_of(model, digits, tmp_path, monkeypatch)
    assert trained[0] == ("pretrain", 1, 4)
    same(model, undisturbed, digits)


def test_a_finished_phase_that_is_damaged_is_trained_again_with_all_that_follow(
    digits, tmp_path, monkeypatch
):
    with kept_by(Checkpoints(tmp_path, "run")):
        undisturbed = small_stack().fit(digits)
    (tmp_path / "002.safetensors").write_bytes(b"")
    model = small_stack()
    with pytest.warns(StackaeWarning, match="is empty"):
        trained = epochs_of(model, digits, tmp_path, monkeypatch)
    assert trained[0] == ("pretrain", 2, 1)
    assert len(trained) == 6
    same(model, undisturbed, digits)


def test_checkpoints_of_another_run_are_refused(digits, tmp_path):
    with kept_by(Checkpoints(tmp_path, "one")):
        small_stack().fit(digits)
    with (
        pytest.raises(ModelFileError, match="is a checkpoint of another run"),
        kept_by(Checkpoints(tmp_path, "two")),
    ):
        small_stack().fit(digits)


def test_a_fit_that_is_broken_off_between_two_checkpoints_leaves_its_last_epoch(digits, tmp_path):
    with pytest.raises(KilledError), kept_by(Dying(tmp_path, 2, every=3600.0)):
        small_stack().fit(digits)
    assert [path.name for path in tmp_path.iterdir()] == ["001-000002.safetensors"]


def test_a_fit_without_a_keeper_is_told_to_none():
    assert type(keeper()) is Keeper


def test_a_loss_that_diverges_leaves_the_last_good_epoch(digits, tmp_path, monkeypatch):
    epoch = loop.epoch

    def diverging(run, number):
        if number == 3:
            loop._refuse_divergence(float("nan"), run, number)
        return epoch(run, number)

    monkeypatch.setattr(loop, "epoch", diverging)
    with pytest.raises(ArithmeticError), kept_by(Checkpoints(tmp_path, "run")):
        small_stack().fit(digits)
    assert [path.name for path in tmp_path.iterdir()] == ["001-000002.safetensors"]
