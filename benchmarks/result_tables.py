"""Markdown tables of the results in benchmarks/results, for README.md and docs/.

    python benchmarks/result_tables.py [--write]

Prints the tables; --write puts each between its marks in the pages that have them, which look like
<!-- table: against-pca --> and <!-- end -->. A test compares the pages with the results.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from data_sets import DATA_SETS

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "docs/against_pca.md",
    "docs/defaults.md",
    "docs/guide/billion_rows.md",
    "docs/guide/engines.md",
    "docs/guide/large_data.md",
    "docs/guide/serving.md",
)
_MARKED = re.compile(r"(?<=<!-- table: )([a-z-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)


def results_of(name: str) -> Any:
    """What a benchmark found."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def against_pca() -> list[str]:
    """Every set for reporting at every width: gains over PCA in points, bold where a test tells them."""
    lines = [
        "| data set | kind | linear probe | 5 nearest neighbours | 100 labels | PCA's linear probe, %"
        " | R² to PCA's |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, cells in results_of("features_vs_pca")["cells"].items():
        found = list(cells.values())
        gains = [
            " / ".join(_gain(cell[probe]) for cell in found if probe in cell) or "-"
            for probe in ("linear_probe", "knn_probe", "few_labels_100")
        ]
        pca = " / ".join(f"{100 * cell['linear_probe']['PCA']:.0f}" for cell in found)
        r2 = " / ".join(f"{cell['r2']['stackae'] - cell['r2']['PCA']:+.2f}" for cell in found)
        lines.append(f"| {name} | {DATA_SETS[name].kind} | {' | '.join(gains)} | {pca} | {r2} |")
    return lines


def _gain(cell: dict[str, Any]) -> str:
    points = f"{100 * (cell['stackae'] - cell['PCA']):+.1f}"
    return f"**{points}**" if cell["sign"] else points


def groups_against_pca() -> list[str]:
    """Of tables and of images: in how many cells it is better, level, worse, and by how much on average."""
    titles = {
        "linear_probe": "linear probe",
        "knn_probe": "5 nearest neighbours",
        "few_labels_10": "linear probe, 10 labels",
        "few_labels_100": "linear probe, 100 labels",
    }
    whats = {
        "tables": "tables, spectra, omics, text",
        "images": "images, series, shapes, photographs",
    }
    lines = [
        "| data | judged by | better / level / worse than PCA | mean gain, points"
        " | within a point of the best of five, or better |",
        "|---|---|---|---|---|",
    ]
    for group, own in results_of("features_vs_pca")["counts"].items():
        for probe, title in titles.items():
            c = own[probe]
            level = c["cells"] - c["better"] - c["worse"]
            near = c.get("within a point of the best")
            best = "" if near is None else f"{near} of {c['cells']}"
            counted = f"{c['better']} / {level} / {c['worse']}"
            lines.append(f"| {whats[group]} | {title} | {counted} | {c['mean']:+.1f} | {best} |")
    return lines


def kinds_against_pca() -> list[str]:
    """Of each kind of data: in how many cells it is better, level, worse; where it wins most, first."""
    lines = [
        "| kind of data | sets | linear probe | 5 nearest neighbours | R² of the reconstruction |",
        "|---|---|---|---|---|",
    ]
    kinds: dict[str, list[list[dict[str, Any]]]] = {}
    for name, cells in results_of("features_vs_pca")["cells"].items():
        kinds.setdefault(DATA_SETS[name].kind, []).append(list(cells.values()))
    rows = {}
    for kind, sets in kinds.items():
        found = [cell for own in sets for cell in own]
        signs = [[cell[probe]["sign"] for cell in found] for probe in ("linear_probe", "knn_probe")]
        gains = [cell["r2"]["stackae"] - cell["r2"]["PCA"] for cell in found]
        signs.append([(gain > 0.005) - (gain < -0.005) for gain in gains])
        counted = [" / ".join(str(own.count(sign)) for sign in (1, 0, -1)) for own in signs]
        rows[kind] = (sum(signs[0]) / len(found), f"| {kind} | {len(sets)} | {' | '.join(counted)} |")
    return lines + [row for _, row in sorted(rows.values(), reverse=True)]


def billion_rows() -> list[str]:
    """Minutes of encoding and training on some numbers of machines, by the model and simulated."""
    lines = []
    for name, found in results_of("billion_rows")["seconds"].items():
        model, median, worst = (found[key] / 60 for key in ("model", "simulated", "worst"))
        times = f"{model:.1f}", f"{median:.1f} ({worst:.1f})"
        lines.append((*name.split(", "), *times, found["scarcest"]))
    return _lines(("work", "machines", "model, minutes", "simulated (worst of ten)", "scarcest"), lines)


def serving() -> list[str]:
    """Requests a second and milliseconds of each stack, in batches and each alone."""
    lines = [
        (
            name,
            way,
            *(f"{own[key]:.0f}" for key in ("requests a second", "p50 ms", "p99 ms")),
            f"{own['rows a run']:.1f}",
        )
        for name, ways in results_of("serving")["stacks"].items()
        for way, own in ways.items()
    ]
    return _lines(("network", "runs", "requests a second", "p50, ms", "p99, ms", "rows a run"), lines)


def engines() -> list[str]:
    """Each engine's rate, also as a share of transform's in memory, and the memory of a worker."""
    lines = []
    for name, found in results_of("engines")["engines"].items():
        rate, memory = found["rows a second and worker"], found["bytes of memory of a worker"] / 1e6
        lines.append((f"`{name}`", f"{rate:,.0f}", f"{found['share']:.2f}", f"{memory:,.0f} MB"))
    head = "engine", "rows a second and worker", "of `transform` in memory", "memory of a worker"
    return _lines(head, lines)


def torchrun() -> list[str]:
    """How many times as fast two processes are as one, by precision, place of the rows and batch."""
    lines = []
    for precision, places in results_of("torchrun")["epochs"].items():
        for where, sizes in places.items():
            ratios = [f"{one['ratio']:.2f}" for one in sizes.values()]
            name = "`auto`, bfloat16 here" if precision == "auto" else f"`{precision}`"
            lines.append((name, where, *ratios))
    sizes = next(iter(places.values()))
    return _lines(("precision", "rows", *(f"batches of {int(size):,}" for size in sizes)), lines)


def ablations() -> list[str]:
    """Each choice undone: mean differences to PCA, and the shares of cells that are better and worse."""
    measures = {"linear_probe": "linear", "knn_probe": "k-NN", "few_labels_100": "100 labels"}
    groups = ("tables", "images")
    head = [
        f"{group}: {title}" if k == 0 else title
        for group in groups
        for k, title in enumerate((*measures.values(), "R²"))
    ]
    rows = []
    for variant, summary in results_of("ablations")["summary"].items():
        row = [variant]
        for own in (summary[group] for group in groups):
            for c in map(own.__getitem__, measures):
                row.append(f"{c['mean']:+.1f} ({100 * c['better']:.0f} / {100 * c['worse']:.0f} %)")
            row.append(f"{own['r2']['mean'] / 100:+.3f}")
        rows.append(row)
    return _lines(["variant", *head], rows)


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return [first, "|---" * len(head) + "|", *others]


TABLES: dict[str, Callable[[], list[str]]] = {
    "against-pca": against_pca,
    "groups-against-pca": groups_against_pca,
    "kinds-against-pca": kinds_against_pca,
    "billion-rows": billion_rows,
    "engines": engines,
    "torchrun": torchrun,
    "serving": serving,
    "ablations": ablations,
}


def filled(text: str) -> str:
    """A page with every table as the results have it."""
    return _MARKED.sub(lambda match: "\n".join([f"{match[1]} -->", *TABLES[match[1]](), ""]), text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        for page in PAGES:
            path = ROOT / page
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, table in TABLES.items():
        print(f"{name}\n", *table(), "", sep="\n")


if __name__ == "__main__":
    main()
