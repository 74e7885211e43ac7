"""
Probabilities that are right as often as they say
=================================================

A classifier of few labels is as a rule too sure. ``calibration=5`` divides its logits by a temperature that is found on labels
which five fits have not seen. Which class is predicted stays.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, Training

X, y = load_breast_cancer(return_X_y=True)
few = np.where(np.arange(len(y)) % 12 == 0, y, np.nan)
test = np.isnan(few)
encoder = FrozenEstimator(StackedAutoencoder((64, 16), shortcut=None, random_state=0).fit(X))

fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
for calibration, colour in ((None, "#777777"), (5, "#c2571a")):
    model = StackedAutoencoderClassifier(
        encoder, finetune=Training(max_epochs=40), calibration=calibration, random_state=0
    ).fit(X, few)
    proba = model.predict_proba(X[test])
    cost = log_loss(y[test], proba)
    ax.hist(
        proba.max(axis=1),
        bins=np.linspace(0.5, 1, 26),
        histtype="step",
        color=colour,
        linewidth=2,
        label=f"calibration={calibration}: log loss {cost:.3f}",
    )
ax.set(xlabel="probability of the class predicted", ylabel="test rows")
ax.legend(frameon=False, fontsize=8, loc="upper left")
print(f"right: {model.score(X[test], y[test]):.1%} of the test rows")
