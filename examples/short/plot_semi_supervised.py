"""
Rows without a label move the border
====================================

Two half-moons with three labelled rows each, and the border that a classifier draws between them: from the labels
alone; with ``Propagation``, which gives unlabelled rows the labels of their neighbours; and with
``VirtualAdversarial``, which asks that predictions stay the same when a row moves a little.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from stackae import Propagation, StackedAutoencoderClassifier, VirtualAdversarial

X, y = make_moons(300, noise=0.1, random_state=0)
few = np.full(300, np.nan)
known = np.concatenate([np.flatnonzero(y == c)[:3] for c in (0, 1)])
few[known] = y[known]
grid = np.stack(
    np.meshgrid(np.linspace(-1.5, 2.5, 90), np.linspace(-1, 1.5, 60)), axis=-1
).reshape(-1, 2)

fig, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, semi in zip(
    axes, (None, Propagation(), VirtualAdversarial(eps=0.3, weight=3.0)), strict=True
):
    model = StackedAutoencoderClassifier((64, 32), semi=semi, random_state=0).fit(
        X, few
    )
    ax.contourf(
        *grid.T.reshape(2, 60, 90),
        model.predict(grid).reshape(60, 90),
        levels=1,
        colors=["#dbe7f5", "#f6e0d2"],
    )
    ax.scatter(*X.T, s=4, color="#999999")
    ax.scatter(
        *X[known].T, c=["#2f6db5"] * 3 + ["#c2571a"] * 3, s=40, edgecolor="black"
    )
    ax.set_title(
        f"{'no semi' if semi is None else type(semi).__name__}: {model.score(X, y):.1%} right",
        fontsize=9,
    )
