"""
Draw new rows
=============

A variational code is normally distributed, so that new rows can be drawn: codes from the prior, decoded.
"""

from sklearn.datasets import load_digits

from stackae import Autoencoder, GaussianCode, StackedAutoencoder
from stackae.plotting import SamplesDisplay

stack = StackedAutoencoder([64, Autoencoder(8, code=GaussianCode(0.5))], random_state=0).fit(
    load_digits().data / 16
)
display = SamplesDisplay.from_estimator(stack, image_shape=(8, 8))
