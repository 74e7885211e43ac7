"""A model described without its tensors: as the model itself would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, VARIANTS, small_autoencoder, small_stack

import stackae
from stackae import Autoencoder, Ladder, Masking, StackedAutoencoder, StackedAutoencoderClassifier
from stackae.corruption import CORRUPTIONS
from stackae.exceptions import ModelFileError
from stackae.serialization.description import describe_model
from stackae.serialization.model_file import read_model, write_model

OF_0_1_0 = Path(__file__).parents[1] / "estimators" / "data" / "0.1.0"


def agree(found, model):
    """Hold that a description is the model's."""
    widths = model.module_.widths
    assert found["estimator"] == type(model).__name__
    assert (found["features"], found["outputs"]) == (model.n_features_in_, len(model.get_feature_names_out()))
    assert found["weights"] == sum(p.numel() for p in model.module_.parameters())
    assert [layer["units"] for layer in found["layers"]] == widths
    assert [layer["inputs"] for layer in found["layers"]] == [model.n_features_in_, *widths[:-1]]
    health = model.health_ if isinstance(model.health_, list) else [model.health_]
    assert [layer["health"] for layer in found["layers"]] == health
    assert sum(layer["epochs"] for layer in found["layers"]) == sum(
        r["layer"] is not None for r in model.history_
    )
    for layer, own in zip(found["layers"], model.module_, strict=True):
        assert layer["activation"] == own.parts.activation
        for part in ("network", "corruption", "code", "loss"):
            kind = getattr(own.parts, part)
            assert layer[part].partition("(")[0] == ("" if kind is None else type(kind).__name__)
    json.dumps(found)
    assert found["table"] is None


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_described_as_it_is(name, table, tmp_path):
    alone = small_autoencoder(**VARIANTS[name])
    stack = small_stack([6, Autoencoder(4, **VARIANTS[name])], output="all")
    for number, model in enumerate((alone, stack)):
        model.fit(table).save(tmp_path / f"{number}.safetensors")
        agree(describe_model(tmp_path / f"{number}.safetensors"), model)


@pytest.mark.parametrize("path", sorted(OF_0_1_0.glob("*.safetensors")), ids=lambda path: path.stem)
def test_files_of_version_0_1_0_are_described_as_they_load(path):
    agree(describe_model(path), stackae.load(path))


def test_columns_classes_and_versions_are_told(table, tmp_path):
    frame = pd.DataFrame(table, columns=list("abcdeé"))
    model = StackedAutoencoderClassifier(small_stack((4, 2)), finetune=SHORT)
    model.fit(frame, np.array(["no", "yes"])[np.arange(len(table)) % 2]).save(tmp_path / "m.safetensors")
    found = describe_model(tmp_path / "m.safetensors")
    assert (found["columns"], found["classes"]) == (list("abcdeé"), ["no", "yes"])
    assert (found["supervised epochs"], found["versions"]["stackae"]) == (3, stackae.__version__)
    assert found["supervised last loss"] == model.history_[-1]["loss"]


def test_parameters_are_told_as_python_writes_them(table, tmp_path):
    stack = StackedAutoencoder([Autoencoder(4, corruption=Masking((0.5, 0.1), on="both")), 2], pretrain=SHORT)
    stack.set_params(finetune=None).fit(table).save(tmp_path / "m.safetensors")
    below, above = describe_model(tmp_path / "m.safetensors")["layers"]
    assert below["corruption"] == "Masking(level=(0.5, 0.1), on='both')"
    assert (above["corruption"], above["penalty"], above["code"]) == (
        "GaussianNoise(on='input', scale=0.2)",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("semi", "told"),
    [
        ("vat", "vat"),
        (["consistency", Ladder(0.5)], "['consistency', Ladder(decay=0.1, top=None, weight=0.5)]"),
    ],
)
def test_how_it_learned_from_rows_without_a_label_is_told(semi, told, table, tmp_path):
    labels = np.where(np.arange(len(table)) % 2, np.nan, np.arange(len(table)) % 4)
    model = StackedAutoencoderClassifier(small_stack((4, 2)), semi=semi, calibration=2, finetune=SHORT)
    model.fit(table, labels).save(tmp_path / "m.safetensors")
    found = describe_model(tmp_path / "m.safetensors")
    assert (found["semi"], found["calibration"]) == (told, 2)


def test_a_registered_part_needs_no_registration_to_be_described(table, tmp_path, monkeypatch):
    class Haze(Masking):
        """Hides values."""

    monkeypatch.setattr(CORRUPTIONS, "_entries", dict(CORRUPTIONS._entries))
    CORRUPTIONS.register("haze", Haze)
    small_autoencoder(corruption=Haze(0.1)).fit(table).save(tmp_path / "m.safetensors")
    monkeypatch.undo()
    assert (
        describe_model(tmp_path / "m.safetensors")["layers"][0]["corruption"] == "Haze(level=0.1, on='input')"
    )


@pytest.fixture
def saved(table, tmp_path):
    path = tmp_path / "m.safetensors"
    small_stack((4, 2)).fit(table).save(path)
    return path


def refusal_of(read, path):
    """What reading a file is refused with."""
    with pytest.raises(ModelFileError) as caught:
        read(path)
    return str(caught.value)


def refusals(path):
    """What a description and a load of a file are refused with."""
    return [refusal_of(read, path) for read in (describe_model, stackae.load)]


def test_damaged_and_foreign_files_are_refused_as_load_refuses_them(saved):
    whole = saved.read_bytes()
    for content in (
        b"",
        b"junk" * 100,
        b"\x80\x04\x95junk",
        b"PK\x03\x04" + b"junk" * 10,
        whole[:-1],
        whole[:500],
        whole + b"\0",
        *(
            whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]
            for place in (9, 300, 2000, -1 % len(whole))
        ),
    ):
        saved.write_bytes(content)
        described, loaded = refusals(saved)
        assert described == loaded
        assert described.startswith(f"{saved}: ")


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(edition=3),
        lambda header: header.update(edition="2"),
        lambda header: header["fitted"].update(n_features_in_=7),
        lambda header: header.pop("layers"),
        lambda header: header.update(layers=[]),
        lambda header: header["fitted"].pop("history_"),
        lambda header: header["fitted"]["health"].pop(),
        lambda header: header["layers"][1].update(n_inputs=3),
        lambda header: header["layers"][0]["parts"].update(network={"class": "Convolutional", "params": {
            "image_shape": {"tuple": [2, 3, 1]}, "kernel_size": 3, "pool": 0}}),
        lambda header: header["layers"][0].update(parts=7),
    ],
)  # fmt: skip
def test_a_header_that_describes_no_model_is_refused_in_one_line(change, saved):
    header, tensors = read_model(saved)
    change(header)
    write_model(saved, header, tensors)
    described, _ = refusals(saved)
    assert described.startswith(f"{saved}: ")
    assert len(described.splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop("table"),
        lambda table: table.update(table=7),
        lambda table: table["table"].append(["x", "int64"]),
        lambda table: table["table"][0].__setitem__(3, "many"),
        lambda table: table["table"][0].__setitem__(4, None),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(change, table, tmp_path):
    path = tmp_path / "m.safetensors"
    small_stack((4, 2)).fit(pd.DataFrame(table).assign(kind=list("ab") * (len(table) // 2))).save(path)
    header, tensors = read_model(path)
    change(header["table"])
    write_model(path, header, tensors)
    described = refusal_of(describe_model, path)
    assert described.startswith(f"{path}: ")
    assert len(described.splitlines()) == 1


def test_what_a_table_says_that_is_no_text_is_told_as_text(table, tmp_path):
    path = tmp_path / "m.safetensors"
    small_stack((4, 2)).fit(pd.DataFrame(table).assign(kind=list("ab") * (len(table) // 2))).save(path)
    header, tensors = read_model(path)
    assert describe_model(path)["table"][0]["name"] == 0
    header["table"]["table"][0] = [{"a": [1]}, ["x"], 3, True, 2, None]
    write_model(path, header, tensors)
    found = describe_model(path)["table"][0]
    assert list(found.values()) == ["{'a': [1]}", "['x']", "3", 1, 2, "None"]


def test_a_file_that_is_not_there_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        describe_model(tmp_path / "none.safetensors")
