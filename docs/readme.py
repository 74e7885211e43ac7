"""Run what README.md shows: what came out is written beneath it, and its picture drawn.

OMP_NUM_THREADS=1 python docs/readme.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

ROOT = Path(__file__).resolve().parent.parent
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "_static" / "digits.png"
#: The example and what it prints; a command and what it prints.
EXAMPLE = re.compile(r"(?<=```python\n)(.*?)(```\n\n```\n)(.*?)(?=```)", re.DOTALL)
COMMAND = re.compile(r"^\$ (stackae .*)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)


def printed_by(code: str, names: dict[str, Any]) -> str:
    """What a block of Python prints; ``names`` are then those that it has left."""
    with redirect_stdout(StringIO()) as out:
        exec(compile(code, "README.md", "exec"), names)
    return out.getvalue()


def answer(command: str, folder: str) -> str:
    """The results of a command on a terminal of 113 columns."""
    words = [sys.executable, "-m", "stackae_cli.main", *command.split()[1:]]
    environment = os.environ | {"COLUMNS": "113"}
    done = subprocess.run(
        words, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def draw(names: dict[str, Any]) -> None:
    """Ten test digits; what PCA and the stack make of 8 numbers for each."""
    X, y, stack = names["X_test"], names["y_test"], names["model"]
    shown = X[[np.flatnonzero(y == digit)[0] for digit in range(10)]]
    pca = PCA(8).fit(names["X_train"])
    rows = {
        "digit": shown,
        "PCA(8)": pca.inverse_transform(pca.transform(shown)),
        "stackae": stack.inverse_transform(stack.transform(shown)),
    }
    figure = Figure(figsize=(7.2, 2.2))
    axes = figure.subplots(3, 10, gridspec_kw={"wspace": 0.06, "hspace": 0.06})
    for (name, images), line in zip(rows.items(), axes, strict=True):
        line[0].text(
            -0.2, 0.5, name, ha="right", va="center", transform=line[0].transAxes
        )
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()
    figure.savefig(PICTURE, dpi=110, bbox_inches="tight", facecolor="white")


def main() -> None:
    names: dict[str, Any] = {}
    text = README.read_text(encoding="utf-8")
    text = EXAMPLE.sub(lambda own: own[1] + own[2] + printed_by(own[1], names), text)
    with tempfile.TemporaryDirectory() as folder:
        text = COMMAND.sub(lambda own: f"$ {own[1]}\n{answer(own[1], folder)}", text)
    README.write_text(text, encoding="utf-8")
    draw(names)


if __name__ == "__main__":
    main()
