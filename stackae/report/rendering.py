"""The report as a page, and as a model card."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import stackae
from stackae.exceptions import ParameterError
from stackae.report.contents import Contents
from stackae.serialization.files import atomic_write_text, check_new_file
from stackae.serialization.provenance import machine, versions

#: What Hugging Face calls what a model is for.
_PIPELINES = {
    "StackedAutoencoderClassifier": "tabular-classification",
    "StackedAutoencoderRegressor": "tabular-regression",
}
#: Pixels that a report takes in a notebook.
_HEIGHT = 640


@dataclass(frozen=True)
class Report:
    """A report on a fitted model, from :func:`report_on`. Notebooks display it.

    Attributes
    ----------
    html : str
        One self-contained page, without scripts.
    card : str
        A model card: Markdown with Hugging Face's metadata.
    contents : Contents
        The contents of both.
    """

    html: str
    card: str
    contents: Contents

    def save(self, path: str | os.PathLike[str], card: str | os.PathLike[str] | None = None) -> None:
        """Write the page, atomically, and perhaps the model card.

        Parameters
        ----------
        path : path-like
            Such as ``report.html``.
        card : path-like or None, default=None
            File for the model card, such as ``README.md``. None: not written.

        Raises
        ------
        FileExistsError
            One of the files exists; nothing was written.
        OSError
            A file cannot be written.
        """
        wanted = [(path, self.html), *([] if card is None else [(card, self.card)])]
        for where, _ in wanted:
            check_new_file(where, "path")
        for where, text in wanted:
            atomic_write_text(where, text)

    def _repr_html_(self) -> str:
        """The page in a frame, so that neither's style reaches the other."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self.contents.title)}" sandbox=""'
            f' style="width: 100%; height: {_HEIGHT}px; border: 1px solid #ccc"></iframe>'
        )


def check_report() -> None:
    """Raise ``ParameterError`` where a report cannot be made."""
    if find_spec("jinja2") is None or find_spec("matplotlib") is None:
        raise ParameterError("a report needs jinja2 and matplotlib; pip install 'stackae[report]'")


def report_on(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    title: str | None = None,
    made_from: str | None = None,
    labels_name: str | None = None,
    seconds: float | None = None,
    notes: Sequence[str] = (),
    replay: Sequence[tuple[str, str]] = (),
    image_shape: str | Sequence[int] | None = None,
    sequence_shape: Sequence[int] | None = None,
) -> Report:
    """Make a report on a fitted model: an HTML page and a model card.

    At most 2,000 evenly spaced rows are used. Sections that are impossible, such as the reconstructions of a
    classifier, are left out and named at the end.

    Parameters
    ----------
    model : fitted estimator of stackae
    X : array-like or table of shape (n_samples, n_features), default=None
        Preferably the rows it was fitted on. None: model and training only.
    y : array-like of shape (n_samples,), default=None
        Labels or targets: they colour the map of the codes and give a verdict against PCA. None: the map is
        coloured by the reconstruction error.
    title : str or None, default=None
        None: the estimator's name, and ``made_from``.
    made_from : str or None, default=None
        The name of the data.
    labels_name : str or None, default=None
        The name of the labels. None: that of a pandas or polars series.
    seconds : float or None, default=None
        Training time. None: from ``history_``, where a loaded model has none.
    notes : sequence of str, default=()
        Sentences to show below the headline.
    replay : sequence of (str, str), default=()
        Commands that make the model again, shown before those in Python: what each does, and the line.
    image_shape : "square", (height, width) or (height, width, channels), or None, default=None
        Shape of the image in a row. None: that of a convolutional first layer; without one, rows are columns.
    sequence_shape : (steps,) or (steps, channels), or None, default=None
        Shape of the series in a row. None: that of a recurrent first layer, if there is one.

    Returns
    -------
    Report

    Raises
    ------
    NotFittedError
        The model is not fitted.
    ParameterError
        jinja2 or matplotlib is missing, there are labels without rows, or a shape does not fit.
    DataError, ValueError
        Rows that the model refuses, or not exactly one label per row.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoder
    >>> from stackae.report import report_on
    >>> iris = load_iris(as_frame=True)
    >>> model = StackedAutoencoder((8, 2), random_state=0).fit(iris.data)
    >>> report = report_on(model, iris.data, iris.target, made_from="iris")
    >>> report.contents.title
    'StackedAutoencoder on iris'
    >>> [section.id for section in report.contents.sections][:4]
    ['data', 'layers', 'training', 'health']
    """
    check_report()
    from stackae.report.gathering import Subject
    from stackae.report.telling import contents_of

    given = {"image_shape": image_shape, "sequence_shape": sequence_shape}
    shape = {name: value for name, value in given.items() if value is not None}
    subject = Subject.of(model, X, y, shape, seconds, labels_name)
    contents = contents_of(subject, title, made_from, notes, [*replay, *_in_python(model)])
    environment = {"versions": versions(), "machine": machine(), "contents": contents}
    environment["pipeline"] = _PIPELINES.get(contents.kind, "feature-extraction")
    return Report(
        _rendered("report.html.j2", environment), _rendered("model_card.md.j2", environment), contents
    )


def _in_python(model: Any) -> list[tuple[str, str]]:
    """How a model is made again, and loaded, in Python."""
    own = {"cache_folder": None, "verbose": 0}
    known = {name: value for name, value in own.items() if name in model.get_params()}
    bare, frozen = clone(model).set_params(**known), getattr(model, "encoder", None)
    before = imports = ""
    if isinstance(frozen, FrozenEstimator):  # whose encoder is fitted first
        before = f"encoder = {_spelled(clone(frozen.estimator).set_params(**own))}.fit(X)\n"
        imports = "from sklearn.frozen import FrozenEstimator\n"
        bare.set_params(encoder=None)
        made = _spelled(bare).replace("(", "(FrozenEstimator(encoder), ", 1).replace(", )", ")")
    else:
        made = _spelled(bare)
    names = ", ".join(sorted(set(re.findall(r"\b([A-Z]\w+)\(", before + made)) & {*dir(stackae)}))
    fit = "fit(X, y)" if hasattr(model, "predict") and hasattr(model, "finetune") else "fit(X)"
    imports = "import numpy as np\n" * ("np.nan" in before + made) + imports
    rows = "# X: the rows, a frame or an array, without labels"
    made = f"{imports}from stackae import {names}\n\n{rows}\n{before}model = {made}.{fit}"
    saved = 'model = stackae.load("model.safetensors")  # which model.save, or a run, has written'
    loaded = f"import stackae\n\n{saved}\ncodes = model.transform(X)"
    return [("Fit it again in Python:", made), ("Use the model that was saved:", loaded)]


def _spelled(model: Any) -> str:
    """How Python makes an estimator."""
    return re.sub(r"\bnan\b", "np.nan", model.__repr__(N_CHAR_MAX=10_000))


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    """A template filled; on the page everything is escaped, in Markdown what ``md`` is asked for."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stackae.report"),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"md": _in_markdown, "fence": _fenced}
    return environment.get_template(template).render(values)


def _in_markdown(text: str) -> str:
    """Text of which no character means anything to Markdown or HTML."""
    plain = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", escape(plain, quote=False))


def _fenced(code: str) -> str:
    """Lines of code between fences that are longer than any in them."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code}\n{fence}"
