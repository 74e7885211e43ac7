"""A weather table through three numbers
========================================

17 weather columns are reduced to 3 numbers a day. Do they still predict tomorrow's rain?

::

    python examples/03_weather_table.py            # about half a minute on 2 cores
    python examples/03_weather_table.py --quick    # seconds

The columns have different scales: degrees, hPa, km/h, percent, skewed rainfall, and one that is 0 or 1. For
PCA all are standardised, for the stacks all but the 0/1 column. Two stacks are compared with PCA: one with
the defaults, and one for tables, which reconstructs the 0/1 column as a probability (``loss="per_feature"``)
and whose first layer is trained on rows with some cells swapped in from other days (``Swap``).

Models are fitted to the earlier days and tested on the later ones, in two ways: by the R² of the
reconstruction, averaged over columns, and by the area under the ROC curve of a logistic regression that
predicts from the 3 numbers whether it rains tomorrow (0.5 is chance; tomorrow's rain is not among the
columns). The column "error" is the standard error of the difference from PCA, by bootstrap over the test
days.

The data are simulated by ``weather`` below, from the season and four hidden states that drift from day to day
(pressure, moisture, wind, warmth). The columns are those of the daily observations of the Australian Bureau
of Meteorology (weatherAUS in Williams (2011), Data mining with Rattle and R, Springer).
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/03_weather_table.png"
import gallery
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import Autoencoder, StackedAutoencoder, Swap, Training


def drifting(rng, n_days, memory):
    """A state with mean 0 and variance 1 that keeps a share of itself from day to day."""
    state = rng.normal(size=n_days)
    for day in range(1, n_days):
        state[day] = memory * state[day - 1] + (1 - memory**2) ** 0.5 * state[day]
    return state


def weather(n_days, seed):
    """The 17 columns of consecutive days, and whether more than 1 mm falls on the day after each."""
    rng, n = np.random.default_rng(seed), n_days + 1
    high, moist, wind, warm = (drifting(rng, n, memory) for memory in (0.75, 0.7, 0.5, 0.8))
    summer = np.cos(2 * np.pi * np.arange(n) / 365.25)

    def noise(spread):
        return rng.normal(0, spread, n)

    cloud_9, cloud_3 = (np.round(8 * expit(1.6 * moist - 1.4 * high + h + noise(0.6))) for h in (0.2, -0.1))
    clear = 1 - (cloud_9 + cloud_3) / 16
    sunshine = np.clip((12 + 2.4 * summer) * clear**0.8 + noise(0.7), 0, None)
    wet = expit(2.2 * moist - 2 * high + 0.6 * wind - 1.6)
    rain = np.round(np.where(rng.uniform(size=n) < wet, rng.gamma(0.8, 3 + 14 * wet), 0), 1)
    # A clear sky makes warm days and cold nights.
    mean, swing = 17 + 6 * summer + 2.5 * warm + 0.8 * moist, 3 + 7 * clear
    low, top = mean - 0.55 * swing + noise(0.8), mean + 0.75 * swing + noise(0.8)
    temp_9, temp_3 = low + 0.4 * (top - low) + noise(0.7), top - 1.2 + noise(0.5)
    gale = np.exp(0.32 * wind - 0.2 * high)
    gust, wind_9, wind_3 = (
        np.round(k * gale * np.exp(noise(spread))) for k, spread in ((36, 0.12), (11, 0.3), (18, 0.2))
    )
    dry_9, dry_3 = (np.exp(-0.062 * (temp - low + 1.5 - 2.2 * moist)) for temp in (temp_9, temp_3))
    humid_9, humid_3 = (np.clip(100 * dry + noise(4), 5, 100) for dry in (dry_9, dry_3))
    evaporation = 0.13 * np.exp(0.045 * top) * (4 + 0.08 * gust) * (1.4 - humid_3 / 100) + noise(0.5)
    pressure_9 = 1017 - 2.5 * summer + 6.5 * high - 1.2 * wind + noise(0.5)
    pressure_3 = pressure_9 - 2.2 - 0.12 * (top - low) + noise(0.7)
    columns = [low, top, rain, np.clip(evaporation, 0, None), sunshine, gust, wind_9, wind_3, humid_9]
    columns += [humid_3, pressure_9, pressure_3, cloud_9, cloud_3, temp_9, temp_3, rain > 1]
    return np.column_stack(columns).astype(float)[:-1], (rain > 1)[1:]


def main() -> None:
    opts = gallery.options(__doc__)
    n_days, n_fitted, epochs = (700, 500, 6) if opts.quick else (8000, 6000, "auto")
    X, tomorrow = weather(n_days, seed=0)
    train, test, rains = slice(n_fitted), slice(n_fitted, None), tomorrow[n_fitted:]
    common = {"pretrain": Training(epochs), "finetune": Training(epochs), "random_state": 0}
    bottom = Autoencoder(32, corruption=Swap(0.1), loss="per_feature")
    models = {
        "PCA, 3": make_pipeline(StandardScaler(), PCA(3)),
        "stackae 32-3, default": StackedAutoencoder([32, 3], **common),
        "stackae 32-3, for tables": StackedAutoencoder([bottom, 3], **common),
        "all 17 columns": StandardScaler(),
    }
    codes, chances, numbers = {}, {}, {}
    resampled = np.random.default_rng(0).integers(len(rains), size=(50, len(rains)))
    print(f"{n_fitted:,} days to fit, {len(rains):,} to test, rain after {rains.mean():.0%} of them\n")
    print(f"{'features':<26}{'mean R²':>9}{'worst column':>14}{'AUC, rain':>11}{'minus PCA':>11}{'error':>8}")
    for name, model in models.items():
        fitted, codes[name] = model.fit_transform(X[train]), model.transform(X[test])
        r2 = r2_score(X[test], model.inverse_transform(codes[name]), multioutput="raw_values")
        judge = make_pipeline(StandardScaler(), LogisticRegression()).fit(fitted, tomorrow[train])
        chances[name] = chance = judge.predict_proba(codes[name])[:, 1]
        auc, pca = roc_auc_score(rains, chance), chances["PCA, 3"]
        gain = auc - roc_auc_score(rains, pca)
        error = np.std(
            [roc_auc_score(rains[i], chance[i]) - roc_auc_score(rains[i], pca[i]) for i in resampled]
        )
        found = [float(value) for value in (r2.mean(), r2.min(), auc, gain, error)]
        numbers[name] = dict(zip(["mean_r2", "least_r2", "auc", "gain", "error"], found, strict=True))
        print(f"{name:<26}{found[0]:>9.3f}{found[1]:>14.3f}{auc:>11.3f}{gain:>+11.3f}{error:>8.3f}")

    figure, axes = plt.subplots(2, 3, figsize=(12, 7.8), layout="constrained")
    for row, name in zip(axes, ["stackae 32-3, for tables", "PCA, 3"], strict=True):
        low, high = np.percentile(codes[name], [0.5, 99.5], axis=0)
        for panel, (a, b) in zip(row, [(0, 1), (0, 2), (1, 2)], strict=True):
            for days, colour, label in (
                (~rains, "#b9b9b9", "dry tomorrow"),
                (rains, "#007a5e", "rain tomorrow"),
            ):
                panel.plot(*codes[name][days][:, [a, b]].T, ".", ms=3, alpha=0.6, color=colour, label=label)
            panel.set(xlim=(low[a], high[a]), ylim=(low[b], high[b]))
            panel.set(xlabel=f"number {a + 1}", ylabel=f"number {b + 1}")
        row[1].set_title(f"{name}: test days by pairs of their 3 numbers (central 99 %)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=4)
    gallery.finish(figure, numbers, __file__, opts)


if __name__ == "__main__":
    main()
