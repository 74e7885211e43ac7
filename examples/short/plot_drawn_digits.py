"""
Draw new rows
=============

A variational autoencoder learns codes that are approximately normally distributed. So new rows can be generated: draw
codes from the standard normal distribution, and decode them. ``stack.sample(10)`` does this; the plot shows such
samples.
"""

from sklearn.datasets import load_digits

from stackae import Autoencoder, GaussianCode, StackedAutoencoder, Training
from stackae.plotting import SamplesDisplay

layers = [64, Autoencoder(8, code=GaussianCode(0.5))]
brief = Training(updates=1000)
stack = StackedAutoencoder(layers, pretrain=brief, finetune=brief, random_state=0)
stack.fit(load_digits().data / 16)
display = SamplesDisplay.from_estimator(stack, image_shape=(8, 8))
