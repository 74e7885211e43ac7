"""The page: complete, escaped, whole in itself, readable by machines and by keyboards."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from io import BytesIO

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from helpers import small_autoencoder, small_stack
from report.pages import Page

from stackae.exceptions import ParameterError
from stackae.report import report_on

OF_ALL = ["data", "layers", "training", "health"]


def ids(report):
    return [section.id for section in report.contents.sections]


def test_every_section_stands_there_in_its_order(of_digits, of_a_table):
    with_rows = ["reconstructions", "codes", "loadings", "scree", "verdict", "replay"]
    assert ids(of_digits) == [*OF_ALL, "weights", *with_rows]
    assert ids(of_a_table) == [*OF_ALL, *with_rows]
    assert of_digits.contents.left_out == ()
    assert of_a_table.contents.left_out == ()


def test_the_headline_says_what_was_fitted_and_how_good_it_is(of_digits):
    contents = of_digits.contents
    assert contents.title == "StackedAutoencoder on digits"
    assert re.fullmatch(
        r"A stack of 2 layers that turns the 64 columns of a row into 3 codes\. It reconstructs \d+\.\d % of the variance of"
        r" 300 rows of digits; PCA of as many components, fitted to these rows, \d+\.\d %\.",
        contents.headline,
    )
    assert [name for name, _ in contents.facts] == [
        *("rows", "columns", "widths", "epochs", "training", "R² of these rows")
    ]
    assert dict(contents.facts)["widths"] == "64 → 8 → 3"


def test_the_result_against_pca_stands_at_the_top_and_leads_to_its_section(of_digits):
    (result,) = [section.result for section in of_digits.contents.sections if section.result]
    found = re.fullmatch(
        r"A logistic regression on the 3 codes is right on (\d+\.\d %) of 75 labelled rows held out from it; on 3 principal"
        r" components, on (\d+\.\d %); always answering the commonest class, on (\d+\.\d %)\..*",
        result,
    )
    lines = {line[0]: line for line in of_digits.contents.section("verdict").tables[0].lines}
    assert [lines[name][2] for name in ("stackae", "PCA", "commonest class")] == list(found.groups())
    at_the_top = of_digits.html[: of_digits.html.index("<main")]
    assert f'{result} <a href="#verdict">Against PCA</a>' in at_the_top
    assert of_digits.card.index(result) < of_digits.card.index("## The data")
    (gains,) = of_digits.contents.section("verdict").findings
    assert re.match(
        r"Linear probe [+-]\d+\.\d ± .*, k-NN probe .*, R² .*; fitted in .* s, PCA in .* s$", gains
    )
    probes = of_digits.contents.section("verdict").sentences[-1]
    assert re.match("Linear probe: a logistic regression .* k-NN probe: .* Clusters: k-means .* R²: ", probes)


def test_every_loss_is_told_by_what_it_is_and_per_column(of_digits, of_a_table):
    training = of_digits.contents.section("training")
    assert training.sentences[1:] == (
        "Layer 1 and fine-tuning: squared error of 64 columns, as they are.",
        "Layer 2: squared error of 8 codes of the layer below, in their common standard deviation.",
    )
    (table,) = training.tables
    for line, n_columns in zip(table.lines, (64, 8, 64), strict=True):
        cells = dict(zip(table.head, line, strict=True))
        judged = float(cells.get("held-out loss") or cells["loss"])
        assert float(cells["per column"]) == pytest.approx(judged / n_columns, rel=0.01)
    assert of_a_table.contents.section("training").sentences[1] == (
        "Layer 1 and fine-tuning: each column by its kind: squared error of 2 numbers, cross-entropy of 1 column of"
        " two values; numbers in standard deviations, 1 column of 0 and 1 as they are."
    )


def test_layers_are_told_in_plain_words_and_in_python_where_it_is_asked_for(of_a_table):
    layers = of_a_table.contents.section("layers")
    (table,) = layers.tables
    first = dict(zip(table.head, table.lines[0], strict=True))
    assert first["network"] == "dense"
    assert first["corruption"] == "50 % of the inputs hidden"
    assert not re.search(r"\w\(", " ".join(cell for line in table.lines for cell in line))
    ((_, code),) = layers.folded
    assert code.startswith("1: Dense(), Masking(level=0.5), PerFeature(")
    page = Page(of_a_table.html)
    assert len(page.all("details")) == 1
    assert code in of_a_table.card


def test_of_many_codes_the_strongest_are_told_which_is_said_and_values_that_count_as_1():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 12)), columns=[f"c{k}" for k in range(12)])
    table["sex"] = np.where(table["c0"] > 0, "male", "female")
    model = small_stack((30, 25)).fit(table)
    found = model.report(table).contents
    section = found.section("loadings")
    (told,) = section.tables
    assert told.caption == "The columns that move the 12 strongest of 25 codes most"
    strength = np.square(np.asarray(model.loadings(table))).sum(1)
    assert [line[0] for line in told.lines] == [str(code) for code in np.argsort(-strength)[:12]]
    assert "The strongest codes are those with the largest sum of squared loadings, the strongest first." in (
        section.sentences
    )
    assert any(sentence.startswith("sex=male: a column of two values") for sentence in section.sentences)
    assert section.figures[0].alt.startswith("Heat map of the 12 strongest of 25 codes")
    assert "sex=male is 1" in found.section("data").tables[0].lines[-1]


def test_tables_are_told_column_by_column_with_their_gaps(of_a_table):
    data = of_a_table.contents.section("data")
    assert data.sentences[0].startswith("The table had 4 columns: 2 of numbers, ")
    assert data.sentences[0].endswith("1 cell was missing in training.")
    assert data.sentences[-1].startswith("Labels (city): 3 classes, ")
    (table,) = data.tables
    assert [line[0] for line in table.lines] == [
        "weight (kg)",
        "a very long name of a column",
        "smokes",
        "passport",
    ]


def test_numbers_are_told_by_their_ranges_and_of_many_columns_the_first():
    X = np.random.default_rng(0).normal(size=(50, 40))
    X[:, 1] = 7
    data = small_stack().fit(X).report(X).contents.section("data")
    assert data.sentences[0].startswith("50 rows of 40 numbers, from ")
    (table,) = data.tables
    assert table.caption == "The columns: the first 30 of 40"
    assert len(table.lines) == 30
    assert table.lines[1] == ("x1", "7", "7", "7")


def test_the_page_is_valid(report):
    page = Page(report.html)
    assert page.faults == []
    assert report.html.startswith("<!DOCTYPE html>\n<html lang=")
    own = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(own)) == len(own)
    targets = [link["href"] for link in page.all("a")]
    assert {target.removeprefix("#") for target in targets} <= set(own)
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings == [1] + [2] * (len(headings) - 1)


def test_the_page_is_for_keyboards_and_screen_readers(report):
    page = Page(report.html)
    assert next(iter(page.all("a"))) == {"class": "skip", "href": "#main"}
    assert all(image["alt"] and len(image["alt"]) > 20 for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    assert all(
        region["tabindex"] == "0" and region["aria-label"] for region in page.all("div") if "role" in region
    )
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_the_page_needs_nothing_else_and_runs_nothing(report):
    page = Page(report.html)
    assert len(report.html) < 1_000_000
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe")]
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
    assert "url(" not in report.html
    assert "default-src 'none'" in report.html


def test_every_picture_is_a_png_as_large_as_it_says(report):
    images = Page(report.html).all("img")
    assert len(images) >= 6
    for image in images:
        picture = matplotlib.image.imread(BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        height, width = picture.shape[:2]
        assert (width // 2, height // 2) == (int(image["width"]), int(image["height"]))
        assert picture.std() > 0


NASTY = '<script>alert("x")</script>'


def test_names_of_strangers_are_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {NASTY: rng.normal(size=40), "a'b\"c`|*": rng.normal(size=40), "kind": ["<b>", "&amp;"] * 20}
    )
    stack = small_stack((3, 2)).fit(table)
    report = report_on(
        stack, table, table["kind"].rename("<i>"), made_from='"><img src=x onerror=y>.csv', title=None
    )
    page = Page(report.html)
    assert page.faults == []
    assert not [tag for tag, _ in page.tags if tag in ("script", "b", "i")]
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert NASTY in "".join(page.text)
    body = report.card.partition("\n# ")[2]
    outside_code = "".join(re.split(r"(?ms)^(`{3,})$.*?^\1$", body)[::2])
    assert "<" not in outside_code


def test_a_frame_shows_the_page_in_a_notebook_without_letting_it_out(of_series):
    (frame,) = Page(of_series._repr_html_()).all("iframe")
    assert frame["srcdoc"] == of_series.html
    assert frame["sandbox"] == ""


def test_a_report_is_saved_with_its_card_and_overwrites_nothing(of_series, tmp_path):
    of_series.save(tmp_path / "r.html", tmp_path / "card.md")
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == of_series.html
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == of_series.card
    (tmp_path / "card.md").unlink()
    with pytest.raises(FileExistsError, match="exists; choose another"):
        of_series.save(tmp_path / "r.html", tmp_path / "card.md")
    assert not (tmp_path / "card.md").exists()


def test_a_missing_library_is_named_in_one_line(monkeypatch, of_series):
    monkeypatch.setattr("stackae.report.rendering.find_spec", lambda name: None if name == "jinja2" else name)
    with pytest.raises(ParameterError, match=r"needs jinja2 and matplotlib; pip install 'stackae\[report\]'"):
        small_autoencoder().fit(np.eye(6)).report()


@pytest.mark.slow
def test_a_browser_shows_every_picture_and_has_nothing_to_complain_of(of_digits, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs chromium")
    of_digits.save(tmp_path / "r.html")
    # Asked through a page beside it, which may run scripts as the report may not.
    html = of_digits.html.replace("default-src 'none'", "script-src 'unsafe-inline'")
    asks = (
        "<script>onload = () => { document.title = 'shown ' + [...document.images].filter(i => i.naturalWidth > 0)"
        ".length + ' wide ' + (document.documentElement.scrollWidth <= innerWidth) }</script></body>"
    )
    (tmp_path / "asked.html").write_text(html.replace("</body>", asks), encoding="utf-8")
    for name, width in (("r", 1280), ("asked", 1280), ("asked", 500)):
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-logging=stderr",
                "--dump-dom",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--window-size={width},900",
                (tmp_path / f"{name}.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert "CONSOLE" not in done.stderr
        if name == "asked":
            n_images = len(Page(of_digits.html).all("img"))
            assert f"<title>shown {n_images} wide true</title>" in done.stdout
