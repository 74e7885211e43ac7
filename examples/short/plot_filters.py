"""
Filters of a convolutional layer
================================

A convolutional layer with eight filters of 3 × 3 pixels that slide over the digits. First the filters, then some digits
and their reconstructions.
"""

from sklearn.datasets import load_digits

from stackae import Autoencoder, Convolutional, Training
from stackae.plotting import ReconstructionDisplay, WeightsDisplay

X = load_digits().data / 16
layer = Autoencoder(
    8, network=Convolutional((8, 8)), training=Training(max_epochs=8), random_state=0
).fit(X)
weights = WeightsDisplay.from_estimator(layer, units=range(8))

# %%
images = ReconstructionDisplay.from_estimator(layer, X)
