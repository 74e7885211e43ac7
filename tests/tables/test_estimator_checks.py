"""Every check that scikit-learn has for a transformer; what it asks of frames' names is asked otherwise."""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from stackae import TableEncoder

#: Those that ``check_estimator`` leaves out. So is ``check_dataframe_column_names_consistency``: it wants columns in
#: another order refused, and here they are found by name.
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
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
]


def every_check():
    for encoder in (TableEncoder(), TableEncoder(numeric="quantile")):
        for instance, check in estimator_checks_generator(encoder, mark=None):
            yield instance, check
        for check in LEFT_OUT:
            yield encoder, check


def name_of(value):
    function = getattr(value, "func", value)
    return getattr(function, "__name__", None) or repr(value)


@pytest.mark.filterwarnings("ignore:.*was fitted with.*feature names")
@pytest.mark.parametrize(("encoder", "check"), list(every_check()), ids=name_of)
def test_scikit_learns_check_passes(encoder, check):
    if hasattr(check, "func"):
        check(encoder)
    else:
        check("TableEncoder", encoder)
