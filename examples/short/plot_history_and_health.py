"""
How training went
=================

The loss of every phase, and the health of the layers: units that never fire, or always do, and in how many directions the
codes spread.
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
