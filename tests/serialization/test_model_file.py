"""The model file: what is written comes back bit for bit, and whatever is wrong is refused in one line."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stackae.exceptions import ModelFileError, ParameterError
from stackae.serialization import model_file
from stackae.serialization.model_file import read_model, write_model

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]
HEADER: dict[str, Any] = {
    "estimator": "Autoencoder",
    "names": ["größe", "幅", "\n"],
    "level": 0.25,
    "k": None,
}
TENSORS = {"w": torch.arange(6, dtype=torch.float32).reshape(2, 3), "b": torch.tensor([True, False])}


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return (
        tensor.dtype,
        tuple(tensor.shape),
        tensor.clone(memory_format=torch.contiguous_format).flatten().view(torch.uint8).numpy().tobytes(),
    )


def content(path: Path) -> tuple[str, dict[str, Any]]:
    """The header with its types (JSON tells 1 from 1.0 and True) and each tensor's bits."""
    header, tensors = read_model(path)
    return json.dumps(header, sort_keys=True), {name: bits(tensor) for name, tensor in tensors.items()}


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), data[start:]


def join(table: dict[str, Any] | str, payload: bytes) -> bytes:
    text = (table if isinstance(table, str) else json.dumps(table)).encode()
    return len(text).to_bytes(8, "little") + text + payload


def refusal(path: Path, data: bytes | None = None) -> str:
    """The message with which these bytes, or those that are there, are refused, after its path."""
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(path, HEADER, TENSORS)
    return path


# ------------------------------------------------------------------------------------------- round trip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def any_tensor(draw: st.DrawFn) -> torch.Tensor:
    """Any bit pattern, NaN payloads included, of any dtype and shape, row-major or not."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape) * dtype.itemsize
    data = bytearray(draw(st.binary(min_size=size, max_size=size)))
    if dtype == torch.bool:
        data = bytearray(byte & 1 for byte in data)
    if not data:
        return torch.empty(shape, dtype=dtype)
    tensor = torch.frombuffer(data, dtype=dtype).reshape(shape)
    return tensor.mT if tensor.ndim >= 2 and draw(st.booleans()) else tensor


names = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "__metadata__")


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(), json_values, max_size=4), st.dictionaries(names, any_tensor(), max_size=4))
def test_what_is_written_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.safetensors"
    write_model(path, header, tensors)
    expected = json.dumps(header, sort_keys=True), {name: bits(tensor) for name, tensor in tensors.items()}
    assert content(path) == expected


def test_same_content_gives_the_same_bytes_in_any_order(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    for _ in range(5):
        write_model(again, dict(reversed(HEADER.items())), dict(reversed(TENSORS.items())))
        assert again.read_bytes() == saved.read_bytes()


def test_numpy_scalars_come_back_as_python_values(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    given_ = {"a": np.int64(3), "b": [np.float32(0.5), np.bool_(True), np.str_("x"), np.longdouble(2)]}
    write_model(path, given_, {})
    header, _ = read_model(path)
    assert header == {"a": 3, "b": [0.5, True, "x", 2.0]}
    assert [type(value) for value in header["b"]] == [float, bool, str, float]


def test_views_shared_transposed_and_differentiable_tensors_are_stored_by_value(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    tensors = {"all": base, "row": base[1], "t": base.T, "same": base, "none": base[:0]}
    tensors["negated"] = torch.ones(1, dtype=torch.complex64).mul(1j).conj().imag
    write_model(path, {}, tensors)
    _, loaded = read_model(path)
    assert {name: bits(t) for name, t in loaded.items()} == {
        name: bits(t.detach().resolve_neg()) for name, t in tensors.items()
    }
    assert not any(tensor.requires_grad for tensor in loaded.values())
    loaded["same"].zero_()
    assert loaded["all"].any()  # memory of their own, and writable


def test_the_file_is_plain_safetensors_as_the_docstring_describes_it(saved: Path) -> None:
    with safetensors.safe_open(saved, "pt") as file:
        metadata = file.metadata()
        digest = hashlib.sha256(metadata["header"].encode())
        for name, dtype in [("b", "BOOL"), ("w", "F32")]:
            tensor = file.get_tensor(name)
            assert torch.equal(tensor, TENSORS[name])
            digest.update(json.dumps([name, dtype, list(tensor.shape)], separators=(",", ":")).encode())
            digest.update(tensor.numpy().tobytes())
    assert (metadata["format"], metadata["format_version"]) == ("stackae", "1")
    assert json.loads(metadata["header"]) == HEADER
    assert metadata["sha256"] == digest.hexdigest()


# --------------------------------------------------------------------------------- refused when writing


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ({"a": [1, {"b": math.nan}]}, "header['a'][1]['b'] must be finite, got nan"),
        ({"a": np.float32("inf")}, "header['a'] must be finite, got inf"),
        ({"a": (1, 2)}, "header['a'] must be a JSON value, got tuple"),
        ({"a": {"x": np.arange(3)}}, "header['a']['x'] must be a JSON value, got ndarray"),
        ({"a": np.timedelta64(1, "ns")}, "header['a'] must be a JSON value, got timedelta64"),
        ({"a": {1: 2}}, "header['a'] must have text keys, got 1"),
        (["a"], "header must be a dict, got list"),
    ],
)
def test_a_header_that_is_not_json_is_refused_with_its_place(tmp_path: Path, header: Any, place: str) -> None:
    with pytest.raises(ParameterError) as caught:
        write_model(tmp_path / "m", header, {})
    assert str(caught.value) == place
    assert not list(tmp_path.iterdir())


def test_a_header_that_holds_itself_is_refused(tmp_path: Path) -> None:
    header: dict[str, Any] = {}
    header["me"] = header
    with pytest.raises(ParameterError, match="nested more than 100 deep"):
        write_model(tmp_path / "m", header, {})


@pytest.mark.parametrize(
    "tensors",
    [
        {"__metadata__": torch.ones(1)},
        {"\ud800": torch.ones(1)},
        {1: torch.ones(1)},
        {"x": np.ones(1)},
        {"x": torch.ones(1, dtype=torch.complex64)},
        {"x": torch.ones(1, dtype=torch.int8)},
        {"x": torch.eye(2).to_sparse()},
    ],
)
def test_tensors_that_cannot_be_stored_are_refused(tmp_path: Path, tensors: Any) -> None:
    with pytest.raises(ParameterError, match=r"^(a tensor's name|tensor 'x') must be"):
        write_model(tmp_path / "m", {}, tensors)
    assert not list(tmp_path.iterdir())


def test_a_table_over_the_limit_is_refused_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "MAX_TABLE", 1000)
    with pytest.raises(ParameterError, match="at most 1000 bytes"):
        write_model(tmp_path / "m", {"a": "x" * 1000}, {})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_whole(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_model(saved, {}, {})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


# --------------------------------------------------------------------------------- refused when reading


def test_every_flipped_bit_is_refused_or_changes_nothing(saved: Path) -> None:
    whole, expected = saved.read_bytes(), content(saved)
    accepted, messages = 0, set()
    with open(saved, "r+b", buffering=0) as file:  # changed in place: some disks flush what is written anew
        for position in range(8 * len(whole)):
            place, bit = divmod(position, 8)
            file.seek(place)
            file.write(bytes([whole[place] ^ 1 << bit]))
            try:
                found = content(saved)
            except ModelFileError as error:
                messages.add(str(error))
            else:
                assert found == expected
                accepted += 1
            file.seek(place)
            file.write(whole[place : place + 1])
    assert all(text.startswith(f"{saved}: ") and len(text.splitlines()) == 1 for text in messages)
    assert accepted <= 16  # such as the case of a hexadecimal digit in a \u escape


def test_every_truncation_is_refused(saved: Path) -> None:
    for size in reversed(range(saved.stat().st_size)):
        os.truncate(saved, size)
        assert "pickle" not in refusal(saved)


def test_appended_bytes_are_refused(saved: Path) -> None:
    refusal(saved, saved.read_bytes() + b"\0")


@pytest.mark.parametrize("length", [0x0480, 0x020280])
def test_a_file_whose_table_length_looks_like_a_pickle_is_read(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m"
    write_model(path, {"a": ""}, TENSORS)
    short = length - int.from_bytes(path.read_bytes()[:8], "little")
    write_model(path, {"a": "x" * short}, TENSORS)
    data = path.read_bytes()
    assert data[:2] in (b"\x80\x04", b"\x80\x02")
    assert read_model(path)[0] == {"a": "x" * short}
    assert "truncated" in refusal(path, data[:100])


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    for size in [1, 2, 7, 8, 9, 10, 100, 5000]:
        for _ in range(20):
            refusal(tmp_path / "m", rng.randbytes(size))


def test_an_empty_file_is_named_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "m", b"").startswith("is empty; ")


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (self.path, "w")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.csv", "is not a run folder or a .safetensors model; give one"),
        ("m.safetensors", "is truncated or not a safetensors file; copy it again"),
    ],
)
def test_what_is_not_named_like_a_model_is_said_to_be_none(tmp_path: Path, name: str, message: str) -> None:
    assert refusal(tmp_path / name, b"a,b,c\n1,2,3\n4,5,6\n").startswith(message)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    message = refusal(tmp_path / "m", pickle.dumps(Bomb(tmp_path / "ran"), protocol))
    assert protocol < 2 or message.startswith("looks like a pickle; stackae never unpickles")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_save_is_named_and_not_run(tmp_path: Path, zipped: bool) -> None:
    torch.save({"w": Bomb(tmp_path / "ran")}, tmp_path / "m", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path / "m", (tmp_path / "m").read_bytes())
    assert message.startswith("looks like a zip" if zipped else "looks like a pickle")
    assert "stackae never unpickles" in message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("claim", [2**63, 2**64 - 1, 100_000_001, 10_000])
def test_a_table_longer_than_the_file_is_refused(saved: Path, claim: int) -> None:
    assert "truncated" in refusal(saved, claim.to_bytes(8, "little") + saved.read_bytes()[8:])


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_from_elsewhere_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    data = safetensors.torch.save({"w": torch.ones(2)}, metadata)
    assert refusal(tmp_path / "m", data).startswith("was not written by stackae; ")


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("2", "was written by a newer stackae (format 2); upgrade"),
        ("10", "was written by a newer stackae (format 10); upgrade"),
        ("0", "has the unknown format version 0; "),
        ("²", "has the unknown format version ²; "),
        ("9" * 10_000, "has the unknown format version 9999"),
        ([2], "has the unknown format version [2]; "),
        (None, "has the unknown format version None; "),
    ],
)
def test_another_format_version_is_refused(saved: Path, version: Any, message: str) -> None:
    table, payload = split(saved.read_bytes())
    table["__metadata__"]["format_version"] = version
    assert refusal(saved, join(table, payload)).startswith(message)


def forged(header: str) -> bytes:
    """A file without tensors whose digest fits whatever its header says."""
    digest = hashlib.sha256(header.encode()).hexdigest()
    metadata = {"format": "stackae", "format_version": "1", "header": header, "sha256": digest}
    return join({"__metadata__": metadata}, b"")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "header cannot be read: Expecting value"),
        ("{", "header cannot be read"),
        ("[1]", "it is not a JSON object"),
        ('{"a":1,"a":2}', "the key 'a' stands there twice"),
        ('{"a":NaN}', "header['a'] must be finite, got nan"),
        ('{"a":-1e999}', "header['a'] must be finite, got -inf"),
        ('{"a":' + "[" * 200 + "]" * 200 + "}", "nested more than 100 deep"),
        ('{"a":' * 1_000_000, "header cannot be read: maximum recursion depth"),
        ('{"a":' + "1" * 5000 + "}", "header cannot be read"),
        ('{"\\u001b[31m\\n":[1e999]}', r"header['\x1b[31m\n'][0] must be finite"),
    ],
)
def test_a_bad_header_is_refused_though_its_digest_fits(tmp_path: Path, header: str, message: str) -> None:
    assert message in refusal(tmp_path / "m", forged(header))


def test_the_forgery_is_sound(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(forged('{"a": 1}'))
    assert read_model(tmp_path / "m") == ({"a": 1}, {})


@pytest.mark.parametrize(
    "text",
    [
        '{"w":{},"w":{}}',
        '{"__metadata__":{"format":"stackae","format":"stackae"}}',
        '{"w":' * 100_000,
        '{"w":nonsense}',
        '{"w":"\xff"',
    ],
)
def test_a_bad_safetensors_table_is_refused(tmp_path: Path, text: str) -> None:
    assert "safetensors table cannot be read" in refusal(tmp_path / "m", join(text, b""))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "I8", "shape": [24], "data_offsets": [0, 24]},
        {"dtype": "C64", "shape": [3], "data_offsets": [0, 24]},
        {"dtype": ["F32"], "shape": [2, 3], "data_offsets": [0, 24]},
        ["F32", [2, 3], [0, 24]],
        {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]},
        {"dtype": "I32", "shape": [2, 3], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [-2, -3], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [2**63, 0], "data_offsets": [24, 24]},
        {"dtype": "F32", "shape": [2, 3], "data_offsets": [2, 26]},
        {"dtype": "F32", "shape": [2, 3], "data_offsets": [-1, 2**70]},
        {"dtype": "F32"},
        None,
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(saved: Path, entry: Any) -> None:
    table, payload = split(saved.read_bytes())
    assert table["w"] == {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    table["w"] = entry
    refusal(saved, join(table, payload))


@pytest.mark.parametrize("shape", [[2**63, 0], [0, 2**62, 2**62]])
def test_an_empty_tensor_of_impossible_shape_is_refused(saved: Path, shape: list[int]) -> None:
    table, payload = split(saved.read_bytes())
    table["z"] = {"dtype": "F32", "shape": shape, "data_offsets": [len(payload), len(payload)]}
    assert refusal(saved, join(table, payload)).startswith("is damaged (")


def test_a_file_over_the_limit_is_refused_before_reading(saved: Path) -> None:
    size = saved.stat().st_size
    assert read_model(saved, max_bytes=size)[0] == HEADER
    with pytest.raises(ModelFileError, match=f"has {size} bytes, over the limit of {size - 1}"):
        read_model(saved, max_bytes=size - 1)
    with open(saved, "wb") as file:
        file.truncate(2**40)  # sparse: reading it would not fit into memory
    with pytest.raises(ModelFileError, match="over the limit"):
        read_model(saved, max_bytes=2**30)


def test_folders_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(os.devnull)
    for path in [tmp_path, tmp_path / "pipe", tmp_path / "link"]:
        with pytest.raises(ModelFileError, match="is not a regular file"):
            read_model(path)


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_model(tmp_path / "missing")


def test_a_path_with_a_line_break_still_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb"
    path.write_bytes(b"")
    with pytest.raises(ModelFileError) as caught:
        read_model(str(path))
    assert len(str(caught.value).splitlines()) == 1
