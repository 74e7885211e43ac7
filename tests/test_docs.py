"""What the site says is true of the code, as far as it can be asked without building it."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from helpers import train_briefly

import stackae
from stackae_cli.errors import _CODES
from stackae_cli.main import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "auto_" not in str(path.relative_to(DOCS)))
BLOCKS = [
    (str(page.relative_to(DOCS)), *found)
    for page in PAGES
    for found in re.findall(
        r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", page.read_text(encoding="utf-8"), flags=re.DOTALL
    )
]
COMMANDS = [
    line
    for page in [*PAGES, *sorted((DOCS / "tutorials").glob("*.py"))]
    for line in re.findall(r"(?:^|``|`|\")(stackae [a-z]+ [^`\"\n]*)", page.read_text(encoding="utf-8"), re.M)
]


@pytest.mark.slow
@pytest.mark.parametrize(("block", "output"), [own[1:] for own in BLOCKS], ids=[own[0] for own in BLOCKS])
def test_a_python_block_of_the_site_runs_and_prints_what_stands_beneath(
    block, output, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if not output:
        train_briefly(monkeypatch)
    exec(compile(block, "docs", "exec"), {})
    assert output in ("", capsys.readouterr().out)


@pytest.mark.parametrize("line", dict.fromkeys(COMMANDS))
def test_a_command_that_the_site_names_has_the_options_that_it_is_given(line):
    name, *words = shlex.split(line, comments=True)[1:]
    known = {
        spelling
        for option in cli.commands[name].params
        for spelling in (*option.opts, *option.secondary_opts)
    }
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


INCLUDED = [
    (page, file, marks)
    for page in PAGES
    for file, marks in re.findall(
        r"^```\{include\} (\S+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("page", "file", "marks"), INCLUDED, ids=[str(own[0].name) for own in INCLUDED])
def test_what_a_page_takes_from_another_file_is_there(page, file, marks):
    text = (page.parent / file).read_text(encoding="utf-8")
    for mark in re.findall(r'^:(?:start-after|end-before): "(.*)"$', marks, re.MULTILINE):
        assert mark in text
        text = text[text.index(mark) :]


SCRIPTS = sorted([*(DOCS / "tutorials").glob("plot_*.py"), *(ROOT / "examples" / "short").glob("plot_*.py")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_the_site_imports_what_is_there(script):
    """The site's build runs it whole; what is renamed is noticed here, too."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("stackae"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)
    assert ast.get_docstring(tree).splitlines()[1].startswith("===")


def _templates():
    """Every text in the code, with an ellipsis where something is filled in; parts that are added are one."""

    def text(node):
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.JoinedStr():
                return "".join(text(value) or "…" for value in node.values)
            case ast.BinOp(op=ast.Add()):
                return (text(node.left) or "…") + (text(node.right) or "…")
        return None

    for folder in (ROOT / "stackae", ROOT / "cli"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (found := text(node)) and len(found) > 8:
                    yield " ".join(found.split())


def test_the_error_index_quotes_messages_that_the_code_has():
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)
    assert len(messages) >= 40
    templates = "\n".join(_templates())
    unknown = [
        message
        for message in messages
        if not re.search(".*".join(re.escape(part.strip()) for part in message.split("…")), templates)
    ]
    assert unknown == []


def test_the_exit_codes_of_the_site_are_those_of_the_command_line():
    page = (DOCS / "reference" / "exit_codes.md").read_text(encoding="utf-8")
    rows = {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.*)$", page, flags=re.MULTILINE)}
    assert set(rows) == {0, 1, 130, 143} | {code for _, code in _CODES}
    for kind, code in _CODES:
        if kind.__module__ == "stackae.exceptions":
            assert f"`{kind.__name__}`" in rows[code]


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (?:[\w.]+\.)?(\w+)$", page, flags=re.MULTILINE))
    assert {name for name in stackae.__all__ if not name.startswith("_")} <= listed


def test_every_part_has_its_place_where_it_is_said_when_to_use_it():
    from stackae.codes import CODES
    from stackae.corruption import CORRUPTIONS
    from stackae.losses import LOSSES
    from stackae.networks import ACTIVATIONS, NETWORKS
    from stackae.penalties import PENALTIES
    from stackae.semi import SEMI

    tables = {"networks": NETWORKS, "corruption": CORRUPTIONS, "codes": CODES, "penalties": PENALTIES}
    for page, table in {**tables, "losses": LOSSES, "semi": SEMI}.items():
        text = (DOCS / "how" / f"{page}.md").read_text(encoding="utf-8")
        assert [name for name in table if f"| `{name}` | {{class}}`~stackae." not in text] == []
    text = (DOCS / "how" / "networks.md").read_text(encoding="utf-8")
    assert [name for name in ACTIVATIONS if f"`{name}`" not in text] == []


def test_every_command_is_one_that_the_help_lists():
    assert isinstance(cli, click.Group)
    assert {shlex.split(line)[1] for line in COMMANDS} <= set(cli.commands)


def test_those_who_cite_cite_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))["version"] == version
