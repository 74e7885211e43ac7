"""
Larger than memory, and many machines
=====================================

If the rows do not fit in memory, stackae reads them from disk in blocks while it trains. Nothing else changes. To keep
this page quick, the file is small and the memory is limited to even less.
"""

# %%
# 60,000 rows in a ``.npy`` file, and the same rows in a folder of four files (*shards*):

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
# ``fit`` takes a memory map. ``max_memory`` limits the memory for rows and codes; whatever exceeds it stays on disk.
# The last line of ``plan`` says where rows and codes will be (``brief`` trains for two epochs only, to keep this page
# quick):

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
# ``load_data`` reads a folder of shards as one table:

rows = load_data(folder / "shards").named_samples
print(rows.shape, f"R² {stack.score(rows):.3f}")

# %%
# If data arrive in pieces, use ``partial_fit``, which makes one pass over each piece. The first piece decides how columns
# are scaled; ``scale=None`` leaves them as they are.

arriving = StackedAutoencoder((32, 8), scale=None, random_state=0)
for piece in np.array_split(X, 10):
    arriving.partial_fit(piece)
print(f"R² after one pass: {arriving.score(X):.3f}")

# %%
# On the command line, give a file or a folder, and the limit as ``--max-memory``. An interrupted run continues with
# ``--resume``, and ends with the same weights as if it had not been interrupted. ``--dry-run`` prints the plan and
# stops:


def run(command):
    print("$", command)
    done = subprocess.run(
        command, shell=True, cwd=folder, check=True, capture_output=True, text=True
    )
    print(done.stdout.strip())


run("stackae pretrain shards/ --max-memory 24MB --layer 32 --layer 8 --dry-run")

# %%
# Several processes or GPUs train one model with torchrun; the result is the same as with one process, up to rounding:
#
# .. code-block:: text
#
#    torchrun --nproc-per-node 2 --no-python stackae pretrain mnist --out runs/mnist
#
# ``stackae evaluate --dask ADDRESS`` distributes the splits of a comparison over a cluster. More:
# :doc:`/guide/large_data`; times and memory: :doc:`/reference/performance`.
