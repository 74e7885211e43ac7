"""What is drawn is what the model draws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from stackae import Autoencoder
from stackae.exceptions import ParameterError
from stackae.plotting import SamplesDisplay


def test_images_are_the_samples(fitted):
    display = SamplesDisplay.from_estimator(
        fitted.generative, n_samples=5, image_shape=(8, 8), random_state=3
    )
    expected = fitted.generative.sample(5, random_state=3).reshape(5, 8, 8)
    drawn = np.array([image.get_array() for image in display.ax_.images])
    np.testing.assert_allclose(drawn, expected)
    assert display.ax_.get_title() == "5 new samples"


def test_series_are_the_samples(fitted):
    display = SamplesDisplay.from_estimator(fitted.generative, sequence_shape=(32, 2), random_state=3)
    expected = fitted.generative.sample(3, random_state=3).reshape(3, 32, 2)
    for axes, series in zip(display.axes_, expected, strict=True):
        assert len(axes.lines) == 2
        np.testing.assert_allclose(axes.lines[1].get_ydata(), series[:, 1])


def test_rows_of_a_table_are_told_in_the_users_words(fitted):
    display = SamplesDisplay.from_estimator(fitted.generative_table, n_samples=2, random_state=3)
    expected = fitted.generative_table.sample(2, random_state=3)
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts[:3] == ["column", "new 1", "new 2"]
    place = texts.index("city")
    assert texts[place + 1 : place + 3] == expected["city"].tolist()
    assert "passport" not in texts


def test_a_model_without_a_prior_is_refused(fitted):
    with pytest.raises(ParameterError, match="only a layer with a prior on its code can be sampled from"):
        SamplesDisplay.from_estimator(fitted.stack)
    with pytest.raises(NotFittedError):
        SamplesDisplay.from_estimator(Autoencoder(2, code="variational"))
