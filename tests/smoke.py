"""What an installed stackae must do where nothing else is installed: the last step of ``make release-check``.

    BARE/bin/python -I tests/smoke.py dist/stackae-X.Y.Z.tar.gz

``BARE`` has the wheel and what it requires; ``-I`` keeps the checkout, in whose root it is run, off the path. The
archive must hold what is under version control, and nothing else but what the build adds.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import requires, version
from pathlib import Path, PurePosixPath

#: What setuptools leaves in a source archive.
BUILT = {"PKG-INFO", "setup.cfg"}


def check_archive(archive: Path) -> None:
    tracked = set(subprocess.check_output(["git", "ls-files"], text=True).splitlines())
    with tarfile.open(archive) as opened:
        members = [PurePosixPath(own.name).parts[1:] for own in opened if own.isfile()]
    held = {"/".join(parts) for parts in members if parts[0] != "stackae.egg-info"} - BUILT
    assert held == tracked, f"missing {sorted(tracked - held)}, too many {sorted(held - tracked)}"


def check_commands(folder: Path) -> None:
    command = Path(sys.executable).with_name("stackae")

    def stackae(*words: str) -> str:
        done = subprocess.run([command, *words], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"stackae {' '.join(words)}: {done.stderr}"
        return done.stdout

    rows = [f"{k % 7},{(k * k) % 11},{k % 3 - k % 5},{['Rome', 'Oslo', ''][k % 3]}" for k in range(200)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,city", *rows]) + "\n", encoding="utf-8")
    assert version("stackae") in stackae("--version")
    assert "pretrain" in stackae("--help")
    stackae("pretrain", "table.csv", "--layer", "8", "--layer", "2", "--epochs", "3", "--out", "run")
    stackae("transform", "run", "table.csv", "--out", "codes.csv")
    assert len((folder / "codes.csv").read_text(encoding="utf-8").splitlines()) == 201
    assert "8" in stackae("info", "run")


def check_pipeline() -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import stackae

    assert "site-packages" in stackae.__file__, stackae.__file__
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(stackae.StackedAutoencoder((8, 3), random_state=0), LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.8


def main() -> None:
    check_archive(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        check_commands(Path(folder))
    check_pipeline()
    n_required = sum("extra ==" not in own for own in requires("stackae") or ())
    print(
        f"stackae {version('stackae')} on Python {sys.version.split()[0]}, {n_required} requirements: works"
    )


if __name__ == "__main__":
    main()
