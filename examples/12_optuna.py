"""A search with Optuna, with pruning
==================================

Optuna searches for good parameters. A callback reports the held-out loss, so that bad trials stop early.

::

    python examples/12_optuna.py            # minutes on 2 cores
    python examples/12_optuna.py --quick    # seconds, on the bundled digits

Each trial fits a stack with a code of 8 units. Three parameters are searched: the share of the input that is
hidden, the width of the layer below the code, and the learning rate. After each epoch of fine-tuning, the
callback reports the loss on the held-out rows, and Optuna stops ("prunes") a trial whose loss is worse than
the median of the earlier trials. All trials hold out the same rows and compute the loss on uncorrupted rows,
so the losses can be compared. At the end, the R² of the test reconstructions of the best trial is compared
with that of PCA with as many components.

The callback, ``Pruning``, is a few lines long. For another tuner, change these lines: ``end_epoch`` gets the
record of each epoch, and any exception that it raises ends the fit.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/12_optuna.png"
import gallery
import optuna
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from stackae import Autoencoder, Masking, StackedAutoencoder, Training
from stackae.training.callbacks import Callback

N_COMPONENTS = 8


class Pruning(Callback):
    """Reports the held-out loss of fine-tuning to a trial, and stops the fit if Optuna prunes it."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def end_epoch(self, record, run):
        if record["phase"] == "finetune":
            self.trial.report(record["validation_loss"], record["epoch"])
            if self.trial.should_prune():
                raise optuna.TrialPruned


def stack(trial: optuna.Trial, quick: bool) -> StackedAutoencoder:
    """What a trial tries."""
    layers = [
        Autoencoder(
            trial.suggest_int("units", 16, 64 if quick else 256, log=True),
            corruption=Masking(trial.suggest_float("hidden", 0.0, 0.5)),
        ),
        N_COMPONENTS,
    ]
    finetune = Training(
        max_epochs=10 if quick else 20,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        validation_fraction=0.1,
    )
    return StackedAutoencoder(layers, pretrain=Training(max_epochs=3), finetune=finetune, random_state=0)


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    X = data.train[:5_000]

    def objective(trial: optuna.Trial) -> float:
        model = stack(trial, opts.quick).set_callbacks(Pruning(trial)).fit(X)
        return min(r["validation_loss"] for r in model.history_ if r["phase"] == "finetune")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=5),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    )
    study.optimize(objective, n_trials=12 if opts.quick else 20)

    pruned = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    best = stack(study.best_trial, opts.quick).fit(X)
    pca = PCA(N_COMPONENTS).fit(X)
    back = pca.inverse_transform(pca.transform(data.test))
    r2 = {"stackae": best.score(data.test), "PCA": r2_score(data.test, back, multioutput="variance_weighted")}

    fig, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for trial in study.trials:
        losses = trial.intermediate_values
        is_best, is_pruned = trial.number == study.best_trial.number, trial in pruned
        colour = "stackae" if is_best else "light" if is_pruned else "other"
        style = {"color": gallery.COLOURS[colour], "lw": 2.5 if is_best else 1, "zorder": 2 + is_best}
        axes.plot(
            list(losses), list(losses.values()), marker="x" if is_pruned else None, markevery=[-1], **style
        )
    axes.set(xlabel="epoch of fine-tuning", ylabel="held-out loss")
    axes.set_title(f"{len(study.trials)} trials, {len(pruned)} of them pruned (crosses); the best is blue")

    print(f"{len(pruned)} of {len(study.trials)} trials pruned; best: {study.best_params}")
    for name, score in r2.items():
        print(f"{name:<8} R² of the test reconstructions {score:.3f}")
    numbers = {
        "trials": len(study.trials),
        "pruned": len(pruned),
        "best": study.best_params,
        "held_out_loss": study.best_value,
        "r2": r2,
    }
    gallery.finish(fig, numbers, __file__, opts)


if __name__ == "__main__":
    main()
