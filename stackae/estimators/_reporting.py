"""Estimators that make a report on themselves."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Reporting:
    """An estimator whose report one method makes."""

    def report(self, X: Any = None, y: Any = None, **options: Any) -> Any:
        """Make a report on what was learned: one self-contained HTML page, and a model card.

        Parameters
        ----------
        X : array-like or table of shape (n_samples, n_features), default=None
            Preferably the rows of the fit; at most 2,000 are used. None: model and training only.
        y : array-like of shape (n_samples,), default=None
            Labels or targets: they colour the map of the codes and give a verdict against PCA.
        **options
            As of :func:`stackae.report.report_on`: ``title``, ``made_from``, ``image_shape``, ...

        Returns
        -------
        stackae.report.Report
            With ``html``, ``card`` and ``save(path)``; notebooks display it.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            jinja2 or matplotlib is missing (``pip install 'stackae[report]'``).
        DataError, ValueError
            Rows that :meth:`transform` refuses, or not exactly one label per row.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> X, y = load_iris(return_X_y=True)
        >>> report = Autoencoder(2, random_state=0).fit(X).report(X, y, made_from="iris")
        >>> report.html.startswith("<!DOCTYPE html>")
        True
        """
        # By name: reports stand upon estimators, and are loaded when one is asked for.
        return import_module("stackae.report").report_on(self, X, y, **options)
