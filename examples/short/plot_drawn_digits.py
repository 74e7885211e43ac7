"""
Draw new rows
=============

A variational code is normally distributed, so that new rows can be drawn: codes from the prior, decoded.
"""

from sklearn.datasets import load_digits

from stackae import Autoencoder, GaussianCode, StackedAutoencoder, Training
from stackae.plotting import SamplesDisplay

layers = [64, Autoencoder(8, code=GaussianCode(0.5))]
brief = Training(updates=1000)
stack = StackedAutoencoder(layers, pretrain=brief, finetune=brief, random_state=0)
stack.fit(load_digits().data / 16)
display = SamplesDisplay.from_estimator(stack, image_shape=(8, 8))
