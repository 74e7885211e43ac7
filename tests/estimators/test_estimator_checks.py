"""Every check that scikit-learn has for a transformer, none expected to fail."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import VARIANTS, small_autoencoder, small_stack
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from stackae import Autoencoder, StackedAutoencoder, Training

QUICK = Training(max_epochs=2)
ESTIMATORS = [
    Autoencoder(training=QUICK),
    StackedAutoencoder(pretrain=QUICK, finetune=QUICK),
    StackedAutoencoder(
        [Autoencoder(8, corruption="gaussian"), 4], pretrain=QUICK, finetune=QUICK, output="all"
    ),
]
#: Those that ``check_estimator`` leaves out.
LEFT_OUT = [
    estimator_checks.check_param_validation,
    estimator_checks.check_set_output_transform,
    estimator_checks.check_set_output_transform_pandas,
    estimator_checks.check_global_output_transform_pandas,
    estimator_checks.check_set_output_transform_polars,
    estimator_checks.check_global_set_output_transform_polars,
    estimator_checks.check_transformer_get_feature_names_out,
    estimator_checks.check_transformer_get_feature_names_out_pandas,
    estimator_checks.check_get_feature_names_out_error,
    estimator_checks.check_n_features_in_after_fitting,
    estimator_checks.check_dataframe_column_names_consistency,
    estimator_checks.check_inplace_ensure_writeable,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
]


def every_check():
    for estimator in ESTIMATORS:
        for instance, check in estimator_checks_generator(estimator, mark=None):
            yield instance, check
        for check in LEFT_OUT:
            yield estimator, check


def name_of(value):
    function = getattr(value, "func", value)
    return getattr(function, "__name__", None) or repr(value).partition("(")[0]


@pytest.mark.filterwarnings("ignore:.*was fitted with.*feature names")
@pytest.mark.parametrize(("estimator", "check"), list(every_check()), ids=name_of)
def test_scikit_learns_check_passes(estimator, check):
    check(type(estimator).__name__, estimator) if check in LEFT_OUT else check(estimator)


@pytest.mark.parametrize("estimator", [Autoencoder(), StackedAutoencoder()], ids=name_of)
def test_the_defaults_pass_the_invariance_checks(estimator):
    """Shown on the default budget, where the weights are far from their start."""
    name = type(estimator).__name__
    estimator_checks.check_methods_subset_invariance(name, estimator)
    estimator_checks.check_methods_sample_order_invariance(name, estimator)
    estimator_checks.check_fit_idempotent(name, estimator)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_fitted_as_a_layer_and_alone(variant, table):
    alone = small_autoencoder(3, **VARIANTS[variant]).fit(table)
    stack = small_stack([small_autoencoder(8, **VARIANTS[variant]), 3]).fit(table)
    for model in (alone, stack):
        codes = model.transform(table)
        assert codes.shape == (200, 3)
        assert np.isfinite(model.inverse_transform(codes)).all()
