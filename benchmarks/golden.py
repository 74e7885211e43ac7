"""The same fits, the same bits: what hundreds of small fits gave, and whether they still give it.

    python benchmarks/golden.py record FILE [--only TEXT]...
    python benchmarks/golden.py compare FILE [--only TEXT]...

`record` fits many small models, of every variant of every part, of every estimator and on every kind of rows,
and writes a JSON file: the name of each configuration, and three sha256: of the fitted tensors (names, types,
shapes, bytes), of what the model answers (transform, predict, score_samples, reconstruct and the like, as
far as it has them), and of the losses, validation losses and learning rates in its history. `compare` fits
again, prints a line for each configuration that differs (in which of the three), fails or is on one side
only, then the counts, and ends with status 1 where there was any. It says whether a change inside the library
changed what comes out: record before it, compare after it.

The bits are those of one machine, one set of versions and one number of threads; compare where you recorded.
Where parameters are spelled differently in two versions, the spelling that is there is used, and a lone
Autoencoder's tensors have the names that they have in a stack of one. --only takes the configurations whose
name has the text. A configuration that is plain PCA (is_pca_) is told by `record`, since it says little.
About 2 minutes on 2 cores.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import click
from golden_cases import (
    codes,
    corruptions,
    detectors,
    networks,
    pieces,
    predictors,
    rows,
    stacks,
    trainings,
    widths,
)
from golden_models import Case, Digests, digests


def configurations(only: tuple[str, ...]) -> dict[str, Case]:
    """All of them, or those whose names have one of the texts."""
    cases: dict[str, Case] = {}
    for group in (
        networks,
        corruptions,
        codes,
        trainings,
        stacks,
        widths,
        pieces,
        rows,
        predictors,
        detectors,
    ):
        cases |= group()
    cases = {name: case for name, case in cases.items() if chosen_by(name, only)}
    if not cases:
        raise click.UsageError(f"no configuration's name has {' or '.join(map(repr, only))}")
    return cases


def chosen_by(name: str, only: tuple[str, ...]) -> bool:
    return not only or any(text in name for text in only)


# Commands -------------------------------------------------------------------------------------------------


def run(cases: dict[str, Case]) -> Iterator[tuple[str, Digests | None, str]]:
    """Of each configuration its digests, or None, and a remark on it."""
    for name, case in cases.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fitted = case()
                found = digests(fitted)
            except Exception as error:
                message = " ".join(str(error).split())
                yield name, None, f"{type(error).__name__}: {message}"
                continue
        yield name, found, "is PCA" if getattr(fitted.model, "is_pca_", False) else ""


ONLY = click.option("--only", multiple=True, metavar="TEXT", help="Configurations whose name has the text.")


@click.group(help=__doc__.split("\n", 1)[0])
def main() -> None:
    pass


@main.command(help="Fit, and write the digests to FILE.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@ONLY
def record(file: Path, only: tuple[str, ...]) -> None:
    start, found, failed = perf_counter(), {}, 0
    for name, digest, remark in run(configurations(only)):
        if digest is not None:
            found[name] = digest
        if remark:
            click.echo(f"{name}: {'' if digest else 'failed, '}{remark}")
        failed += digest is None
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    click.echo(f"{len(found)} recorded, {failed} failed; {perf_counter() - start:.0f} s")
    sys.exit(1 if failed else 0)


@main.command(help="Fit again, and say what differs from FILE.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@ONLY
def compare(file: Path, only: tuple[str, ...]) -> None:
    start = perf_counter()
    known = json.loads(file.read_text(encoding="utf-8"))
    known = {name: digest for name, digest in known.items() if chosen_by(name, only)}
    cases = configurations(only)
    counts = dict.fromkeys(("the same", "differ", "failed", "on one side only"), 0)
    for name, digest, remark in run(cases):
        if digest is None:
            what, line = "failed", f"failed, {remark}"
        elif name not in known:
            what, line = "on one side only", f"is not in {file}"
        elif differing := [part for part in digest if digest[part] != known[name].get(part)]:
            what, line = "differ", f"{', '.join(differing)} differ{'s' if len(differing) == 1 else ''}"
        else:
            what, line = "the same", ""
        counts[what] += 1
        if line:
            click.echo(f"{name}: {line}")
    for name in sorted(known.keys() - cases.keys()):
        counts["on one side only"] += 1
        click.echo(f"{name}: is only in {file}")
    click.echo(f"{', '.join(f'{n} {what}' for what, n in counts.items())}; {perf_counter() - start:.0f} s")
    sys.exit(0 if counts["the same"] == sum(counts.values()) else 1)


if __name__ == "__main__":
    main()
