"""Folders of images: a row each, and a label a subfolder."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from array_files import refused
from PIL import Image

from stackae.data import MappedMatrix, load_data

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


def write(folder, images, ending=".png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{k}{ending}", **options)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
@pytest.mark.parametrize("images", [GREY, RGB], ids=["grey", "RGB"])
def test_images_are_rows_of_pixels_in_the_unit_range(tmp_path, images, ending):
    write(tmp_path / "pictures", images, ending)
    data = load_data(tmp_path / "pictures")
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X, images.reshape(6, -1) / np.float32(255))
    assert (data.y, data.feature_names, data.name) == (None, None, "pictures")


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_jpegs_are_read(tmp_path, ending):
    write(tmp_path, np.full((3, 8, 8), 128, np.uint8), ending)
    np.testing.assert_allclose(load_data(tmp_path).X, np.full((3, 64), 128 / 255), atol=0.01)


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (Image.fromarray(GREY[0] > 127), (GREY[0] > 127).astype(float)),
        (Image.fromarray(GREY[0].astype(np.uint16) * 257), GREY[0] / 255),
        (Image.fromarray(RGB[0]).convert("RGBA"), np.dstack([RGB[0] / 255, np.ones((5, 4))])),
        (Image.fromarray(RGB[0]).quantize(256), RGB[0] / 255),
        (Image.fromarray(GREY[0]).convert("LA"), np.dstack([GREY[0] / 255, np.ones((5, 4))])),
    ],
    ids=["1", "I;16", "RGBA", "P", "LA"],
)
def test_white_is_1_in_every_mode(tmp_path, image, wanted):
    image.save(tmp_path / "a.png")
    np.testing.assert_allclose(
        load_data(tmp_path).X, wanted.reshape(1, -1), atol=0 if image.mode != "P" else 1e-6
    )


def test_subfolders_are_labels_in_the_order_of_their_names(tmp_path):
    write(tmp_path / "cat", GREY[:2])
    write(tmp_path / "ant", GREY[2:])
    (tmp_path / "readme.txt").write_text("no image")
    write(tmp_path / ".hidden", RGB)
    data = load_data(tmp_path)
    assert data.y.tolist() == ["ant"] * 4 + ["cat"] * 2
    np.testing.assert_array_equal(data.X, np.vstack([GREY[2:], GREY[:2]]).reshape(6, -1) / np.float32(255))


def test_subfolders_that_are_numbers_are_whole_numbers(tmp_path):
    write(tmp_path / "0", GREY[:2])
    write(tmp_path / "10", GREY[2:])
    assert load_data(tmp_path).y.tolist() == [0, 0, 10, 10, 10, 10]


def test_a_file_of_labels_serves_images_straight_in_the_folder(tmp_path):
    write(tmp_path / "pictures", GREY)
    np.save(tmp_path / "y.npy", np.arange(6))
    assert load_data(tmp_path / "pictures", labels=tmp_path / "y.npy").y.tolist() == [0, 1, 2, 3, 4, 5]
    refused(tmp_path / "pictures", "a folder of images has no column names", labels="kind")
    refused(tmp_path / "pictures", "a folder of images has no header", header=True)


def test_links_to_images_are_followed(tmp_path):
    write(tmp_path / "store", GREY)
    (tmp_path / "kinds").mkdir()
    os.symlink(tmp_path / "store", tmp_path / "kinds" / "ant")
    os.symlink(tmp_path / "store" / "0.png", tmp_path / "kinds" / "x")  # no folder, and no image by its name
    assert load_data(tmp_path / "kinds").X.shape == (6, 20)


def test_images_that_exceed_the_memory_go_to_the_disk(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 400, 400), dtype=np.uint8)
    write(tmp_path, images, ".bmp")
    data = load_data(tmp_path, max_memory="16MiB")
    assert isinstance(data.X, MappedMatrix)
    by_name = images[sorted(range(30), key=str)]
    np.testing.assert_array_equal(np.asarray(data.X), by_name.reshape(30, -1) / np.float32(255))


def test_the_first_image_of_another_size_or_mode_is_refused(tmp_path):
    write(tmp_path, GREY)
    Image.fromarray(GREY[0].T).save(tmp_path / "3.png")
    first = f"where {tmp_path / '0.png'} has 5 × 4 pixels of mode L"
    refused(tmp_path, f"4 × 5 pixels of mode L, {first}", "resize", file=tmp_path / "3.png")
    Image.fromarray(RGB[0]).save(tmp_path / "2.png")
    refused(tmp_path, f"5 × 4 pixels of mode RGB, {first}", file=tmp_path / "2.png")


def test_modes_that_are_no_plain_colours_are_refused(tmp_path):
    Image.fromarray(RGB[0]).convert("CMYK").save(tmp_path / "0.jpg")
    refused(tmp_path, "an image of mode CMYK", "convert all of them", file=tmp_path / "0.jpg")


def test_several_images_in_one_file_are_refused(tmp_path):
    pages = [Image.fromarray(image) for image in GREY[:3]]
    pages[0].save(tmp_path / "0.tif", save_all=True, append_images=pages[1:])
    refused(tmp_path, "3 images in one file", file=tmp_path / "0.tif")


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif"])
def test_a_truncated_image_is_refused(tmp_path, ending, share):
    write(tmp_path, np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8), ending)
    path = tmp_path / f"1{ending}"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(tmp_path, "damaged, or not an image", file=path)


def test_an_image_by_its_name_alone_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    refused(tmp_path, "damaged, or not an image", file=tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    refused(tmp_path, "a pipe or a device", file=tmp_path / "a.png")


def test_a_decompression_bomb_is_refused_by_pillows_own_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    write(tmp_path, np.zeros((1, 50, 30), np.uint8))
    refused(tmp_path, "decompression bomb", file=tmp_path / "0.png")


def test_many_images_that_are_nearly_nothing_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("stackae.data._arrays.BOMB_SIZE", 2**16)
    monkeypatch.setattr("stackae.data._arrays.BOMB_RATIO", 100)
    monkeypatch.setattr("stackae.data._images.room_for", None)
    write(tmp_path, np.zeros((2, 400, 400), np.uint8))
    refused(tmp_path, "refused as a decompression bomb (400 × 400 pixels of mode L)")


def test_images_in_and_beside_subfolders_are_refused(tmp_path):
    write(tmp_path, GREY)
    write(tmp_path / "cat", GREY)
    refused(tmp_path, "images both straight in the folder and in subfolders")


def test_a_folder_with_shards_stays_what_it_was(tmp_path):
    write(tmp_path, GREY)
    np.save(tmp_path / "rows.npy", np.zeros((3, 2)))
    assert load_data(tmp_path).X.shape == (3, 2)


def test_a_folder_of_neither_is_refused(tmp_path):
    write(tmp_path / "train" / "cat", GREY)
    refused(tmp_path, "a folder without .npy or .parquet files or images in it")


def test_without_pillow_a_sentence_says_how_to_have_it(tmp_path, monkeypatch):
    write(tmp_path, GREY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    refused(
        tmp_path,
        "reading images needs pillow; install it: pip install 'stackae[images]'",
        file=tmp_path / "0.png",
    )
