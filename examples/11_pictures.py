"""Every plot
==========

Every plot that ``stackae.plotting`` draws: of images, of a table with missing values, of series, of samples.

::

    python examples/11_pictures.py            # about a minute on 2 cores
    python examples/11_pictures.py --quick    # seconds, on the bundled digits

Look for the plot that you need; its title names the class that draws it, and the code below shows the call.
Nearly all are made by ``from_estimator(model, X)``, and saved by ``display.save``. The images are MNIST; the
table is iris, with the species as text and a tenth of the cells removed; the series are noisy sines of
different frequency and phase.

The script also prints some of the numbers that are plotted: the epochs of each phase, R² at each width with
PCA's, and the dead units.

Iris: Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/11_pictures.png"
from collections import Counter
from io import BytesIO

import gallery
import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_iris

from stackae import Autoencoder, GaussianCode, Masking, Recurrent, StackedAutoencoder, Training
from stackae.evaluation import compare, resplit
from stackae.plotting import (
    CodesDisplay,
    ComparisonDisplay,
    HealthDisplay,
    HistoryDisplay,
    LoadingsDisplay,
    ReconstructionDisplay,
    SamplesDisplay,
    ScreeDisplay,
    WeightsDisplay,
)

COLUMNS, GAP = 5, 20  # of the gallery; pixels between its pictures


def iris_with_gaps():
    """Four numbers and the species, as a table, in which a tenth of the cells are missing."""
    iris, rng = load_iris(), np.random.default_rng(0)
    columns = {
        **dict(zip(iris.feature_names, iris.data.T, strict=True)),
        "species": iris.target_names[iris.target],
    }
    return pa.table({name: pa.array(cells, mask=rng.random(150) < 0.1) for name, cells in columns.items()})


def waves(n):
    rng = np.random.default_rng(0)
    pitch, phase = rng.uniform(0.2, 0.4, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    return np.sin(np.arange(24) * pitch + phase) + 0.1 * rng.normal(size=(n, 24))


def of_images(data, quick):
    """Displays of a layer, of stacks of several widths and of a generative one; and the numbers."""
    X, y, brief = data.train[:4000], data.train_labels[:4000], Training(max_epochs=5 if quick else 15)
    layer = Autoencoder(64, corruption=Masking(0.5), tied_weights=True, training=brief, random_state=0).fit(X)
    stacks = [
        StackedAutoencoder((128, width), pretrain=brief, finetune=brief, random_state=0).fit(X)
        for width in (2, 8, 32)
    ]
    generative = StackedAutoencoder(
        (128, Autoencoder(8, code=GaussianCode(1.0))), pretrain=brief, finetune=brief, random_state=0
    ).fit(X)
    few, n_compared = Training(max_epochs=3 if quick else 30), 400 if quick else 1000
    comparison = compare(
        StackedAutoencoder((128, 8), pretrain=few, finetune=few),
        resplit(X[:n_compared], y[:n_compared]),
        (2, 8),
        methods=("stackae", "PCA", "random features"),
        n_splits=2,
        few_labels=(100,),
    )
    test, labels, stack = data.test, data.test_labels, stacks[-1]
    scree = ScreeDisplay.from_estimator(stacks, X)
    numbers = {
        "epochs": dict(Counter(f"{r['phase']} {r['layer'] or ''}".strip() for r in stack.history_)),
        "R²": {int(k): round(float(r2), 3) for k, r2 in zip(scree.n_codes, scree.r2, strict=True)},
        "R² of PCA": {int(k): round(float(scree.pca_r2[k - 1]), 3) for k in scree.n_codes},
        "dead units of layer 1": round(stack.health_[0]["dead_units"] * 128),
    }
    shown = {
        "HistoryDisplay": HistoryDisplay.from_estimator(stack),
        "HealthDisplay": HealthDisplay.from_estimator(stack),
        "ScreeDisplay": scree,
        "CodesDisplay, PCA": CodesDisplay.from_estimator(stack, test, labels),
        "CodesDisplay, t-SNE, errors": CodesDisplay.from_estimator(
            stack, test, errors=True, method="tsne", max_samples=1000
        ),
        "ReconstructionDisplay, images": ReconstructionDisplay.from_estimator(
            layer, test, image_shape=data.shape
        ),
        "ReconstructionDisplay, best and worst": ReconstructionDisplay.from_estimator(
            stack, test, samples="both", image_shape=data.shape
        ),
        "WeightsDisplay, images": WeightsDisplay.from_estimator(layer, image_shape=data.shape),
        "SamplesDisplay, images": SamplesDisplay.from_estimator(generative, image_shape=data.shape),
        "ComparisonDisplay": ComparisonDisplay(comparison).plot(),
    }
    return shown, numbers


def of_a_table(quick):
    table = iris_with_gaps()
    brief = Training(updates=300 if quick else 1000)
    stack = StackedAutoencoder(
        (16, 2), missing_values=np.nan, pretrain=brief, finetune=brief, random_state=0
    ).fit(table)
    generative = StackedAutoencoder(
        (16, Autoencoder(2, code=GaussianCode(1.0))),
        missing_values=np.nan,
        pretrain=brief,
        finetune=brief,
        random_state=0,
    ).fit(table)
    # A layer that is PCA: its weights are its loadings.
    frame = load_iris(as_frame=True).data
    linear = Autoencoder(3, network="pca", random_state=0).fit(frame)
    return {
        "ReconstructionDisplay, rows": ReconstructionDisplay.from_estimator(stack, table, samples="worst"),
        "WeightsDisplay, columns": WeightsDisplay.from_estimator(stack, units=[0, 1]),
        "CodesDisplay, classes": CodesDisplay.from_estimator(stack, table, table["species"].to_pylist()),
        "SamplesDisplay, rows": SamplesDisplay.from_estimator(generative),
        "LoadingsDisplay": LoadingsDisplay.from_estimator(stack, table),
        "LoadingsDisplay, one code": LoadingsDisplay.from_estimator(linear, frame, codes=[0]),
    }


def of_series(quick):
    X = waves(300 if quick else 600)
    training = Training(max_epochs=10 if quick else 30)
    recurrent = Autoencoder(
        4, network=Recurrent(), corruption="gaussian", training=training, random_state=0
    ).fit(X)
    dense = Autoencoder(4, activation="identity", training=training, random_state=0).fit(X)
    return {
        "ReconstructionDisplay, series": ReconstructionDisplay.from_estimator(recurrent, X),
        "WeightsDisplay, series": WeightsDisplay.from_estimator(dense, sequence_shape=(24,)),
    }


def as_image(name, display):
    display.figure_.suptitle(name, fontsize="medium", fontweight="bold")
    file = BytesIO()
    display.save(file, dpi=75)
    return Image.open(file).convert("RGB")


def side_by_side(pictures):
    """All of them in columns, each picture in the column that is shortest so far."""
    width, heights, places = pictures[0].width + GAP, [0] * COLUMNS, []
    for picture in sorted(pictures, key=lambda own: -own.height):
        column = int(np.argmin(heights))
        places.append((picture, (column * width, heights[column])))
        heights[column] += picture.height + GAP
    sheet = Image.new("RGB", (COLUMNS * width, max(heights)), "white")
    for picture, place in places:
        sheet.paste(picture, place)
    return sheet


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    shown, numbers = of_images(data, opts.quick)
    shown |= of_a_table(opts.quick) | of_series(opts.quick)
    for name, value in numbers.items():
        print(f"{name:24}{value}")
    print(f"{len(shown)} pictures")

    sheet = np.asarray(side_by_side([as_image(*own) for own in shown.items()]))
    figure = Figure(figsize=(sheet.shape[1] / 100, sheet.shape[0] / 100))
    figure.figimage(sheet)
    gallery.finish(figure, numbers, __file__, opts, few_colours=False)


if __name__ == "__main__":
    main()
