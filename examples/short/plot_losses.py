"""
Four losses
===========

How much each cell adds to the loss, by its reconstruction error. Squared error and Huber's loss are for numbers (left),
cross-entropy is for values within [0, 1] (right, for three true values x). The fourth, ``PerFeature``, uses for each
column of a table the loss that suits it.
"""

import matplotlib.pyplot as plt
import torch

from stackae import CrossEntropy, Huber, SquaredError

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
off = torch.linspace(-4, 4, 200)
for loss, colour in (
    (SquaredError(), "#2f6db5"),
    (Huber(1.0), "#c2571a"),
    (Huber(0.3), "#777777"),
):
    cost = [
        float(loss(e.reshape(1, 1), e.reshape(1, 1), torch.zeros(1, 1))) for e in off
    ]
    left.plot(off, cost, color=colour, label=repr(loss))
left.set(xlabel="x̂ - x", ylabel="cost of a cell", ylim=(0, 8))
left.legend(frameon=False, fontsize=8)

logits = torch.linspace(-6, 6, 200)
for target, colour in ((1.0, "#2f6db5"), (0.5, "#777777"), (0.0, "#c2571a")):
    cost = [
        float(
            CrossEntropy()(
                z.reshape(1, 1), z.sigmoid().reshape(1, 1), torch.full((1, 1), target)
            )
        )
        for z in logits
    ]
    right.plot(
        logits.sigmoid(), cost, color=colour, label=f"CrossEntropy(), x = {target}"
    )
right.set(xlabel="x̂")
right.legend(frameon=False, fontsize=8)
