"""
Larger than memory, and many machines
=====================================

Rows that do not fit into memory are read from the disk in blocks while the stack trains. Nothing else changes. To keep this page
short the file is small, and the memory smaller.
"""

# %%
# Sixty thousand rows in a ``.npy`` file, and the same in four shards:

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from stackae import StackedAutoencoder, Training
from stackae.data import load_data

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
X = (
    rng.normal(size=(60_000, 4)) @ rng.normal(size=(4, 128))
    + 0.3 * rng.normal(size=(60_000, 128))
).astype(np.float32)
np.save(folder / "big.npy", X)
(folder / "shards").mkdir()
for k, shard in enumerate(np.array_split(X, 4)):
    np.save(folder / "shards" / f"{k}.npy", shard)
print(f"{X.nbytes / 1e6:.1f} MB")

# %%
# A memory map is taken as it is; ``max_memory`` says what rows and codes may take. The plan tells where they will lie.

brief = Training(max_epochs=2)
stack = StackedAutoencoder(
    (32, 8), pretrain=brief, finetune=brief, max_memory="24MB", random_state=0
)
mapped = np.load(folder / "big.npy", mmap_mode="r")
print(str(stack.plan(mapped)).splitlines()[-1])

# %%
stack.fit(mapped)
print(f"R² {stack.score(mapped):.3f}")

# %%
# A folder of shards is one table:

rows = load_data(folder / "shards").named_samples
print(rows.shape, f"R² {stack.score(rows):.3f}")

# %%
# For data that arrive in pieces there is ``partial_fit``: one pass over each piece.

arriving = StackedAutoencoder((32, 8), scale=None, random_state=0)
for piece in np.array_split(X, 10):
    arriving.partial_fit(piece)
print(f"R² after one pass: {arriving.score(X):.3f}")

# %%
# On the command line a file or a folder is named, and ``--max-memory`` is the bound. A run that is interrupted goes on with
# ``--resume``, and ends in the same weights.


def run(command):
    print("$", command)
    done = subprocess.run(
        command, shell=True, cwd=folder, check=True, capture_output=True, text=True
    )
    print(done.stdout.strip())


run("stackae pretrain shards/ --max-memory 24MB --layer 32 --layer 8 --dry-run")

# %%
# Several processes, or several GPUs, train one model under torchrun; the result is that of one process, to float tolerance:
#
# .. code-block:: text
#
#    torchrun --nproc-per-node 2 --no-python stackae pretrain mnist --out runs/mnist
#
# ``stackae evaluate --dask ADDRESS`` spreads the splits of a comparison over a cluster. How long things take and how much
# memory: :doc:`/reference/performance`.
