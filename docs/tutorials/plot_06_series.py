"""
Series
======

Here each row is a time series, one column for each step. Three kinds of layers use the order of the steps to different
degrees: a dense layer ignores it, a convolutional layer slides short filters along the series, and a recurrent layer
reads it step by step.
"""

# %%
# We generate 450 noisy series of 48 steps, of three kinds: a wave, a ramp and a jump, which begin at a different step
# in each row. With series of your own, ``X`` is an array of series × steps and ``kind`` their class.

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
# Each model computes a code of 8 numbers. The output of a convolutional layer is wider (one number for each filter and
# pooled step), so a dense layer of 8 is put on top of it. Both reconstruction and code are judged on the test rows: by
# R², and by the accuracy of a logistic regression trained on the codes (a *linear probe*).

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
# R² cannot come near 1, since the noise cannot be predicted from 8 numbers. The reconstructions show the shapes without
# the noise:

display = ReconstructionDisplay.from_estimator(
    models["convolutional, dense"], X_test, sequence_shape=(48, 1)
)

# %%
# Series with several channels: flatten an array of series × steps × channels with ``X.reshape(len(X), -1)``, and give
# the shape to the network, ``Convolutional((steps, channels))`` or ``Recurrent((steps, channels))``. For an array of
# series × channels × steps, as in torch and aeon, do the same and add ``channels_first=True``. ``Recurrent`` also takes
# series of unequal length, padded at the end:
# see :class:`stackae.Recurrent`.
