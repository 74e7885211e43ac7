"""
Series
======

A row is a series: values side by side in time. Three networks know this to a different degree: a dense layer sees columns, a
convolutional one slides short filters along, a recurrent one reads step by step.
"""

# %%
# Four hundred and fifty series of 48 steps, of three shapes: waves, ramps, steps. Where a shape begins differs from row to row.

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import Autoencoder, Convolutional, Recurrent, StackedAutoencoder, Training
from stackae.plotting import ReconstructionDisplay

rng = np.random.default_rng(0)
n, time = 450, np.arange(48)
kind = np.arange(n) % 3
start = rng.uniform(0, 30, (n, 1))
shapes = [
    np.sin((time - start) / 3),
    np.clip((time - start) / 12, -1, 1),
    np.sign(time - start - 8),
]
X = np.choose(kind[:, None], shapes) + 0.3 * rng.normal(size=(n, 48))
X_train, X_test, y_train, y_test = train_test_split(
    X, kind, stratify=kind, random_state=0
)

# %%
# The same number of numbers for each, 8. A convolutional layer has a unit for every filter and pooled step, so that it stands
# below a dense one.

brief = Training(updates=600)
filters = Autoencoder(
    8, network=Convolutional((48, 1), kernel_size=5, pool=4), training=brief
)
models = {
    "dense": StackedAutoencoder((64, 8), random_state=0),
    "convolutional, dense": StackedAutoencoder(
        (filters, 8), finetune=Training(updates=1500), random_state=0
    ),
    "recurrent": Autoencoder(
        8,
        network=Recurrent((48, 1), cell="lstm"),
        training=Training(max_epochs=60),
        random_state=0,
    ),
    "PCA": make_pipeline(StandardScaler(), PCA(8)),
}
print(f"{'':22}R² of test rows   linear probe")
for name, model in models.items():
    codes = model.fit(X_train).transform(X_train)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(
        codes, y_train
    )
    back = model.inverse_transform(model.transform(X_test))
    r2 = r2_score(X_test, back, multioutput="variance_weighted")
    print(
        f"{name:22}{r2:.3f}             {probe.score(model.transform(X_test), y_test):.1%}"
    )

# %%
# The noise of 0.3 cannot be reconstructed, and need not be: what is left are the shapes.

display = ReconstructionDisplay.from_estimator(
    models["convolutional, dense"], X_test, sequence_shape=(48, 1)
)

# %%
# Several channels: ``Convolutional((steps, channels))`` and ``Recurrent((steps, channels))`` read a row as steps of channels side
# by side, as scikit-learn's reshape gives them. Arrays that are samples × channels × steps, as torch and aeon have them, are
# flattened by ``X.reshape(len(X), -1)`` and told apart by ``channels_first=True``. Series of unequal length are padded with
# ``Recurrent``: see its page, :class:`stackae.Recurrent`.
