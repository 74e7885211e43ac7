"""
Coming from Keras, MATLAB, dfencoder or PCA
===========================================

If you know one of these, find here how the same is done with stackae. The code for stackae was run to make this page; the code
for the other libraries is only shown.
"""

# %%
# From PCA
# --------
# The methods have the same names. One differs: ``score`` is the R² of the reconstructions, where PCA's is a log-likelihood.

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA

from stackae import (
    Autoencoder,
    KLSparsity,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    Swap,
    Training,
)

X = load_breast_cancer().data
Z = (X - X.mean(0)) / X.std(0)  # for PCA; the stack standardises by itself
pca = PCA(4).fit(Z)
stack = StackedAutoencoder(4, random_state=0).fit(Z)
print(f"R²: PCA {pca.explained_variance_ratio_.sum():.3f}, stack {stack.score(Z):.3f}")
print(
    stack.transform(Z).shape,
    stack.inverse_transform(stack.transform(Z)).shape,
    stack.get_feature_names_out()[:2],
)

# %%
# ===================================  ====================================================================
# PCA                                  stackae
# ===================================  ====================================================================
# ``PCA(4)``                           ``StackedAutoencoder(4)``
# ``StandardScaler()`` before it       not needed: ``scale="auto"``
# ``components_``                      ``loadings(X)``: codes × columns; ``components_`` is the first layer's weights
# ``explained_variance_ratio_``        ``score(X)``; with ``ordered=True`` ``prefix_r2_``
# ``PCA(0.95)``                        ``StackedAutoencoder((256, "auto"))``, which chooses the width
# ``IncrementalPCA.partial_fit``       ``partial_fit``, or a memory map in ``fit``
# ===================================  ====================================================================
#
# From Keras
# ----------
# In Keras, training a stack one layer at a time and then as a whole takes a page of code:
#
# .. code-block:: python
#    :class: other-library
#
#    inputs = keras.Input((64,))
#    code1 = layers.Dense(32, activation="relu")(inputs)
#    first = keras.Model(inputs, layers.Dense(64)(code1))
#    first.compile("adam", "mse")
#    first.fit(X + noise, X, epochs=50, batch_size=64)  # layer 1, denoising
#    codes = keras.Model(inputs, code1).predict(X)
#    ...  # the same for layer 2, on the codes
#    ...  # then both joined, and trained end to end
#
# With stackae:

X, y = load_digits(return_X_y=True)
X = X / 16
stack = StackedAutoencoder(
    (32, 8),
    pretrain=Training(max_epochs=15),
    finetune=Training(max_epochs=15),
    random_state=0,
)
codes = stack.fit_transform(X)
print(
    codes.shape,
    pd.DataFrame(stack.history_)
    .groupby(["phase", "layer"], dropna=False)["loss"]
    .last()
    .round(3)
    .to_dict(),
)

# %%
# ==================================================  ===========================================================
# Keras                                               stackae
# ==================================================  ===========================================================
# ``model.fit(..., epochs=, batch_size=)``            ``Training(max_epochs=, batch_size=)``
# ``EarlyStopping(patience=10)``                      ``Training(patience=10)``, on a held-out tenth by default
# ``History``                                         ``history_``, one dict an epoch
# ``GaussianNoise(0.1)``, ``Dropout(0.3)``            ``GaussianNoise(0.1)``, ``Dropout(0.3)`` as ``corruption=``
# ``activity_regularizer=L1(1e-4)``                   ``penalty=L1(1e-4)``
# ``model.save("m.keras")``                           ``stack.save("m.safetensors")``, ``load``
# the model itself                                    ``module_``, a ``torch.nn.Module``
# ==================================================  ===========================================================
#
# From MATLAB: trainAutoencoder and stack
# ---------------------------------------
# Their documentation says that both functions will be removed.
#
# .. code-block:: matlab
#
#    autoenc1 = trainAutoencoder(X, 100, 'SparsityProportion', 0.15, 'SparsityRegularization', 4, 'L2WeightRegularization', 0.004);
#    feat1 = encode(autoenc1, X);
#    autoenc2 = trainAutoencoder(feat1, 50, 'SparsityProportion', 0.1);
#    softnet = trainSoftmaxLayer(encode(autoenc2, feat1), T);
#    deepnet = stack(autoenc1, autoenc2, softnet);
#    deepnet = train(deepnet, X, T);
#
# In stackae, samples are rows; in MATLAB they are columns. The layers below are sparse in the same way as MATLAB's: sigmoid units
# with a KL penalty on their mean activity.

layers = [
    Autoencoder(100, activation="sigmoid", penalty=KLSparsity(target=0.15, weight=4.0)),
    Autoencoder(50, activation="sigmoid", penalty=KLSparsity(target=0.1, weight=1.0)),
]
encoder = StackedAutoencoder(layers, pretrain=Training(max_epochs=20), finetune=None)
deepnet = StackedAutoencoderClassifier(
    encoder, finetune=Training(max_epochs=20), random_state=0
).fit(X[:1200], y[:1200])
print(f"accuracy on the other rows: {deepnet.score(X[1200:], y[1200:]):.1%}")

# %%
# ==============================================  ==============================================================
# MATLAB                                          stackae
# ==============================================  ==============================================================
# ``encode(net, X)``, ``decode``, ``predict``     ``transform``, ``inverse_transform``, ``reconstruct``
# ``plotWeights(autoenc1)``                       ``WeightsDisplay.from_estimator(layer, image_shape=(8, 8))``
# ``'ScaleData'``                                 ``scale=``
# ``stack(...)``, encoders only                   the stack keeps its decoders: it reconstructs and samples
# data in ``.mat`` files                          ``load_data("data.mat:X")``, any version
# ==============================================  ==============================================================
#
# From dfencoder
# --------------
# dfencoder fits an autoencoder with swap noise to a data frame:
#
# .. code-block:: python
#    :class: other-library
#
#    model = AutoEncoder(encoder_layers=[32, 8], decoder_layers=[8, 32], swap_p=0.15)
#    model.fit(df, epochs=10)
#    z = model.get_representation(df)
#    scores = model.get_anomaly_score(df)

frame = pd.DataFrame(
    {
        "species": ["Adelie", "Gentoo", "Chinstrap", "Gentoo", None] * 40,
        "bill": [39.1, 47.5, 49.0, None, 41.3] * 40,
        "mass": [3750, 5200, 3700, 5050, 3900] * 40,
    }
)
layers = [Autoencoder(32, corruption=Swap(0.15)), Autoencoder(8, corruption=Swap(0.15))]
model = StackedAutoencoder(
    layers, finetune=Training(corruption=Swap(0.15)), random_state=0
).fit(frame)
print(model.transform(frame).shape, (-model.score_samples(frame))[:2].round(3))
print(model.impute(frame).iloc[3:5])

# %%
# ==========================================  =================================================================
# dfencoder                                   stackae
# ==========================================  =================================================================
# ``swap_p=0.15``                             ``corruption=Swap(0.15)``; by default half of the cells are hidden
# ``get_representation(df)``                  ``transform(df)``
# ``get_anomaly_score(df)``                   ``-score_samples(df)``; cell by cell ``explain(df)``
# ``decode_to_df``, ``df_predict``            ``reconstruct(df)``, ``impute(df)``: frames like the one given
# ``scaler='gauss_rank'``                     ``TableEncoder(numeric="quantile")``, given as ``columns=``
# ==========================================  =================================================================
