"""
A mixed table with gaps: from a CSV file to predictions
=======================================================

Real tables hold text, dates, booleans, numbers and empty cells, and often only some rows have a label. stackae takes
such a table as it is, in Python and on the command line.
"""

# %%
# We generate a file of 900 customers. About 30 % of the incomes are empty, and only every fourth row says whether the
# customer has left, which is the label. With your own file, skip this cell and use
# ``customers = pd.read_csv("mine.csv")``.

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from stackae import StackedAutoencoder, Training
from stackae.plotting import LoadingsDisplay

rng = np.random.default_rng(0)
n = 900
plan = rng.choice(["basic", "family", "business"], n, p=[0.5, 0.3, 0.2])
age = rng.normal(45, 14, n).clip(18, 90).round()
income = np.exp(
    rng.normal(10.2, 0.15, n) + 0.5 * (plan == "business") + 0.015 * (age - 45)
)
calls = rng.poisson(3 + 4 * (plan == "business") + 2 * (plan == "family"))
since = pd.Timestamp("2026-01-01") - pd.to_timedelta(
    rng.integers(30, 2500, n), unit="D"
)
leaves = rng.random(n) < 1 / (
    1 + np.exp(-(-1.6 + 0.5 * (calls - 4) - 0.03 * (age - 45)))
)

customers = pd.DataFrame(
    {
        "customer": [f"c{k:04}" for k in range(n)],
        "plan": plan,
        "age": age,
        "income": np.where(rng.random(n) < 0.3, np.nan, income.round(-2)),
        "calls": calls,
        "since": since.strftime("%Y-%m-%d"),
        "paperless": rng.choice(["yes", "no"], n),
        "left": np.where(np.arange(n) % 4 == 0, np.where(leaves, "yes", "no"), None),
    }
)
folder = Path(tempfile.mkdtemp())
customers.to_csv(folder / "customers.csv", index=False)
print((folder / "customers.csv").read_text()[:260])

# %%
# In Python
# ---------
# A data frame goes straight into ``fit``; leave out the label and the id. ``table_`` tells how each column was encoded.

features = customers.drop(columns=["customer", "left"])
brief = Training(updates=1500)  # to keep this page quick
stack = StackedAutoencoder((32, 4), finetune=brief, random_state=0).fit(features)
print(stack.table_)

# %%
# ``impute`` fills empty cells with what the other columns suggest. Since we generated the table, we know the true
# incomes and can compare with filling in the mean. The error is the root mean squared error, in standard deviations of
# the income:

known = features["income"].isna().to_numpy()
filled = stack.impute(features)["income"].to_numpy()[known]
spread = income.std()
print(
    f"error: stack {np.sqrt(np.mean((filled - income[known]) ** 2)) / spread:.2f}, ",
    end="",
)
print(
    f"mean {np.sqrt(np.mean((features['income'].mean() - income[known]) ** 2)) / spread:.2f}"
)

# %%
# Which columns does each number of the code depend on? The *loadings* say how much it changes with each column. (A
# category or a date counts as one column, although it is encoded in several.)

display = LoadingsDisplay.from_estimator(stack, features)

# %%
# On the command line
# -------------------
# The same from the file, this time with the label. ``--labels`` names the column of labels and ``--id`` the column of
# ids. Neither is used as a feature, and later commands remember both; ids are copied to the output files. (``run``
# below only lets this page call commands; in a terminal, type what follows the ``$``. Progress messages are left out.)


def run(command):
    print("$", command)
    done = subprocess.run(
        command, shell=True, cwd=folder, check=True, capture_output=True, text=True
    )
    print(done.stdout.strip())


run(
    "stackae pretrain customers.csv --labels left --id customer --layer 32 --layer 4 --finetune-epochs 60 --out customers --no-report --random-state 0"
)

# %%
# ``finetune`` learns the label from the rows that have one. First it holds out a fifth of them and tells the accuracy on those,
# compared with simpler methods; then it trains on all labelled rows.

run(
    "stackae finetune customers customers.csv --out leaving --no-report --random-state 0"
)

# %%
# ``predict --proba`` writes the id of each row and the probability of each class:

run("stackae predict leaving customers.csv --proba --out leaving.csv")
print(pd.read_csv(folder / "leaving.csv").head())

# %%
# Since the table is generated, we also know the labels that were left out of the file:

predicted = (
    pd.read_csv(folder / "leaving.csv").set_index("customer")["yes"].to_numpy() > 0.5
)
unlabelled = customers["left"].isna().to_numpy()
print(
    f"accuracy on the rows without a label: {np.mean(predicted[unlabelled] == leaves[unlabelled]):.1%}; ",
    end="",
)
print(
    f"always the most frequent class: {max(np.mean(leaves), 1 - np.mean(leaves)):.1%}"
)
