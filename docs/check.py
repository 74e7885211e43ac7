"""What ``make docs-check`` asks of the built site.

    python docs/check.py build/docs

Links inside the site lead somewhere; pages fetch nothing from elsewhere; every public name, every command and every
option has its entry; docstrings of public classes and functions describe their parameters, all and no others.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import click
from numpydoc.validate import validate

import stackae
from stackae_cli.main import cli

#: Where public names are.
MODULES = (
    "stackae",
    *(
        f"stackae.{name}"
        for name in (
            "codes",
            "corruption",
            "data",
            "estimators",
            "evaluation",
            "exceptions",
            "losses",
            "networks",
            "penalties",
            "plotting",
            "report",
            "semi",
            "tables",
            "training.callbacks",
            "training.optimizers",
        )
    ),
)
#: Parameters that are missing, or not there; malformed ones.
CHECKS = {"PR01", "PR02", "PR03", "PR05", "PR10", "GL08", "SS01"}


class Page(HTMLParser):
    """The anchors of a page, its links, and what it fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        is_hint = given.get("rel") in ("next", "prev", "canonical", "index", "search")
        if tag == "link" and not is_hint:
            self.fetched.append(str(given["href"]))
        elif tag in (
            "script",
            "img",
            "iframe",
            "source",
            "video",
            "object",
        ) and given.get("src"):
            self.fetched.append(str(given["src"]))


def broken_links(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Links and files that lead nowhere, and what is fetched from elsewhere."""
    for path, page in pages.items():
        here = path.relative_to(site)
        for target in page.fetched:
            if re.match(r"(https?:)?//", target):
                yield f"{here}: fetches {target}"
        for link in page.links + page.fetched:
            if re.match(r"[a-z+]+:|//", link):
                continue
            name, anchor = urldefrag(unquote(link.partition("?")[0]))
            file = (path.parent / name).resolve() if name else path
            file = file / "index.html" if file.is_dir() else file
            if not file.exists():
                yield f"{here}: {link} is not there"
            elif anchor and file in pages and anchor not in pages[file].anchors:
                yield f"{here}: {link} has no such place"
    for sheet in site.rglob("*.css"):
        for target in re.findall(
            r"url\(['\"]?((?:https?:)?//[^)'\"]+)", sheet.read_text(encoding="utf-8")
        ):
            yield f"{sheet.relative_to(site)}: fetches {target}"


def public_names() -> Iterator[tuple[str, object]]:
    """Every public name with what it is."""
    for module in map(importlib.import_module, MODULES):
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if inspect.isclass(value)
        ]
        for name in names:
            if not name.startswith("_"):
                yield f"{module.__name__}.{name}", getattr(module, name)


def without_entry(pages: dict[Path, Page], text: str) -> Iterator[str]:
    """Public names, commands and options that the reference has not."""
    anchors = set().union(*(page.anchors for page in pages.values()))
    in_stackae = {id(getattr(stackae, name)) for name in stackae.__all__}
    for name, value in public_names():
        is_known = name in anchors or (name.count(".") > 1 and id(value) in in_stackae)
        if not is_known and name not in text:
            yield f"{name} has no entry in the reference"
    for name, command in cli.commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                for spelling in (*option.opts, *option.secondary_opts):
                    if (
                        f"cmdoption-stackae-{name}-{spelling.lstrip('-')}"
                        not in anchors
                        and not any(
                            anchor.startswith(f"cmdoption-stackae-{name}-")
                            and anchor.endswith(spelling.lstrip("-"))
                            for anchor in anchors
                        )
                    ):
                        yield f"stackae {name} {spelling} has no entry in the reference"


def bad_docstrings() -> Iterator[str]:
    """What is wrong with docstrings of public classes and functions."""
    for name, value in public_names():
        if inspect.isclass(value) or inspect.isfunction(value):
            is_record = is_dataclass(value) or (
                inspect.isclass(value) and issubclass(value, tuple)
            )
            for code, message in validate(name)["errors"]:
                # A record's fields are described as its attributes.
                if code in CHECKS and not (is_record and code == "PR01"):
                    yield f"{name}: {code} {message}"


def main() -> None:
    site = Path(sys.argv[1]).resolve()
    pages = {
        path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts
    }
    text = (site / "reference" / "api.html").read_text(encoding="utf-8")
    found = [*broken_links(site, pages), *without_entry(pages, text), *bad_docstrings()]
    print(*found, sep="\n")
    n_links = sum(len(page.links) for page in pages.values())
    print(
        f"{len(pages)} pages, {n_links} links, {len(list(public_names()))} names: {len(found)} faults"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
