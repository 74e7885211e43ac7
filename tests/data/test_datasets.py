import gzip
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from stackae.data import DATA_SETS, fingerprint, load_data
from stackae.exceptions import DataFileError, ParameterError

HOME = "STACKAE_DATA_HOME"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def put_mnist(folder: Path, joint: str = "-", packed: bool = False, parts=("train", "t10k")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for rows, part in enumerate(parts, 2):
        images = np.full((rows, 28, 28), 51, np.uint8)
        for kind, array in (("images", images), ("labels", np.arange(rows, dtype=np.uint8))):
            content = idx(array)
            name = f"{part}-{kind}{joint}idx{array.ndim}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture
def offline(monkeypatch):
    def fail(*_, **__):
        raise OSError("<urlopen error\nno network>")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    monkeypatch.delenv(HOME, raising=False)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "plants.csv"
    path.write_text("height,width,kind\n1,2,rose\n3,4,lily\n")
    return path


# digits


@pytest.mark.parametrize(("name", "rows"), [("digits", 1437), ("digits:train", 1437), ("digits:test", 360)])
def test_digits_are_split_80_to_20_into_grey_levels_from_0_to_1(name, rows):
    data = load_data(name)
    assert data.X.shape == (rows, 64)
    assert data.X.dtype == np.float32
    assert (data.X.min(), data.X.max()) == (0, 1)
    assert data.y.shape == (rows,)
    assert data.y.dtype == np.int64
    assert data.feature_names[:2] == ["pixel_0_0", "pixel_0_1"]
    assert data.name == name


def test_the_bare_name_means_the_training_rows_every_time():
    first, again, train = load_data("digits"), load_data("digits"), load_data("digits:train")
    assert fingerprint(first.X) == fingerprint(again.X) == fingerprint(train.X)


def test_the_two_parts_of_the_digits_make_the_whole_and_have_the_same_share_of_every_class():
    train, test = load_data("digits:train"), load_data("digits:test")
    whole = sklearn.datasets.load_digits().data / 16
    both = np.vstack([train.X, test.X])
    assert sorted(map(tuple, both)) == sorted(map(tuple, whole))
    difference = np.bincount(train.y) / len(train.y) - np.bincount(test.y) / len(test.y)
    assert abs(difference).max() < 0.003


# MNIST and Fashion-MNIST


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(os.environ.get(HOME, "")) / "mnist").is_dir() or not os.environ.get(HOME),
    reason="STACKAE_DATA_HOME names no folder with mnist in it",
)
def test_mnist_has_its_official_rows_and_labels():
    train, test = load_data("mnist"), load_data("mnist:test")
    assert (train.X.shape, test.X.shape) == ((60_000, 784), (10_000, 784))
    assert train.X.dtype == np.float32
    assert (train.X.min(), train.X.max()) == (0, 1)
    assert train.X.mean() == pytest.approx(0.1306604762738429, rel=1e-4)
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert train.feature_names is None


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize("packed", [True, False])
def test_the_files_are_found_under_all_their_names(tmp_path, name, nested, joint, packed):
    put_mnist(tmp_path / name if nested else tmp_path, joint, packed)
    train, test = (load_data(f"{name}:{part}", data_home=tmp_path) for part in ("train", "test"))
    assert (train.X.shape, test.X.shape) == ((2, 784), (3, 784))
    np.testing.assert_array_equal(train.X, np.float32(0.2))
    assert test.y.tolist() == [0, 1, 2]
    assert test.y.dtype == np.int64


@pytest.mark.usefixtures("offline")
def test_the_folder_of_the_data_sets_own_name_comes_first(tmp_path):
    put_mnist(tmp_path)
    put_mnist(tmp_path / "fashion-mnist", parts=("t10k", "train"))
    assert len(load_data("mnist", data_home=tmp_path).X) == 2
    assert len(load_data("fashion-mnist", data_home=tmp_path).X) == 3


@pytest.mark.usefixtures("offline")
def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    put_mnist(tmp_path)
    monkeypatch.setenv(HOME, str(tmp_path))
    assert len(load_data("mnist").X) == 2


@pytest.mark.usefixtures("offline")
def test_a_folder_given_wins_over_the_environment(tmp_path, monkeypatch):
    put_mnist(tmp_path / "a")
    put_mnist(tmp_path / "b", parts=("t10k", "train"))
    monkeypatch.setenv(HOME, str(tmp_path / "a"))
    assert len(load_data("mnist", data_home=tmp_path / "b").X) == 3


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("parts", [(), ("t10k",)])
def test_a_folder_given_without_the_files_is_an_error_that_names_them(tmp_path, parts):
    put_mnist(tmp_path, parts=parts)
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\[\.gz\] and train-labels"):
        load_data("mnist", data_home=tmp_path)


@pytest.mark.usefixtures("offline")
def test_images_and_labels_that_differ_in_number_are_refused(tmp_path):
    put_mnist(tmp_path)
    shutil.copy(tmp_path / "t10k-labels-idx1-ubyte", tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(DataFileError, match="3 labels for the 2 rows"):
        load_data("mnist", data_home=tmp_path)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("home", [None, "", "empty"])
def test_without_files_a_failed_fetch_is_one_line_that_says_what_to_do(tmp_path, monkeypatch, home):
    if home is not None:
        monkeypatch.setenv(HOME, home and str(tmp_path))
    with pytest.raises(OSError, match=r"pass --data-home .* or set STACKAE_DATA_HOME") as caught:
        load_data("fashion-mnist")
    assert "no network" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "openml"), [("mnist", "mnist_784"), ("fashion-mnist", "Fashion-MNIST")])
def test_without_files_the_rows_come_from_openml_the_first_60_000_for_training(monkeypatch, name, openml):
    asked = {}

    def fetch(name, **options):
        asked.update(options, name=name)
        X = np.zeros((70_000, 784), np.uint8)
        X[60_000:] = 255
        return X, np.array(["3"] * 60_000 + ["7"] * 10_000, dtype=object)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    monkeypatch.delenv(HOME, raising=False)
    train, test = load_data(name), load_data(f"{name}:test")
    assert (asked["name"], asked["version"], asked["as_frame"]) == (openml, 1, False)
    assert (train.X.shape, test.X.shape) == ((60_000, 784), (10_000, 784))
    assert train.X.dtype == test.X.dtype == np.float32
    assert (train.X.max(), test.X.min()) == (0, 1)
    assert (set(train.y), set(test.y)) == ({3}, {7})


# files


def test_a_file_is_read_with_its_label_column_and_without_dropped_ones(table):
    data = load_data(table, labels="kind", drop=["width"])
    assert data.X.tolist() == [[1], [3]]
    assert data.y.tolist() == ["rose", "lily"]
    assert data.feature_names == ["height"]
    assert data.name == "plants.csv"


def test_labels_may_be_a_file(table, tmp_path):
    np.save(tmp_path / "y.npy", [1, 0])
    data = load_data(str(table), labels=tmp_path / "y.npy", drop=["kind"])
    assert data.y.tolist() == [1, 0]
    assert data.X.shape == (2, 2)


def test_as_many_labels_as_rows_or_an_error_with_both_numbers(table, tmp_path):
    np.save(tmp_path / "y.npy", [1, 0, 1])
    with pytest.raises(DataFileError, match=r"y\.npy: 3 labels for the 2 rows of .*plants\.csv"):
        load_data(table, labels=tmp_path / "y.npy", drop=["kind"])


def test_a_file_without_labels_has_none(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3)))
    data = load_data(tmp_path / "a.npy")
    assert data.y is None
    assert data.feature_names is None


@pytest.mark.parametrize(
    "source", ["dgits", "mnist:validation", "digits:", "missing.csv", "mnist:train:test"]
)
def test_what_is_neither_file_nor_name_is_refused_with_the_names(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="the data sets are digits, mnist, fashion-mnist"):
        load_data(source)


def test_a_name_wins_over_a_file_and_a_dot_and_slash_means_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("no table")
    assert load_data("digits").X.shape == (1437, 64)
    for source in ("./digits", Path("digits")):
        with pytest.raises(DataFileError, match="unknown kind of file"):
            load_data(source)


def test_a_name_may_be_given_as_a_path():
    assert load_data(Path("digits:test")).X.shape == (360, 64)


@pytest.mark.parametrize("options", [{"drop": ["pixel_0_0"]}, {"labels": "kind"}])
def test_columns_and_labels_of_a_data_set_cannot_be_chosen(options):
    with pytest.raises(ParameterError, match="are for files"):
        load_data("digits", **options)


def test_the_table_of_data_sets_has_the_documented_names():
    assert list(DATA_SETS) == ["digits", "mnist", "fashion-mnist"]


# fingerprints


def test_a_fingerprint_depends_on_numbers_type_and_shape():
    a = np.arange(6.0).reshape(2, 3)
    changed = a.copy()
    changed[1, 2] = np.nextafter(5, 6)
    different = [a, a.astype(np.float32), a.reshape(3, 2), a.reshape(6), changed, a[:1], np.zeros((0, 3))]
    prints = {fingerprint(array) for array in different}
    assert len(prints) == len(different)
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in prints)


def test_a_fingerprint_does_not_depend_on_the_layout_in_memory(tmp_path):
    a = np.random.default_rng(0).normal(size=(300, 5000))  # more than one block
    np.save(tmp_path / "a.npy", a)
    layouts = [
        np.asfortranarray(a),
        a[::-1].copy()[::-1],
        a.astype(">f8"),
        np.load(tmp_path / "a.npy", mmap_mode="r"),
    ]
    assert {fingerprint(array) for array in layouts} == {fingerprint(a)}


def test_importing_the_package_loads_no_heavy_library():
    program = (
        "import sys, stackae.data; "
        "print([name for name in ('torch', 'sklearn', 'pandas', 'pyarrow', 'scipy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
