"""Mutated files: nothing may crash, hang, run code, take much memory, or pass as whole.

    python benchmarks/fuzz.py [--json FILE] [--files N] [--seed N] [--quick]

Saved models of several estimators are mutated: bits flipped; cut off, out, or together; bytes put in; numbers
of the header replaced by huge ones. `stackae.load` has to refuse each with ModelFileError, or give a model
equal to the original. One in ten is forged instead: a value of its header is replaced, and its checksum made
right; then it may be another model, but not a crash. Tables (npy, npz, csv, parquet, IDX, gzip) are mutated
likewise; `load_data` has to refuse each with DataError or OSError, or give a table.

Meanwhile the process may take 1 GiB more than at the start, and 20 seconds a file, and may not start a
process, open a connection, unpickle an object or run code: the interpreter's audit events tell.

--files says how many models; of each kind of table there are a tenth. --quick is a few seconds' version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import resource
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from common import conclude
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    TopK,
    Training,
    load,
)
from stackae.data import load_data
from stackae.data.data_set import is_typed
from stackae.exceptions import DataError, ModelFileError
from stackae.serialization.model_file import read_model

MOST_BYTES, SECONDS = 2**30, 20
#: Audit events that reading a file must not raise.
FORBIDDEN = {
    "exec",
    "pickle.find_class",
    "marshal.loads",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "socket.connect",
    "ctypes.dlopen",
}
#: Values that a forged header gets.
VALUES: list[Any] = [None, True, -1, 0, 1, 2**31, 2**63, 1e308, "", "x" * 1000, "Autoencoder", [], {}, [[]]]
VALUES += [{"class": "Training", "params": {}}, {"class": "os.system", "params": {"command": "true"}}]
VALUES += [{"float": "nan"}, {"float": "inf"}, {"tuple": []}]


class HangError(BaseException):
    """A file takes longer than it may."""


class Watch:
    """What happens while a file is read."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.on = False
        sys.addaudithook(self.hear)
        signal.signal(signal.SIGALRM, self.alarm)

    def hear(self, event: str, _: tuple[Any, ...]) -> None:
        if self.on and event in FORBIDDEN:
            self.events.append(event)

    def alarm(self, *_: Any) -> None:
        raise HangError

    def read(self, function: Callable[[Path], Any], path: Path) -> tuple[Any, BaseException | None]:
        """What a reader gives, or raises."""
        self.events.clear()
        signal.alarm(SECONDS)
        self.on = True
        try:
            return function(path), None
        except BaseException as error:
            return None, error
        finally:
            self.on = False
            signal.alarm(0)


# Mutations ----------------------------------------------------------------------------------------------


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes that were damaged in one of several ways."""
    data, n = bytearray(content), len(content)
    start, stop = sorted(int(k) for k in rng.integers(0, n + 1, 2))
    kind = rng.integers(6)
    if kind == 0:
        for _ in range(int(rng.integers(1, 9))):
            data[int(rng.integers(n))] ^= 1 << int(rng.integers(8))
        return bytes(data)
    if kind == 1:
        return content[:start]
    if kind == 2:
        return content[:start] + content[stop:]
    if kind == 3:
        return content[:start] + rng.bytes(int(rng.integers(1, 64))) + content[start:]
    if kind == 4:
        return content[:stop] + content[start:]
    numbers = list(re.finditer(rb"\d+", content[:4096]))
    if not numbers:
        return rng.bytes(n)
    number = numbers[int(rng.integers(len(numbers)))]
    huge = str(int(rng.choice([0, 1, 2**16, 2**31, 2**40, 2**62]))).encode()
    return content[: number.start()] + huge + content[number.end() :]


def forged(content: bytes, rng: np.random.Generator) -> bytes:
    """A model file of which a value of the header was replaced, its checksum made right."""
    start = 8 + int.from_bytes(content[:8], "little")
    table, payload = json.loads(content[8:start]), content[start:]
    metadata = table.pop("__metadata__")
    header = json.loads(metadata["header"])
    place: Any = header
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return content
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.8:
            place = place[key]
            continue
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = VALUES[int(rng.integers(len(VALUES)))]
        break
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(table):
        entry = table[name]
        described = [name, entry["dtype"], entry["shape"]]
        sha256.update(json.dumps(described, sort_keys=True, separators=(",", ":")).encode())
        sha256.update(payload[slice(*entry["data_offsets"])])
    table["__metadata__"] = {**metadata, "header": text, "sha256": sha256.hexdigest()}
    front = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    front += b" " * (-len(front) % 8)
    return len(front).to_bytes(8, "little") + front + payload


# What is mutated ----------------------------------------------------------------------------------------


def models(folder: Path) -> list[Path]:
    """Saved models of several estimators."""
    X, y = load_iris(return_X_y=True)
    X = np.tile(X, (2, 1))
    brief = Training(max_epochs=1)
    stack = StackedAutoencoder((6, 2), pretrain=brief, finetune=brief, random_state=0)
    fitted = [
        Autoencoder(3, code=TopK(2), penalty="l1", training=brief, random_state=0).fit(X),
        stack.fit(X),
        StackedAutoencoderClassifier(clone(stack), finetune=brief, random_state=0).fit(X, np.tile(y, 2)),
        StackedAutoencoderDetector(FrozenEstimator(stack)).fit(X),
    ]
    paths = [folder / f"{type(model).__name__}.safetensors" for model in fitted]
    for model, path in zip(fitted, paths, strict=True):
        model.save(path)
    return paths


def tables(folder: Path) -> list[Path]:
    """One small table in every format."""
    import gzip

    import pandas as pd

    X = load_iris().data
    pixels = (X[:, :4] * 30).astype(np.uint8).reshape(-1, 2, 2)
    idx = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
    frame = pd.DataFrame(X, columns=list("abcd"))
    np.save(folder / "table.npy", X)
    np.savez(folder / "table.npz", X=X)
    np.savez_compressed(folder / "packed.npz", X=X)
    frame.to_csv(folder / "table.csv", index=False)
    frame.to_parquet(folder / "table.parquet")
    (folder / "table-idx3-ubyte").write_bytes(idx)
    (folder / "packed-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
    return sorted(path for path in folder.iterdir() if path.is_file())


def read_whole(path: Path) -> Any:
    """All of a table: numbers, or typed columns."""
    X = load_data(path).X
    return X if is_typed(X) else np.array(X)


class Fuzz:
    """What came of the files."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.watch = Watch()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []

    def judge(
        self, kind: str, path: Path, expected: tuple[type[BaseException], ...], read: Any, whole: Any
    ) -> None:
        """Read a mutated file; count it, or say what is wrong with how that went."""
        result, error = self.watch.read(read, path)
        if self.watch.events:
            wrong = f"ran {sorted(set(self.watch.events))}"
        elif error is None:
            wrong = whole(result)
        elif isinstance(error, expected):
            wrong = "its error is more than a line" if "\n" in str(error) else ""
        else:
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            kept = Path(f"fuzz-{len(self.failures)}-{path.name}")
            kept.write_bytes(path.read_bytes())
            self.failures.append(f"{kind}: {wrong[:300]} ({kept})")
            print(self.failures[-1], flush=True)
        self.counts[f"{kind}, {'accepted' if error is None else 'refused'}"] += 1

    def models(self, n_files: int) -> None:
        sources = models(self.folder)
        contents = [path.read_bytes() for path in sources]
        originals = [read_model(path) for path in sources]
        target = self.folder / "mutated.safetensors"
        for path in sources:  # whatever is imported on first use
            model = load(path)
            model.transform(load_iris().data)
            repr(model)
        for number in range(n_files):
            k = number % len(sources)
            forge = number % 10 == 9
            target.write_bytes((forged if forge else mutated)(contents[k], self.rng))

            def whole(_: Any, k: int = k, forge: bool = forge) -> str:
                if forge:
                    return ""
                header, tensors = read_model(target)
                same = header == originals[k][0] and tensors.keys() == originals[k][1].keys()
                same = same and all(bool((tensors[n] == t).all()) for n, t in originals[k][1].items())
                return "" if same else "was accepted, but is not the original"

            self.judge("forged model" if forge else "model", target, (ModelFileError,), load, whole)

    def tables(self, n_files: int) -> None:
        folder = self.folder / "tables"
        folder.mkdir()

        def whole(X: Any) -> str:
            is_table = is_typed(X) or (X.ndim == 2 and X.dtype.kind == "f")
            return "" if is_table else f"gave {X.dtype}{X.shape}"

        for path in tables(folder):
            content = path.read_bytes()
            target = folder / f"mutated-{path.name}"
            read_whole(path)
            for seed in range(10):  # whatever is imported on first use, by refusals too
                target.write_bytes(mutated(content, np.random.default_rng(seed)))
                with suppress(DataError, OSError):
                    read_whole(target)
            for _ in range(n_files):
                target.write_bytes(mutated(content, self.rng))
                self.judge(path.name, target, (DataError, OSError), read_whole, whole)
            target.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--files", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    n_files = 600 if args.quick else args.files
    begin = perf_counter()
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder), args.seed)
        n_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        n_bytes = n_pages * resource.getpagesize()
        limits = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes + MOST_BYTES, limits[1]))
        try:
            fuzz.models(n_files)
            fuzz.tables(n_files // 10)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
    for kind, count in sorted(fuzz.counts.items()):
        print(f"{kind:<40}{count:>9,}")
    print(
        f"{sum(fuzz.counts.values()):,} files, {len(fuzz.failures)} failures, {perf_counter() - begin:.0f} s"
    )
    conclude(args.json, {"files": dict(fuzz.counts), "seed": args.seed}, fuzz.failures)


if __name__ == "__main__":
    main()
