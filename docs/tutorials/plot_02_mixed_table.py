"""
A mixed table with gaps: from a CSV file to predictions
=======================================================

A table as people have it: words, dates, truth values, numbers, empty cells, and a label on some rows only. It is taken
as it is, in Python and on the command line.
"""

# %%
# A file of 900 customers. Three cells in ten of the income are empty, and only every fourth row says whether the customer
# has left. (The table is generated, so that nothing has to be downloaded.)

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
# A frame goes straight into ``fit``. ``table_`` says what became of each column.

features = customers.drop(columns=["customer", "left"])
brief = Training(updates=1500)  # to keep this page quick
stack = StackedAutoencoder((32, 4), finetune=brief, random_state=0).fit(features)
print(stack.table_)

# %%
# The gaps are filled by what the other columns say. Since this table is generated, we know what stood there, and can
# compare with filling in the mean:

known = features["income"].isna().to_numpy()
filled = stack.impute(features)["income"].to_numpy()[known]
spread = income.std()
print(
    f"error in standard deviations: stack {np.sqrt(np.mean((filled - income[known]) ** 2)) / spread:.2f}, ",
    end="",
)
print(
    f"mean {np.sqrt(np.mean((features['income'].mean() - income[known]) ** 2)) / spread:.2f}"
)

# %%
# Which columns make which code? A category and a date count as one column each.

display = LoadingsDisplay.from_estimator(stack, features)

# %%
# On the command line
# -------------------
# The same from the file, with the label. ``--labels`` keeps a column out of the features, ``--id`` one that is carried to
# what is written; the run remembers both. (Progress goes to standard error, and is left out here.)


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
# ``finetune`` learns the label from the rows that have one. First it keeps a fifth of them back, and says how many of those
# it gets right, beside simpler methods; then it learns from all.

run(
    "stackae finetune customers customers.csv --out leaving --no-report --random-state 0"
)

# %%
# ``predict`` writes the rows' names and the probability of each class:

run("stackae predict leaving customers.csv --proba --out leaving.csv")
print(pd.read_csv(folder / "leaving.csv").head())

# %%
# We know what the customers without a label did:

predicted = (
    pd.read_csv(folder / "leaving.csv").set_index("customer")["yes"].to_numpy() > 0.5
)
unlabelled = customers["left"].isna().to_numpy()
print(
    f"right for {np.mean(predicted[unlabelled] == leaves[unlabelled]):.1%} of the rows without a label; ",
    end="",
)
print(f"always the commonest answer: {max(np.mean(leaves), 1 - np.mean(leaves)):.1%}")
