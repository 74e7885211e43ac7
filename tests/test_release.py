"""What is released says the same in each of its files."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
#: What conda-forge calls otherwise.
CONDA = {"torch": "pytorch", "lazy_loader": "lazy-loader"}


def commands(job):
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_recipe_of_conda_asks_for_what_the_wheel_asks_for():
    named = (re.fullmatch(r"([\w-]+)(>=.*)", own) for own in PROJECT["dependencies"])
    wanted = {CONDA.get(own[1], own[1]): own[2] for own in named if own}
    asked = dict(own.split(" ", 1) for own in RECIPE["requirements"]["run"])
    assert asked.pop("python") == ">=${{ python_min }}"
    assert asked == wanted
    assert f">={RECIPE['context']['python_min']}" == PROJECT["requires-python"]
    assert PYTHONS[0] == RECIPE["context"]["python_min"]


def test_the_recipe_of_conda_has_version_commands_and_license_of_the_project():
    assert RECIPE["context"]["version"] == PROJECT["version"]
    scripts = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == scripts
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert [RECIPE["about"]["license_file"]] == PROJECT["license-files"]


def test_what_others_read_asks_for_the_versions_that_the_wheel_asks_for():
    named = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))["softwareRequirements"]
    assert set(named) <= set(PROJECT["dependencies"])


def test_the_public_workflow_calls_what_the_own_one_calls_on_every_python():
    own = re.findall(r"^make .*$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands("suite") == own
    for job in ("suite", "release"):
        assert WORKFLOW["jobs"][job]["strategy"]["matrix"]["python"] == PYTHONS


@pytest.mark.parametrize("job", WORKFLOW["jobs"])
def test_the_public_workflow_calls_targets_that_there_are(job):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands(job):
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_the_source_archive_takes_every_file_of_the_checkout():
    asked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode or not asked.stdout:
        pytest.skip("not a checkout")
    words = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()
    built_in = {"LICENSE", "README.md", "pyproject.toml", "MANIFEST.in"}
    assert {name.partition("/")[0] for name in asked.stdout.splitlines()} - built_in <= set(words)
