"""What "auto" means, for the parts of a layer and for how it is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, fit_context

from stackae import Autoencoder, Dropout, GaussianNoise, KLSparsity, Masking, StackedAutoencoder, Training
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import ParameterError
from stackae.fitting.defaults.parts import DEFAULT_ACTIVATION, Inputs, resolve, resolve_all
from stackae.fitting.defaults.trainings import RECIPES, budget, completed, corruptions_of
from stackae.fitting.parameters import StackParameters
from stackae.fitting.planner import make_plan
from stackae.fitting.summary import summarise
from stackae.losses import LOSSES
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense

UNIT, REAL = Inputs(0.0, 1.0, (6,)), Inputs(-3.0, 3.0, (6,))


def resolved(inputs, *, linear_code=False, **parts):
    return resolve(Composition(4, Dense(), **parts), inputs, linear_code=linear_code)


# Parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "parts", "scale", "output", "loss"),
    [
        (UNIT, {}, None, "sigmoid", "CrossEntropy"),
        (REAL, {}, "standard", "identity", "SquaredError"),
        (UNIT, {"loss": LOSSES["squared_error"]()}, None, "identity", "SquaredError"),
        (REAL, {"loss": LOSSES["cross_entropy"]()}, "minmax", "sigmoid", "CrossEntropy"),
        (UNIT, {"scale": "standard"}, "standard", "identity", "SquaredError"),
        (REAL, {"scale": "minmax"}, "minmax", "sigmoid", "CrossEntropy"),
        (REAL, {"scale": None}, None, "identity", "SquaredError"),
    ],
)
def test_data_decide_scale_and_loss_and_the_loss_the_output(inputs, parts, scale, output, loss):
    """In [0, 1] they stay and meet a sigmoid; others are standardised and meet a linear decoder."""
    parts = resolved(inputs, **parts)
    assert (parts.scale, parts.output, type(parts.loss).__name__) == (scale, output, loss)


def test_categories_are_known_to_loss_and_corruption_whoever_names_them():
    per_feature, groups = LOSSES["per_feature"], ((1, 3), (4, 6))
    named = resolved(REAL, loss=per_feature([0], groups=[(4, 6), (1, 3)]))
    told = resolved(REAL, loss=per_feature([0]), groups=groups)
    other = resolved(REAL, loss=LOSSES["squared_error"](), groups=groups)
    assert [parts.groups for parts in (named, told, other)] == [groups] * 3
    assert named.loss.groups == told.loss.groups == groups
    assert [parts.kept for parts in (named, told, other)] == [(1, 2, 4, 5)] * 3
    assert resolved(REAL, loss=per_feature(groups=[(0, 2)]), groups=groups).groups == ((0, 2),)


def test_categories_of_codes_are_refused():
    layers = [Composition(6, Dense()), Composition(4, Dense(), loss=LOSSES["per_feature"](groups=[(0, 2)]))]
    with pytest.raises(
        ParameterError, match=r"categories of the data, got \(\(0, 2\),\) for a layer on codes"
    ):
        resolve_all(layers, REAL)


def test_cross_entropy_without_the_scale_it_needs_is_refused_with_the_range_and_the_mend():
    with pytest.raises(
        ParameterError, match=r"CrossEntropy needs inputs in \[0, 1\].*-3 to 3.*scale='minmax'"
    ):
        resolved(REAL, loss=LOSSES["cross_entropy"](), scale="standard")


@pytest.mark.parametrize(
    ("below", "scale", "output", "loss"),
    [
        ("sigmoid", None, "sigmoid", "CrossEntropy"),
        ("tanh", None, "tanh", "SquaredError"),
        ("relu", "spread", "relu", "SquaredError"),
        ("gelu", "spread", "gelu", "SquaredError"),
        ("identity", "standard", "identity", "SquaredError"),
    ],
)
def test_a_decoder_gives_values_in_the_range_of_the_codes_below(below, scale, output, loss):
    layers = [Composition(6, Dense(), activation=below), Composition(4, Dense())]
    parts = resolve_all(layers, REAL)[1]
    assert (parts.scale, parts.output, type(parts.loss).__name__) == (scale, output, loss)


def test_the_automatic_activation_is_linear_on_top_of_a_deeper_stack_only():
    assert resolved(UNIT).activation == DEFAULT_ACTIVATION
    assert resolved(UNIT, linear_code=True).activation == "identity"
    assert resolved(UNIT, linear_code=True, penalties=(KLSparsity(),)).activation == "sigmoid"
    assert resolved(UNIT, linear_code=True, activation="tanh").activation == "tanh"
    stack = resolve_all([Composition(4, Dense()), Composition(3, Dense()), Composition(2, Dense())], UNIT)
    assert [layer.activation for layer in stack] == [DEFAULT_ACTIVATION, DEFAULT_ACTIVATION, "identity"]
    assert resolve_all([Composition(4, Dense())], UNIT)[0].activation == DEFAULT_ACTIVATION


def test_a_penalty_refuses_an_activation_that_it_is_not_defined_for():
    with pytest.raises(ParameterError, match=r"KLSparsity is defined for activation='sigmoid', got 'relu'"):
        resolved(UNIT, penalties=(KLSparsity(),), activation="relu")


def of_widths(X, **parameters):
    """What is said of two layers that are given by their widths."""
    parameters = StackParameters((5, 3), SHORT, **parameters)
    plan = make_plan(parameters, summarise(DenseMatrix(X)), fit_context())
    layers = [layer.parts for layer in plan.layers]
    return [(p.tied_weights, repr(p.corruption), p.scale, p.missing, repr(p.loss)) for p in layers]


def test_a_bare_width_is_a_tied_denoising_layer_and_beside_a_shortcut_an_untied_one(table):
    above = (True, "GaussianNoise()", "spread", False, "SquaredError()")
    assert of_widths(table) == [(True, "GaussianNoise()", "standard", False, "SquaredError()"), above]
    assert of_widths(table, scale="minmax")[0][2:] == ("minmax", False, "CrossEntropy()")
    hidden, same = of_widths(table, missing=True)
    assert (hidden[1], hidden[3], same) == ("Masking(level=0.5)", True, above)
    first, last = of_widths(table, scale="minmax", finetune=SHORT, shortcut="pca")
    assert (first[0], last[0]) == (False, False)
    assert first[2:] == ("minmax", False, "SquaredError()")


@pytest.mark.parametrize("gaps", [False, True])
def test_widths_on_a_table_learn_from_hidden_cells_while_weights_decay(gaps):
    table = pd.DataFrame({"a": np.arange(60) % 7, "b": list("xyz") * 20})
    if gaps:
        table.loc[3, "b"] = None
    plan = StackedAutoencoder((5, 3)).plan(table)
    first, last = (layer.parts.corruption for layer in plan.layers)
    assert (plan.recipe, repr(first), repr(last)) == ("table", "Masking(level=0.5)", "GaussianNoise()")
    assert repr(plan.finetune.budget.corruptions) == "(Masking(level=0.5),)"
    assert (plan.finetune.budget.optimizer, plan.finetune.budget.weight_decay) == ("adamw", 0.5)
    given = StackedAutoencoder((Autoencoder(5), 3)).plan(table)
    assert (given.recipe, given.layers[0].parts.corruption, given.finetune.budget.optimizer) == (
        None,
        None,
        "adam",
    )


def test_numbers_with_gaps_have_no_recipe(table):
    holes = table.copy()
    holes[3, 1] = np.nan
    plan = StackedAutoencoder((5, 3), missing_values=np.nan).plan(holes)
    assert (plan.recipe, plan.finetune.budget.optimizer) == (None, "adam")


# Training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_samples", "batch_size"), [(1, 32), (640, 32), (1500, 64), (5120, 256), (10**6, 256)]
)
def test_the_automatic_batch_grows_with_the_samples(n_samples, batch_size):
    assert budget(Training(), "pretrain", n_samples, 10).batch_size == batch_size


@pytest.mark.parametrize("n_samples", [10, 150, 1797, 60_000])
def test_the_automatic_budget_is_counted_in_updates(n_samples):
    budgets = [budget(Training(), phase, n_samples, 10) for phase in ("pretrain", "finetune")]
    updates = [own.n_updates for own in budgets]
    assert all(own.max_epochs >= 4 for own in budgets)
    assert updates[0] < updates[1] < 20_000


def test_where_labels_are_learned_the_budget_grows_with_their_number():
    updates = [budget(Training(), "supervised", n, 10).n_updates for n in (100, 1000, 60_000)]
    assert updates == pytest.approx([400, 1000, 5000], rel=0.07)


def test_a_budget_that_is_given_is_counted_in_updates():
    assert budget(Training(updates=1000), "pretrain", 640, 10).n_updates == 1000
    assert budget(Training(updates=1000), "supervised", 640, 10).n_updates == 1000
    assert budget(Training(updates=1), "pretrain", 640, 10).max_epochs == 4


def test_large_data_does_not_train_for_ever():
    assert budget(Training(), "pretrain", 10**7, 10).max_epochs == 4


def test_numbers_given_are_kept():
    own = budget(Training(max_epochs=3, batch_size=7, learning_rate=0.1), "finetune", 100, 10, n_held_out=9)
    assert (own.max_epochs, own.batch_size, own.learning_rate) == (3, 7, 0.1)
    assert (own.n_updates, own.n_samples, own.n_held_out) == (3 * 15, 100, 9)


@pytest.mark.parametrize(
    ("training", "phase", "rate"),
    [
        (Training(), "pretrain", 2e-3),
        (Training(), "finetune", 2e-3),
        (Training(), "supervised", 1e-3),
        (Training(optimizer="sgd"), "pretrain", 2e-3 / 10 / 50),
    ],
)
def test_the_automatic_rate_is_the_phases_and_for_sgd_that_of_a_summed_loss(training, phase, rate):
    assert budget(training, phase, 100, 50).learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(("epochs", "patience"), [(3, 10), (90, 30)])
def test_the_automatic_patience_is_a_third_of_the_epochs_and_at_least_ten(epochs, patience):
    assert budget(Training(max_epochs=epochs), "pretrain", 100, 10).patience == patience


def test_the_fewer_labels_the_slower_lower_layers_learn():
    rates = [budget(Training(), "supervised", n, 10).layerwise_rate for n in (999, 1000, 10_000)]
    assert rates == [0.5, 0.7, 1.0]
    assert budget(Training(), "finetune", 10, 10).layerwise_rate == 1


@pytest.mark.parametrize(
    ("given", "phase", "missing", "meant"),
    [
        ("auto", "finetune", False, [GaussianNoise(0.1)]),
        ("auto", "finetune", True, [Masking(0.5)]),
        ("auto", "supervised", True, [Dropout(0.1)]),
        ("masking", "finetune", False, [Masking()]),
        (["masking", Dropout(0.3)], "finetune", False, [Masking(), Dropout(0.3)]),
        (None, "finetune", True, []),
    ],
)
def test_the_corruption_of_fine_tuning(given, phase, missing, meant):
    training = Training(corruption=given)
    assert repr(list(corruptions_of(training, phase, missing=missing))) == repr(meant)
    assert repr(budget(training, phase, 100, 10, missing=missing).corruptions) == repr(tuple(meant))


def test_a_layers_own_corruption_is_none_of_its_trainings():
    assert budget(Training(), "pretrain", 100, 10).corruptions == ()


def test_a_recipe_fills_what_is_left_open_and_nothing_else():
    recipe = RECIPES["two-valued"]
    own = completed(Training(), recipe)
    assert (own.learning_rate, own.updates, own.patience) == (4e-3, 5000, None)
    assert repr(own.corruption) == "Masking(level=(0.5, 0.0))"
    assert own.optimizer == "adam"  # is not open
    given = Training(max_epochs=3, learning_rate=0.1, corruption=None, patience=7)
    own = completed(given, recipe)
    assert (own.max_epochs, own.updates, own.learning_rate) == (3, "auto", 0.1)
    assert (own.corruption, own.patience) == (None, 7)
    for training in (Training(optimizer="sgd"), Training(schedule="constant")):  # its rate is for neither
        assert completed(training, recipe).learning_rate == "auto"
