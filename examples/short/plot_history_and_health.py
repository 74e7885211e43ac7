"""
How training went
=================

After a fit, ``history_`` holds the loss after each epoch, for the pretraining of each layer and for fine-tuning.
``health_`` tells whether the layers are sound: whether units give the same output for all rows (*dead* units), and in
roughly how many directions the codes vary (the *effective rank*).
"""

from sklearn.datasets import load_digits

from stackae import StackedAutoencoder
from stackae.plotting import HealthDisplay, HistoryDisplay

stack = StackedAutoencoder((64, 8), random_state=0).fit(load_digits().data / 16)
history = HistoryDisplay.from_estimator(stack)

# %%

health = HealthDisplay.from_estimator(stack)
for number, layer in enumerate(stack.health_, 1):
    print(
        f"layer {number}: {layer['dead_units']:.1%} of the units dead, effective rank {layer['effective_rank']:.1f}"
    )
