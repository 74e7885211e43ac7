"""The model card: Hugging Face's fields, and Markdown in which names are text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import SHORT, small_stack
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoderClassifier
from stackae.report.rendering import _in_python


def front_matter(card):
    """The fields of the simple YAML that a card begins with."""
    assert card.startswith("---\n")
    head, body = card[4:].split("\n---\n", 1)
    fields, last = {}, None
    for line in head.splitlines():
        if line.startswith("- "):
            fields[last].append(line[2:])
        else:
            last, value = re.fullmatch(r"([a-z_]+):(?: (\S+))?", line).groups()
            fields[last] = [] if value is None else value
    return fields, body


def test_the_card_has_the_fields_and_no_licence_that_nobody_gave(report):
    fields, _ = front_matter(report.card)
    assert fields.keys() == {"library_name", "pipeline_tag", "tags"}
    assert fields["library_name"] == "stackae"
    assert fields["pipeline_tag"] == "feature-extraction"
    assert "autoencoder" in fields["tags"]


def test_the_card_tells_what_the_page_tells_without_the_pictures(of_digits):
    _, body = front_matter(of_digits.card)
    assert body.startswith("\n# StackedAutoencoder on digits\n")
    headings = re.findall(r"^## (.*)$", body, re.MULTILINE)
    assert headings[:4] == ["The data", "The layers", "Training", "Health"]
    assert headings[-2:] == ["How to make it again", "Limits"]
    assert "from stackae import StackedAutoencoder" in body
    assert "![" not in body


def test_tables_of_the_card_have_as_many_cells_in_every_line(of_a_table):
    _, body = front_matter(of_a_table.card)
    blocks = re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE)
    assert len(blocks) >= 4
    for block in blocks:
        head, rule, *lines = (re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines())
        assert all(re.fullmatch(r"-+:?", cell) for cell in rule)
        assert {len(head), len(rule)} == {len(line) for line in lines}


def test_lines_to_be_copied_run(of_digits):
    made, loaded = (lines for _, lines in of_digits.contents.section("replay").code)
    compile(made, "made", "exec")
    compile(loaded, "loaded", "exec")
    assert "Training(batch_size=32, max_epochs=3)" in made
    assert made.startswith("from stackae import StackedAutoencoder, Training\n")


@pytest.mark.parametrize("semi", [None, "auto"])
def test_lines_that_make_a_predictor_on_a_frozen_encoder_run_and_make_the_same(semi):
    X, y = load_iris(return_X_y=True)
    encoder = FrozenEstimator(small_stack((4, 2), random_state=0).fit(X))
    model = StackedAutoencoderClassifier(encoder, finetune=SHORT, semi=semi, random_state=0).fit(X, y)
    made = _in_python(model)[0][1]
    own = {"X": X, "y": y}
    exec(made, own)
    np.testing.assert_array_equal(own["model"].predict_proba(X), model.predict_proba(X))
    assert made.startswith("from sklearn.frozen import FrozenEstimator\nfrom stackae import ")
