"""What a notebook shows of an estimator: scikit-learn's diagram, then layers, health and phases."""

from __future__ import annotations

import re
from email.message import Message
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.utils import estimator_html_repr

from stackae import StackedAutoencoderClassifier, StackedAutoencoderDetector, load
from stackae.estimators._notebook import _table


class Tables(HTMLParser):
    """The captions, and the rows of cells, of the tables that are stackae's own."""

    def __init__(self, html):
        super().__init__()
        self.captions, self.rows, self._open = [], [], None
        self.feed(html[html.index('<div class="stackae-fitted">') :])

    def handle_starttag(self, tag, attrs):
        self._open = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self._open == "caption":
            self.captions.append(data)
        elif self._open in ("td", "th"):
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        self._open = None


@pytest.fixture
def X(digits):
    return digits[:200]


def test_a_fitted_stack_shows_its_layers_its_health_and_its_phases(X):
    model = small_stack().fit(X)
    html = model._repr_html_()
    assert html.startswith(re.sub(r"sk-container-id-\d+.*", "", estimator_html_repr(model), flags=re.S))
    tables = Tables(html)
    assert tables.captions[:2] == [f"64 inputs to {model.module_.widths[-1]} components", "Training"]
    layers, phases = tables.rows[:3], tables.rows[3:7]
    assert layers[0][:6] == ["layer", "units", "network", "activation", "loss", "scale"]
    for k, row in enumerate(layers[1:]):
        assert row[:2] == [str(k + 1), str(model.module_.widths[k])]
        assert row[6] == f"{model.health_[k]['dead_units']:.0%}"
        assert row[8] == f"{model.health_[k]['effective_rank']:.1f}"
    assert [row[:3] for row in phases[1:]] == [
        [name, "3", f"{model.history_[3 * k + 2]['loss']:.4g}"]
        for k, name in enumerate(["layer 1", "layer 2", "finetune"])
    ]


@pytest.mark.parametrize("shortcut", ["pca", None])
def test_what_else_the_parameters_came_to_is_folded_away(shortcut, X):
    model = small_stack(shortcut=shortcut).fit(X)
    html = model._repr_html_()
    shown, _, folded = html.rpartition("<details><summary>What else the parameters came to</summary>")
    assert "GaussianNoise" not in shown[shown.index('<div class="stackae-fitted">') :]
    assert folded.endswith("</table></details></div>")
    tables = Tables(html)
    told = "none" if shortcut is None else "from input to code and back, started as PCA"
    assert tables.captions[-1] == f"Shortcut: {told}"
    assert tables.rows[-3:] == [
        ["layer", "weights", "corruption", "code", "penalty"],
        *(
            [
                str(k),
                "tied" if layer.parts.tied_weights else "not tied",
                "GaussianNoise(on='input', scale=0.2)",
                "none",
                "none",
            ]
            for k, layer in enumerate(model.module_, 1)
        ),
    ]


def test_before_a_fit_it_is_scikit_learns_own(X):
    assert "stackae-fitted" not in small_stack()._repr_html_()
    assert "<td>" in small_stack()._repr_mimebundle_()["text/html"]


def test_predictors_and_loaded_models_are_shown_without_what_is_not_known(X, tmp_path):
    model = StackedAutoencoderClassifier(small_stack(), finetune=SHORT).fit(X, np.arange(200) % 2)
    assert [row[0] for row in Tables(model._repr_html_()).rows[4:8]] == [
        "layer 1", "layer 2", "finetune", "supervised",
    ]  # fmt: skip
    StackedAutoencoderDetector(small_stack()).fit(X)._repr_html_()
    model.save(tmp_path / "model.safetensors")
    loaded = Tables(load(tmp_path / "model.safetensors")._repr_html_())
    assert [row[-1] for row in loaded.rows[4:8]] == [""] * 4  # a file keeps no times
    alone = small_autoencoder().fit(X)
    alone._health = []
    assert "dead units" not in alone._repr_html_()


def test_what_users_name_is_escaped():
    assert "<td>&lt;b&gt;</td>" in _table("c", [], [["<b>"]])


def test_scikit_learns_setting_leaves_the_html_out(X):
    with sklearn.config_context(display="text"):
        assert not hasattr(small_stack().fit(X), "_repr_html_")


def test_the_diagram_links_to_the_documentation_where_the_package_names_one(monkeypatch, X):
    about = Message()
    monkeypatch.setattr("stackae.estimators._notebook.metadata", lambda name: about)
    assert small_stack()._get_doc_link() == ""
    about["Project-URL"] = "Source, https://example.org/source"
    about["Project-URL"] = "Documentation, https://example.org/docs"
    assert small_stack()._get_doc_link() == "https://example.org/docs"
    assert 'href="https://example.org/docs"' in small_stack()._repr_html_()


def test_a_layers_own_reconstruction_is_shown_where_it_was_last_trained_by_itself(X):
    assert "R² of its inputs" not in small_stack().fit(X)._repr_html_()
    assert "R² of its inputs" in small_stack(finetune=None).fit(X)._repr_html_()
    assert "R² of its inputs" in small_autoencoder().fit(X)._repr_html_()
