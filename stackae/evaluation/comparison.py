"""A fitted model's codes against PCA of the same width, honestly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stackae.evaluation.probes import Correct, linear_probe, neighbour_probe

#: Two accuracies differ when an exact McNemar test says so at this level.
SIGNIFICANCE = 0.05


class Features(Protocol):
    """What is compared: a fitted transformer that can go back."""

    def transform(self, X: Any) -> npt.NDArray[np.floating]:
        """Rows to features."""
        ...

    def inverse_transform(self, X: Any) -> npt.NDArray[np.floating]:
        """Features to rows."""
        ...


@dataclass(frozen=True)
class Result:
    """One method's line: accuracies in [0, 1], R² of the reconstruction of the test rows, fit seconds."""

    method: str
    width: int
    linear_probe: float
    neighbour_probe: float
    r2: float
    seconds: float | None


@dataclass(frozen=True)
class Comparison:
    """The lines of the table, and a sentence on each column."""

    results: list[Result]
    verdicts: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def compare_with_pca(
    model: Features,
    seconds: float | None,
    X: npt.NDArray[np.floating],
    train: tuple[npt.NDArray[np.floating], npt.NDArray[Any]],
    test: tuple[npt.NDArray[np.floating], npt.NDArray[Any]],
    *,
    standardise: bool,
) -> Comparison:
    """Judge a fitted model's codes, PCA's of the same width, and the raw rows.

    Parameters
    ----------
    model : fitted transformer with ``inverse_transform``
    seconds : float or None
        What fitting it took.
    X : array of shape (n_rows, n_features)
        The rows that the model was fitted on; PCA is fitted on the same.
    train, test : pair of (rows, labels)
        The probes are fitted on the first and asked about the second.
    standardise : bool
        Whether PCA works on standardised columns: what the model does itself.

    Returns
    -------
    Comparison
    """
    width = model.transform(test[0][:1]).shape[1]
    start = perf_counter()
    scaler = StandardScaler() if standardise else FunctionTransformer(check_inverse=False)
    pca = make_pipeline(scaler, PCA(min(width, *X.shape), random_state=0)).fit(X)
    pca_seconds = perf_counter() - start

    codes, codes_correct = _judge("stackae", model, seconds, train, test)
    principal, principal_correct = _judge("PCA", pca, pca_seconds, train, test)
    raw, _ = _judge("raw rows", make_pipeline(scaler), None, train, test)
    verdicts = [
        f"linear probe: {_verdict(codes_correct[0], principal_correct[0])}",
        f"k-NN probe: {_verdict(codes_correct[1], principal_correct[1])}",
        f"R²: {_by_value(codes.r2, principal.r2)}",
    ]
    if seconds is not None:
        faster = max(seconds, pca_seconds) / min(seconds, pca_seconds)
        verdicts.append(
            f"seconds: {'PCA' if pca_seconds < seconds else 'stackae'} is {faster:,.0f} times faster"
        )
    return Comparison([codes, principal, raw], verdicts)


def _judge(
    method: str, features: Features, seconds: float | None, train: tuple[Any, Any], test: tuple[Any, Any]
) -> tuple[Result, tuple[Correct, Correct]]:
    seen, asked = features.transform(train[0]), features.transform(test[0])
    linear = linear_probe(seen, train[1], asked, test[1])
    neighbour = neighbour_probe(seen, train[1], asked, test[1])
    r2 = float(r2_score(test[0], features.inverse_transform(asked), multioutput="variance_weighted"))
    result = Result(method, asked.shape[1], float(linear.mean()), float(neighbour.mean()), r2, seconds)
    return result, (linear, neighbour)


def _verdict(ours: Correct, theirs: Correct) -> str:
    """What a paired test says of two methods' answers to the same rows (McNemar's, exact)."""
    wins, losses = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    p = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    points = 100 * (ours.mean() - theirs.mean())
    who = "stackae wins" if points > 0 else "PCA wins" if points < 0 else "a tie"
    sure = "a difference beyond chance" if p < SIGNIFICANCE else "within chance"
    return f"{who}{f' by {abs(points):.1f} points' if points else ''} ({sure}, p = {p:.2g})"


def _by_value(ours: float, theirs: float) -> str:
    if round(ours, 3) == round(theirs, 3):
        return "a tie"
    return f"{'stackae' if ours > theirs else 'PCA'} wins by {abs(ours - theirs):.3f}"
