"""The configurations of the golden fits: a name, and what is fitted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from golden_models import (
    Case,
    Fitted,
    asked_why,
    cached,
    classes,
    classifier,
    curved,
    digits,
    fit,
    fractional,
    frame,
    frozen,
    holes,
    in_pieces,
    kept,
    large,
    lone,
    mapped,
    on_encoder,
    on_stack,
    regressor,
    sequences,
    short,
    sparse,
    stack,
    table,
    two,
    two_valued,
    whole,
)
from sklearn.base import clone

import stackae as ae

# Configurations -------------------------------------------------------------------------------------------


def networks() -> dict[str, Case]:
    """A lone layer of every kind of network and activation."""
    variants: dict[str, Callable[[], Any]] = {
        "dense": lambda: lone(),
        "tied": lambda: lone(tied_weights=True),
        "wider than the rows": lambda: lone(80),
        "convolutional": lambda: lone(4, network="convolutional"),
        "convolutional, tied": lambda: lone(4, network="convolutional", tied_weights=True),
        "convolutional, 5 × 5, no pooling": lambda: lone(
            3, network=ae.Convolutional(image_shape=(8, 8), kernel_size=5, pool=1), loss="squared_error"
        ),
        "recurrent": lambda: lone(5, network=ae.Recurrent(sequence_shape=(8, 8), hidden=16)),
        "recurrent, lstm": lambda: lone(5, network=ae.Recurrent((8, 8), cell="lstm", hidden=8)),
        "pca": lambda: lone(network="pca"),
        "pca, tied": lambda: lone(network="pca", tied_weights=True, corruption="masking"),
        "marginalised": lambda: lone(network="marginalised"),
        "marginalised, masking": lambda: lone(network="marginalised", corruption="masking"),
        "marginalised, gaussian": lambda: lone(network="marginalised", corruption="gaussian"),
        "marginalised, swap": lambda: lone(network="marginalised", corruption="swap"),
        "marginalised, dropout": lambda: lone(
            network="marginalised", corruption=ae.Dropout(0.3, on="input"), activation="identity"
        ),
    }
    cases: dict[str, Case] = {
        f"network {name}": lambda make=make: fit(make(), digits(), more=("inverse_transform",))
        for name, make in variants.items()
    }
    for name in ("identity", "sigmoid", "tanh", "relu", "gelu", "silu", "softplus"):
        cases[f"activation {name}"] = lambda name=name: fit(lone(activation=name), digits())
        cases[f"activation {name}, tied, raw units"] = lambda name=name: fit(
            lone(5, activation=name, tied_weights=True), curved(300, 12)
        )
    cases["network recurrent, padded"] = lambda: fit(
        lone(4, network=ae.Recurrent((8, 2), hidden=12, padding=-9.0), corruption="gaussian"), sequences()
    )
    return cases


def corruptions() -> dict[str, Case]:
    """Every corruption at one level and at a pair of them, of the input, of the code, of both."""
    cases: dict[str, Case] = {}
    for name in ("Masking", "GaussianNoise", "SaltAndPepper", "Swap", "Dropout"):
        for what, level, place in (
            ("of the input", 0.3, "input"),
            ("falling", (0.5, 0.1), "input"),
            ("of the code", 0.25, "hidden"),
            ("of both, rising", (0.0, 0.4), "both"),
        ):
            cases[f"corruption {name} {what}"] = lambda name=name, level=level, place=place: fit(
                lone(corruption=getattr(ae, name)(level, on=place)), digits()
            )
    for name in ("masking", "gaussian", "salt-and-pepper", "swap", "dropout"):
        cases[f"corruption {name}, raw units"] = lambda name=name: fit(
            lone(6, corruption=name), curved(300, 12)
        )
    return cases


def codes() -> dict[str, Case]:
    """Codes, penalties and losses."""
    variants: dict[str, dict[str, Callable[[], Any]]] = {
        "code": {
            "topk": lambda: lone(24, code="topk"),
            "topk, counts": lambda: lone(24, code=ae.TopK(3, start=20, alpha=1.5), training=short(8)),
            "topk, tied": lambda: lone(24, code=ae.TopK(0.2), tied_weights=True, activation="identity"),
            "variational": lambda: lone(4, code="variational"),
            "variational, light": lambda: lone(4, code=ae.GaussianCode(0.1), corruption="masking"),
            "variational, convolutional": lambda: lone(2, code="variational", network="convolutional"),
        },
        "penalty": {
            "l1": lambda: lone(penalty="l1"),
            "l2": lambda: lone(penalty=ae.L2(0.1)),
            "kl": lambda: lone(penalty="kl"),
            "kl, heavy": lambda: lone(penalty=ae.KLSparsity(0.1, weight=3.0), tied_weights=True),
            "contractive": lambda: lone(penalty="contractive", activation="sigmoid", tied_weights=True),
            "contractive, estimated": lambda: lone(penalty=ae.Contractive(0.5), activation="gelu"),
            "adversarial": lambda: lone(4, penalty="adversarial"),
            "adversarial, uniform": lambda: lone(
                4, penalty=ae.Adversarial(5.0, prior="uniform", hidden=16), activation="tanh"
            ),
            "l1 and contractive": lambda: lone(penalty=["l1", "contractive"], activation="sigmoid"),
            "l2 and kl": lambda: lone(penalty=(ae.L2(0.01), ae.KLSparsity()), corruption="masking"),
        },
        "loss": {
            "squared_error": lambda: lone(loss="squared_error"),
            "cross_entropy": lambda: lone(loss="cross_entropy"),
            "huber": lambda: lone(loss=ae.Huber(0.2)),
            "per_feature": lambda: lone(loss="per_feature"),
            **{
                f"{name}, emphasis": lambda name=name: lone(
                    corruption="masking", loss=getattr(ae, name)(corrupted=1.0, intact=0.3)
                )
                for name in ("SquaredError", "CrossEntropy", "Huber", "PerFeature")
            },
        },
    }
    cases: dict[str, Case] = {}
    for part, makers in variants.items():
        for name, make in makers.items():
            prior = "variational" in name or "adversarial" in name
            more = ("sample",) if prior else ()
            cases[f"{part} {name}"] = lambda make=make, more=more: fit(make(), digits(), more=more)
    return {
        **cases,
        "loss huber, raw units": lambda: fit(lone(4, loss=ae.Huber(), corruption="swap"), table()),
        "loss per_feature, mixed table": lambda: fit(lone(4, loss="per_feature"), table()),
        "loss per_feature, chosen columns": lambda: fit(
            lone(4, loss=ae.PerFeature((5, 6), continuous="huber"), corruption="swap"), table()
        ),
        "loss cross_entropy, minmax": lambda: fit(lone(4, loss="cross_entropy", scale="minmax"), table()),
    }


def trainings() -> dict[str, Case]:
    """Optimizers, schedules, scales, precisions, budgets."""
    cases: dict[str, Case] = {}
    for name in ("adam", "adamw", "sgd"):
        cases[f"optimizer {name}"] = lambda name=name: fit(
            lone(training=short(optimizer=name, weight_decay=0.01)), digits()
        )
        cases[f"optimizer {name}, stack"] = lambda name=name: fit(
            two(pretrain=short(optimizer=name), finetune=short(optimizer=name, weight_decay=0.01)), digits()
        )
    for name in ("constant", "cosine", "one-cycle"):
        cases[f"schedule {name}"] = lambda name=name: fit(lone(training=short(4, schedule=name)), digits())
    for name in (None, "standard", "minmax", "auto"):
        cases[f"scale {name}"] = lambda name=name: fit(lone(5, scale=name), table())
        cases[f"scale {name}, stack"] = lambda name=name: fit(two(scale=name), curved(300, 12))
    for name in ("float32", "bfloat16", "auto"):
        cases[f"precision {name}"] = lambda name=name: fit(
            lone(precision=name, corruption="masking"), digits()
        )
        cases[f"precision {name}, stack by hand"] = lambda name=name: fit(two(precision=name), digits())
        cases[f"precision {name}, autograd"] = lambda name=name: fit(
            two({"penalty": "contractive", "activation": "sigmoid"}, precision=name), digits()
        )
    return {
        **cases,
        "optimizer sgd without momentum": lambda: fit(
            lone(training=short(optimizer="sgd", momentum=0.0, learning_rate=1e-3)), digits()
        ),
        "training auto": lambda: fit(ae.Autoencoder(8, random_state=0), curved(150, 6)),
        "training by updates": lambda: fit(lone(training=ae.Training(updates=60)), digits()),
        "training in large batches": lambda: fit(lone(training=short(batch_size=150)), digits()),
        "training stopped early": lambda: fit(
            lone(48, training=short(40, patience=2, learning_rate=0.05, tol=0.01)), digits()
        ),
        "training stopped early, stack": lambda: fit(
            two(
                pretrain=short(30, patience=1, learning_rate=0.05, tol=0.01),
                finetune=short(30, patience=1, learning_rate=0.05, tol=0.01),
            ),
            digits(),
        ),
        "training with no rows held out": lambda: fit(
            lone(training=short(validation_fraction=0.0)), digits()
        ),
        "training with no rows held out, stack": lambda: fit(
            two(pretrain=short(validation_fraction=0.0), finetune=short(validation_fraction=0.0)), digits()
        ),
        "training with half held out": lambda: fit(lone(training=short(validation_fraction=0.5)), digits()),
        "seed 7": lambda: fit(lone(random_state=7), digits()),
        "seed of a generator": lambda: fit(lone(random_state=np.random.RandomState(3)), digits()),
    }


def stacks() -> dict[str, Case]:
    """Stacks of layers given as Autoencoders, and how they are trained."""

    def of(*layers: tuple[int, dict[str, Any]], **parameters: Any) -> Any:
        return stack([ae.Autoencoder(width, **parts) for width, parts in layers], **parameters)

    makers: dict[str, Callable[[], Any]] = {
        "of one, not fine-tuned": lambda: of((12, {"corruption": "masking"}), finetune=None),
        "of one, fine-tuned": lambda: of((12, {}), finetune=short()),
        "of one, finetune auto": lambda: of((12, {}), finetune="auto"),
        "of two, by hand": lambda: two({"corruption": "gaussian"}, {"corruption": "masking"}),
        "of two, tied": lambda: two({"tied_weights": True}, {"tied_weights": True}),
        "of two, sigmoid and kl": lambda: two({"penalty": "kl"}, {"activation": "sigmoid", "penalty": "l1"}),
        "of two, contractive": lambda: two({"activation": "sigmoid", "penalty": "contractive"}),
        "of two, topk below": lambda: two({"code": "topk", "activation": "identity"}),
        "of two, variational above": lambda: two({"corruption": "swap"}, {"code": "variational"}),
        "of two, adversarial above": lambda: two({}, {"penalty": "adversarial"}),
        "of two, adversarial below": lambda: two({"penalty": ae.Adversarial(5.0, hidden=16)}),
        "of two, gelu and softplus": lambda: two({"activation": "gelu"}, {"activation": "softplus"}),
        "of two, huber": lambda: two({"loss": ae.Huber(0.3)}),
        "of two, emphasis": lambda: two(
            {"corruption": "masking", "loss": ae.CrossEntropy(corrupted=1.0, intact=0.2)},
            finetune=short(corruption="masking"),
        ),
        "of two, code damaged": lambda: two({"corruption": ae.Dropout(0.3)}, {"corruption": "dropout"}),
        "of two, pca below": lambda: two({"network": "pca"}),
        "of two, marginalised": lambda: two({"network": "marginalised", "corruption": "masking"}),
        "of three, by hand": lambda: of(
            (32, {"corruption": ae.Masking((0.5, 0.1))}), (16, {"corruption": "gaussian"}), (4, {})
        ),
        "of three, mixed": lambda: of(
            (32, {"activation": "sigmoid", "penalty": ["kl", "contractive"]}),
            (20, {"code": ae.TopK(4)}),
            (4, {"code": "variational"}),
        ),
        "of three, marginalised": lambda: of(
            *((width, {"network": "marginalised", "corruption": "gaussian"}) for width in (32, 16, 8))
        ),
        "convolutional": lambda: of(
            (4, {"network": "convolutional", "corruption": "masking"}), (6, {"network": "convolutional"})
        ),
        "convolutional, tied, then dense": lambda: of(
            (4, {"network": "convolutional", "tied_weights": True}), (16, {}), (4, {"tied_weights": True})
        ),
        "recurrent, then dense": lambda: of((10, {"network": ae.Recurrent((8, 8), hidden=12)}), (4, {})),
        "layers' own trainings": lambda: of(
            (24, {"training": short(5, optimizer="adamw")}),
            (12, {"training": ae.Training(updates=40)}),
            (4, {}),
        ),
        "not fine-tuned": lambda: two(finetune=None),
        "not pretrained": lambda: two(pretrain=None),
        "not trained at all": lambda: two(pretrain=None, finetune=None),
        "one layer pretrained": lambda: two({"training": short()}, pretrain=None),
        "fine-tuned from clean rows": lambda: two(finetune=short(corruption=None)),
        "fine-tuned with masking": lambda: two(finetune=short(corruption=ae.Masking((0.4, 0.0)))),
        "fine-tuned with several corruptions": lambda: two(
            finetune=short(corruption=["salt-and-pepper", ae.Dropout(0.2)])
        ),
        "fine-tuned, lower layers slower": lambda: two(finetune=short(layerwise_rate=0.5)),
        "output all": lambda: two(output="all"),
        "output all, three": lambda: of((24, {}), (12, {}), (4, {}), output="all"),
        "a width and a layer": lambda: stack([24, ae.Autoencoder(6, penalty="l2")]),
    }
    cases: dict[str, Case] = {
        f"stack {name}": lambda make=make: fit(make(), digits(), more=("inverse_transform", "score"))
        for name, make in makers.items()
    }
    for name, make in {"by hand": two, "contractive": partial(two, {"penalty": "contractive"})}.items():
        cases[f"stack, raw units, {name}"] = lambda make=make: fit(make(), curved(400, 16))
    cases["stack per_feature below"] = lambda: fit(two({"loss": "per_feature"}), table())
    cases["stack of sequences"] = lambda: fit(
        of((8, {"network": ae.Recurrent((8, 2), hidden=8, padding=-9.0)}), (3, {})), sequences()
    )
    return cases


def widths() -> dict[str, Case]:
    """Stacks of bare widths, beside a shortcut and without, and of a depth that is chosen."""

    def long(**parameters: Any) -> Any:
        """Trained for long enough that PCA does not reconstruct better."""
        given = {"pretrain": "auto", "finetune": ae.Training(updates=1500), "precision": "auto"}
        return stack((32, 8), **{**given, **parameters})

    def chosen(**parameters: Any) -> Any:
        return stack("auto", pretrain=short(2), finetune=short(2), precision="auto", **parameters)

    sets = {"digits": digits, "curved": curved}
    cases: dict[str, Case] = {}
    for name, rows in sets.items():
        makers: dict[str, Callable[[], Any]] = {
            "defaults": lambda: ae.StackedAutoencoder((32, 8), random_state=0),
            "short": lambda: stack((32, 8)),
            "shortcut None": lambda: stack((32, 8), shortcut=None),
            "shortcut None, three": lambda: stack((32, 16, 4), shortcut=None, precision="auto"),
            "three": lambda: stack((40, 24, 6), precision="auto"),
            "float32": lambda: long(precision="float32"),
            "no rows held out": lambda: stack((32, 8), finetune=short(validation_fraction=0.0)),
            "adamw": lambda: long(finetune=ae.Training(updates=1000, optimizer="adamw", weight_decay=0.01)),
            "own corruption": lambda: long(finetune=ae.Training(updates=1000, corruption="gaussian")),
            "not pretrained": lambda: long(pretrain=None),
            "output all": lambda: long(output="all"),
            "standard": lambda: long(scale="standard"),
        }
        for what, make in makers.items():
            cases[f"widths, {name}, {what}"] = lambda make=make, rows=rows: fit(
                make(), rows(), more=("inverse_transform", "score")
            )
    more: dict[str, Case] = {
        "widths, one": lambda: fit(stack((8,), finetune="auto"), digits()),
        "widths, as wide as the rows": lambda: fit(stack((24, 64), precision="auto"), digits()),
        "widths, not fine-tuned": lambda: fit(stack((32, 8), finetune=None), digits()),
        "widths, minmax": lambda: fit(long(scale="minmax"), curved()),
        "widths, two-valued, defaults": lambda: fit(
            ae.StackedAutoencoder((32, 8), random_state=0), two_valued(), more=("inverse_transform", "score")
        ),
        "widths, two-valued, float32": lambda: fit(
            long(precision="float32", finetune=ae.Training(updates=3000)), two_valued()
        ),
        "widths, two-valued, three": lambda: fit(
            ae.StackedAutoencoder((40, 24, 8), random_state=1), two_valued()
        ),
        "widths, two-valued, shortcut None": lambda: fit(stack((32, 8), shortcut=None), two_valued()),
        "widths, two-valued, sgd": lambda: fit(
            stack((32, 8), shortcut=None, finetune=short(optimizer="sgd")), two_valued()
        ),
        "widths, sparse": lambda: fit(long(), sparse(digits())),
        "widths, sparse, two-valued": lambda: fit(long(), sparse()),
        "widths, whole weights": lambda: fit(long(), digits(), sample_weight=whole(400)),
        "widths, fractional weights": lambda: fit(long(), digits(), sample_weight=fractional(400)),
        "widths, float32 rows": lambda: fit(long(), digits().astype(np.float32)),
        "depth chosen": lambda: fit(chosen(), digits()),
        "depth chosen by a probe": lambda: fit(chosen(), digits(), classes()),
        "depth chosen by numbers": lambda: fit(chosen(), curved(300), curved(300)[:, 0] % 1.0),
        "depth chosen, wide rows": lambda: fit(chosen(shortcut=None), curved(400, 80)),
        "depth chosen, cheap gains": lambda: fit(chosen(tol=0.0), curved(300, 12)),
    }
    return {**cases, **more}


def pieces() -> dict[str, Case]:
    """Learning piece by piece."""

    def after_fit(make: Callable[[], Any], X: Any) -> Fitted:
        return in_pieces(make().fit(X), X)

    def then_fit(make: Callable[[], Any], X: Any) -> Fitted:
        return fit(in_pieces(make(), X).model, X)

    makers: dict[str, Callable[[], Any]] = {
        "lone": lambda: lone(corruption="masking"),
        "lone, topk": lambda: lone(code="topk", activation="identity"),
        "lone, marginalised": lambda: lone(network="marginalised", corruption="masking"),
        "lone, pca": lambda: lone(network="pca"),
        "lone, adversarial": lambda: lone(4, penalty="adversarial"),
        "stack": lambda: two({"corruption": ae.Masking((0.5, 0.1))}),
        "stack, autograd": lambda: two({"activation": "sigmoid", "penalty": "contractive"}),
        "stack, not fine-tuned": lambda: two(finetune=None),
        "widths": lambda: stack((32, 8), precision="auto"),
        "widths, shortcut None": lambda: stack((32, 8), shortcut=None),
    }
    cases: dict[str, Case] = {}
    for name, make in makers.items():
        cases[f"pieces, {name}"] = lambda make=make: in_pieces(make(), digits())
        cases[f"pieces after fit, {name}"] = lambda make=make: after_fit(make, digits())
    return {
        **cases,
        "pieces after fit, two-valued": lambda: after_fit(
            lambda: ae.StackedAutoencoder((32, 8), random_state=0), two_valued()
        ),
        "pieces, then fit, lone": lambda: then_fit(lone, digits()),
        "pieces, then fit, stack": lambda: then_fit(two, digits()),
        "pieces, raw units": lambda: in_pieces(two(), curved(400)),
        "pieces, seven": lambda: in_pieces(lone(), curved(400, 12), n=7),
        "pieces, weights": lambda: in_pieces(two(), digits(), weights=fractional(400)),
        "pieces, whole weights": lambda: in_pieces(lone(), digits(), weights=whole(400)),
        "pieces, sparse": lambda: in_pieces(two(), sparse()),
        "pieces, missing": lambda: in_pieces(two(missing_values=np.nan), holes(digits())),
        "pieces, saved between": lambda: in_pieces(kept(in_pieces(two(), digits())).model, digits()),
    }


def rows() -> dict[str, Case]:
    """Every kind of rows: sparse, on the disk, weighed, with gaps, of other types, with names."""
    budget = {"max_memory": "16MiB"}
    once = {"pretrain": short(1, batch_size=256), "finetune": short(1, batch_size=256), **budget}
    makers: dict[str, Callable[..., Any]] = {"lone": lone, "stack": two}
    cases: dict[str, Case] = {}
    for name, make in makers.items():
        for what, n_rows in (("few", 80), ("many", 400)):
            for kind, weights in (("whole", whole), ("fractional", fractional)):
                cases[f"weights {kind}, {what} rows, {name}"] = (
                    lambda make=make, n_rows=n_rows, weights=weights: fit(
                        make(), digits()[:n_rows], sample_weight=weights(n_rows)
                    )
                )
        cases[f"few rows, {name}"] = lambda make=make: fit(make(), digits()[:150])
        cases[f"sparse, {name}"] = lambda make=make: fit(make(), sparse())
        cases[f"sparse, weights, {name}"] = lambda make=make: fit(
            make(), sparse(), sample_weight=fractional(400)
        )
        cases[f"sparse, raw units, {name}"] = lambda make=make: fit(make(), sparse(table() * 3))
        cases[f"mapped in memory, {name}"] = lambda make=make: fit(make(), mapped(digits()))
        cases[f"mapped in memory, float32, {name}"] = lambda make=make: fit(
            make(), mapped(curved().astype(np.float32))
        )
        for kind, dtype in (("float32", np.float32), ("float64", np.float64)):
            cases[f"{kind} rows, {name}"] = lambda make=make, dtype=dtype: fit(
                make(precision="auto"), curved(300).astype(dtype)
            )
        cases[f"integers, {name}"] = lambda make=make: fit(make(), np.round(digits() * 16).astype(np.int64))
        cases[f"columns of an array in another order, {name}"] = lambda make=make: fit(
            make(), np.asfortranarray(curved(300))
        )
        cases[f"data frame, {name}"] = lambda make=make: fit(make(), frame(table()))
        missing = {
            "": {"missing_values": np.nan},
            ", indicator": {"missing_values": np.nan, "add_indicator": True},
        }
        for kind, given in missing.items():
            cases[f"missing{kind}, {name}"] = lambda make=make, given=given: fit(
                make(**given), holes(digits()), more=("impute",)
            )
            cases[f"missing{kind}, raw units, {name}"] = lambda make=make, given=given: fit(
                make(**given), holes(table()), more=("impute",)
            )
        cases[f"missing, a number, {name}"] = lambda make=make: fit(
            make(missing_values=-1.0), holes(digits(), -1.0), more=("impute",)
        )
        cases[f"missing, weights, {name}"] = lambda make=make: fit(
            make(missing_values=np.nan), holes(digits()), sample_weight=fractional(400)
        )
    return {
        **cases,
        "missing, masking, lone": lambda: fit(
            lone(missing_values=np.nan, add_indicator=True, corruption="masking"), holes(digits())
        ),
        "missing, contractive stack": lambda: fit(
            two({"activation": "sigmoid", "penalty": "contractive"}, missing_values=np.nan), holes(digits())
        ),
        "missing, widths": lambda: fit(
            stack((24, 6), missing_values=np.nan, precision="auto"), holes(curved(400)), more=("impute",)
        ),
        "missing, widths, indicator": lambda: fit(
            stack((24, 6), missing_values=np.nan, add_indicator=True), holes(digits()), more=("impute",)
        ),
        "missing, mapped": lambda: fit(lone(missing_values=np.nan), mapped(holes(digits()))),
        "weights, few rows and gaps": lambda: fit(
            two(missing_values=np.nan), holes(digits()[:60]), sample_weight=whole(60)
        ),
        "weights, all one": lambda: fit(lone(), digits(), sample_weight=np.ones(400)),
        "streamed, lone": lambda: fit(
            lone(corruption="masking", training=short(1, batch_size=256), **budget), large()
        ),
        "streamed, stack": lambda: fit(two(**once), large()),
        "streamed, autograd": lambda: fit(
            two({"activation": "sigmoid", "penalty": "contractive"}, **once), large()
        ),
        "streamed, marginalised": lambda: fit(lone(network="marginalised", **budget), large()),
        "streamed, widths": lambda: fit(
            stack((32, 8), precision="auto", **{**once, "finetune": short(2, batch_size=256)}), large()
        ),
        "streamed, widths, shortcut None": lambda: fit(stack((32, 8), shortcut=None, **once), large()),
        "streamed, missing": lambda: fit(
            two(missing_values=np.nan, **once), mapped(holes(curved(70_000, 64)).astype(np.float32))
        ),
        "streamed, pieces": lambda: Fitted(two(**once).partial_fit(large()), large()[:2000]),
        "streamed, not from a map": lambda: fit(two(**once), np.array(large())),
        "streamed, float64": lambda: fit(two(**once), mapped(curved(40_000, 64))),
    }


def predictors() -> dict[str, Case]:
    """Classifiers and regressors."""

    def binary_labels() -> np.ndarray:
        return (classes() > 4).astype(int)

    def few_labels() -> np.ndarray:
        return np.where(np.arange(400) % 4 == 0, classes(), -1)

    def targets(X: np.ndarray) -> np.ndarray:
        return X[:, 0] * 3 + np.sin(X[:, 1]) + 5

    def outputs(X: np.ndarray) -> np.ndarray:
        return np.column_stack([targets(X), X[:, 2] ** 2, X[:, 3] * 100])

    def some(y: np.ndarray) -> np.ndarray:
        return np.where(np.random.default_rng(8).random(y.shape) < 0.5, np.nan, y)

    def pretrained(X: Any, **parameters: Any) -> Any:
        return two({"corruption": "gaussian"}, **parameters).fit(X)

    def machine(**parameters: Any) -> Any:
        """An encoder that is not fitted, for rows that are streamed."""
        once = short(1, batch_size=256)
        return stack(
            shortcut=None, pretrain=once, finetune=once, random_state=None, max_memory="16MiB", **parameters
        )

    def gaps(**parameters: Any) -> Any:
        return stack(shortcut=None, random_state=None, missing_values=np.nan, **parameters)

    def large_classes() -> np.ndarray:
        return (large()[:, 0] > np.median(large()[:, 0])).astype(int)

    classify: dict[str, Case] = {
        "widths": lambda: fit(on_encoder("Classifier"), digits(), classes()),
        "widths, float32, fine-tuned shortly": lambda: fit(
            on_encoder("Classifier", finetune=short(), precision="float32"), digits(), few_labels()
        ),
        "widths, pretrained shortly": lambda: fit(
            on_encoder("Classifier", encoder={"pretrain": short()}, finetune=short()),
            digits(),
            few_labels(),
        ),
        "layers": lambda: fit(
            on_encoder(
                "Classifier",
                [ae.Autoencoder(24, corruption="masking"), ae.Autoencoder(6, penalty="l1")],
                {"pretrain": short(), "scale": "standard"},
                finetune=short(),
            ),
            digits(),
            few_labels(),
        ),
        "widths, two-valued": lambda: fit(
            on_encoder("Classifier", encoder={"pretrain": short()}, finetune=short()),
            two_valued(),
            classes(),
        ),
        "widths, missing and indicator": lambda: fit(
            on_encoder(
                "Classifier",
                encoder={"pretrain": short(), "missing_values": np.nan, "add_indicator": True},
                finetune=short(),
            ),
            holes(digits()),
            few_labels(),
        ),
        "two classes": lambda: fit(classifier(), digits(), binary_labels()),
        "classes -1 and 1": lambda: fit(classifier(), digits(), 2 * binary_labels() - 1),
        "many classes": lambda: fit(classifier(), digits(), classes()),
        "names of classes": lambda: fit(classifier(), digits(), np.array(list("abcdefghij"))[classes()]),
        "few labels": lambda: fit(classifier(), digits(), few_labels()),
        "defaults of fine-tuning": lambda: fit(classifier(finetune="auto"), digits(), few_labels()),
        "balanced": lambda: fit(classifier(class_weight="balanced"), digits(), np.minimum(classes(), 3)),
        "weights of classes": lambda: fit(
            classifier(class_weight={0: 3.0, 1: 0.5}), digits(), np.minimum(classes(), 3)
        ),
        "label smoothing": lambda: fit(classifier(label_smoothing=0.1), digits(), few_labels()),
        "adversarial": lambda: fit(classifier(adversarial=0.3), digits(), classes()),
        "adversarial, smoothing, bfloat16": lambda: fit(
            classifier(adversarial=0.2, label_smoothing=0.05, precision="bfloat16"), digits(), classes()
        ),
        "lower layers slower": lambda: fit(
            classifier(finetune=short(layerwise_rate=0.3)), digits(), classes()
        ),
        "corruption and adamw": lambda: fit(
            classifier(finetune=short(4, optimizer="adamw", weight_decay=0.1, corruption=ae.Dropout(0.2))),
            digits(),
            classes(),
        ),
        "sgd, constant": lambda: fit(
            classifier(finetune=short(optimizer="sgd", schedule="constant")), digits(), classes()
        ),
        "no rows held out": lambda: fit(
            classifier(finetune=short(validation_fraction=0.0)), digits(), classes()
        ),
        "stopped early": lambda: fit(
            classifier(finetune=short(30, patience=2, learning_rate=0.02)), digits(), classes()
        ),
        "whole weights": lambda: fit(classifier(), digits(), classes(), sample_weight=whole(400)),
        "fractional weights": lambda: fit(classifier(), digits(), classes(), sample_weight=fractional(400)),
        "whole weights, few rows": lambda: fit(
            classifier(), digits()[:80], binary_labels()[:80], sample_weight=whole(80)
        ),
        "encoder not fine-tuned": lambda: fit(
            classifier(encoder=two(finetune=None, random_state=None)), digits(), classes()
        ),
        "encoder beside a shortcut": lambda: fit(
            classifier(encoder=stack((32, 8), random_state=None)), digits(), few_labels()
        ),
        "encoder of a depth that is chosen": lambda: fit(
            classifier(
                encoder=stack("auto", pretrain=short(2), finetune=short(2), tol=0.1, random_state=None)
            ),
            digits(),
            few_labels(),
        ),
        "encoder with a seed": lambda: fit(
            classifier(encoder=two(random_state=5), random_state=1), digits(), classes()
        ),
        "encoder convolutional": lambda: fit(
            classifier(
                encoder=stack(
                    [ae.Autoencoder(4, network="convolutional"), ae.Autoencoder(12)], random_state=None
                )
            ),
            digits(),
            classes(),
        ),
        "encoder variational": lambda: fit(
            classifier(encoder=two({}, {"code": "variational"}, random_state=None)), digits(), classes()
        ),
        "encoder topk": lambda: fit(
            classifier(encoder=two({"code": "topk"}, random_state=None)), digits(), classes()
        ),
        "fitted encoder": lambda: fit(
            frozen("Classifier", pretrained(digits()), finetune=short()), digits(), few_labels()
        ),
        "fitted encoder, shortcut": lambda: fit(
            frozen("Classifier", stack((32, 8)).fit(digits()), finetune=short()), digits(), classes()
        ),
        "fitted encoder, cloned": lambda: fit(
            clone(frozen("Classifier", pretrained(digits()), finetune=short())), digits(), few_labels()
        ),
        "fitted encoder, missing": lambda: fit(
            frozen("Classifier", pretrained(holes(digits()), missing_values=np.nan), finetune=short()),
            holes(digits()),
            few_labels(),
        ),
        "sparse": lambda: fit(classifier(), sparse(), few_labels()),
        "mapped in memory": lambda: fit(classifier(), mapped(digits()), classes()),
        "streamed": lambda: fit(
            classifier(encoder=machine(), finetune=short(1, batch_size=256), max_memory="16MiB"),
            large(),
            large_classes(),
        ),
        "streamed, few labels": lambda: fit(
            classifier(encoder=machine(), finetune=short(), max_memory="16MiB"),
            large(),
            np.where(np.arange(70_000) % 100 == 0, large_classes(), -1),
        ),
        "missing": lambda: fit(classifier(encoder=gaps()), holes(digits()), classes()),
        "missing, indicator": lambda: fit(
            classifier(encoder=gaps(add_indicator=True)), holes(digits()), classes()
        ),
        "float32 rows": lambda: fit(classifier(), digits().astype(np.float32), classes()),
        "data frame": lambda: fit(classifier(), frame(digits()), classes()),
        "cached layers": lambda: cached(
            lambda folder: on_encoder(
                "Classifier", encoder={"pretrain": short(), "memory": folder}, finetune=short()
            ),
            digits(),
            few_labels(),
        ),
        "saved": lambda: kept(fit(classifier(), digits(), few_labels())),
        "saved, fitted encoder": lambda: kept(
            fit(frozen("Classifier", pretrained(digits()), finetune=short()), digits(), few_labels())
        ),
    }
    regress: dict[str, Callable[[np.ndarray], Fitted]] = {
        "widths": lambda X: fit(on_encoder("Regressor"), X, targets(X)),
        "layers": lambda X: fit(
            on_encoder(
                "Regressor",
                [ae.Autoencoder(16, penalty="contractive", activation="sigmoid"), ae.Autoencoder(4)],
                {"pretrain": short(), "scale": "minmax"},
                finetune=short(),
            ),
            X,
            targets(X),
        ),
        "one output": lambda X: fit(regressor(), X, targets(X)),
        "one output, as a column": lambda X: fit(regressor(), X, targets(X)[:, None]),
        "several outputs": lambda X: fit(regressor(), X, outputs(X)),
        "some targets": lambda X: fit(regressor(), X, some(targets(X))),
        "some of several targets": lambda X: fit(regressor(), X, some(outputs(X))),
        "defaults of fine-tuning": lambda X: fit(regressor(finetune="auto"), X, some(outputs(X))),
        "adversarial": lambda X: fit(regressor(adversarial=0.2), X, outputs(X)),
        "lower layers slower": lambda X: fit(regressor(finetune=short(layerwise_rate=0.2)), X, targets(X)),
        "whole weights": lambda X: fit(regressor(), X, targets(X), sample_weight=whole(len(X))),
        "fractional weights": lambda X: fit(regressor(), X, outputs(X), sample_weight=fractional(len(X))),
        "few rows": lambda X: fit(regressor(), X[:90], some(outputs(X[:90]))),
        "fitted encoder": lambda X: fit(
            frozen("Regressor", pretrained(X), finetune=short()), X, some(targets(X))
        ),
        "encoder beside a shortcut": lambda X: fit(
            regressor(encoder=stack((32, 8), random_state=None)), X, outputs(X)
        ),
        "encoder of a depth that is chosen": lambda X: fit(
            regressor(encoder=stack("auto", pretrain=short(2), finetune=short(2), random_state=None)),
            X,
            some(targets(X)),
        ),
        "sparse": lambda X: fit(regressor(), sparse(X), targets(X)),
        "mapped in memory": lambda X: fit(regressor(), mapped(X), outputs(X)),
        "missing": lambda X: fit(regressor(encoder=gaps()), holes(X), targets(X)),
        "float32 rows": lambda X: fit(regressor(), X.astype(np.float32), targets(X)),
        "data frame": lambda X: fit(regressor(), frame(X), targets(X)),
        "saved": lambda X: kept(fit(regressor(), X, some(outputs(X)))),
    }
    return {
        **{f"classifier, {name}": case for name, case in classify.items()},
        **{f"regressor, {name}": lambda case=case: case(curved(400)) for name, case in regress.items()},
        "regressor, streamed": lambda: fit(
            regressor(encoder=machine(), finetune=short(1, batch_size=256), max_memory="16MiB"),
            large(),
            outputs(np.asarray(large())),
        ),
    }


def detectors() -> dict[str, Case]:
    """Detectors, and what is kept."""
    given = {"pretrain": short(), "finetune": short()}
    cases: dict[str, Case] = {
        "widths": lambda: fit(on_encoder("Detector"), curved(400)),
        "own trainings": lambda: fit(on_encoder("Detector", encoder=given, contamination=0.05), digits()),
        "two-valued": lambda: fit(on_encoder("Detector", encoder=given), two_valued()),
        "not fine-tuned": lambda: fit(
            on_encoder("Detector", encoder={**given, "finetune": None}, precision="float32"), digits()
        ),
        "layers": lambda: fit(
            on_encoder("Detector", [ae.Autoencoder(24, penalty="l1"), ae.Autoencoder(4)], given), digits()
        ),
        "encoder": lambda: fit(on_stack("Detector"), digits()),
        "encoder beside a shortcut": lambda: fit(
            on_stack("Detector", stack((32, 8), random_state=None)), digits()
        ),
        "fitted encoder": lambda: fit(frozen("Detector", two().fit(digits())), digits()[:200]),
        "fitted encoder, shortcut": lambda: fit(frozen("Detector", stack((32, 8)).fit(digits())), digits()),
        "whole weights": lambda: fit(on_stack("Detector"), digits(), sample_weight=whole(400)),
        "fractional weights": lambda: fit(on_stack("Detector"), digits(), sample_weight=fractional(400)),
        "fitted encoder, weights": lambda: fit(
            frozen("Detector", two().fit(digits()), contamination=0.2),
            digits(),
            sample_weight=fractional(400),
        ),
        "missing": lambda: fit(
            on_encoder("Detector", encoder={**given, "missing_values": np.nan}), holes(digits())
        ),
        "missing, indicator": lambda: fit(
            on_encoder("Detector", encoder={**given, "missing_values": np.nan, "add_indicator": True}),
            holes(table()),
        ),
        "sparse": lambda: fit(on_encoder("Detector", encoder=given), sparse()),
        "streamed": lambda: fit(
            on_encoder(
                "Detector",
                encoder={"pretrain": short(1, batch_size=256), "finetune": short(1, batch_size=256)},
                max_memory="16MiB",
            ),
            large(),
        ),
        "data frame": lambda: fit(on_stack("Detector"), frame(table())),
        "saved": lambda: kept(fit(on_encoder("Detector", encoder=given), digits())),
        "saved, fitted encoder": lambda: kept(fit(frozen("Detector", two().fit(digits())), digits())),
    }
    return {
        **{f"detector, {name}": partial(asked_why, case) for name, case in cases.items()},
        "cached layers, stack": lambda: cached(lambda folder: two(memory=folder), digits()),
        "cached layers, widths": lambda: cached(lambda folder: stack((32, 8), memory=folder), digits()),
        "cached layers, detector": lambda: cached(
            lambda folder: on_encoder("Detector", encoder={**given, "memory": folder}), digits()
        ),
        "saved, lone": lambda: kept(fit(lone(corruption="masking", penalty="l1"), digits())),
        "saved, lone with gaps": lambda: kept(
            fit(lone(missing_values=np.nan, add_indicator=True), holes(table()), more=("impute",))
        ),
        "saved, lone convolutional": lambda: kept(fit(lone(4, network="convolutional"), digits())),
        "saved, lone marginalised": lambda: kept(fit(lone(network="marginalised"), digits())),
        "saved, stack": lambda: kept(
            fit(two({"code": ae.TopK(5)}, {"code": "variational"}), digits(), more=("sample",))
        ),
        "saved, stack, adversarial": lambda: kept(fit(two({}, {"penalty": "adversarial"}), digits())),
        "saved, widths": lambda: kept(fit(stack((32, 8)), digits())),
        "saved, two-valued widths": lambda: kept(fit(stack((32, 8), shortcut=None), two_valued())),
        "saved, depth chosen": lambda: kept(
            fit(stack("auto", pretrain=short(1), finetune=short(1)), digits())
        ),
        "saved, data frame": lambda: kept(fit(two(), frame(table()))),
    }
