"""What is public is complete, documented and cheap to import."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from helpers import VARIANTS

import stackae
import stackae_cli.main

FIXED = {
    "Autoencoder": "n_components=64, *, network='dense', activation='auto', tied_weights=False, corruption=None,"
    " code=None, penalty=None, loss='auto', scale='auto', frozen=False, training='auto', missing_values=None, add_indicator=False,"
    " columns=None, device='auto', precision='auto',"
    " random_state=None, verbose=0, max_memory=None, cache_folder=None",
    "StackedAutoencoder": "layers=None, *, pretrain='auto', finetune='auto', output='code', shortcut='auto',"
    " ordered=False, tol=0.01,"
    " scale='auto', missing_values=None, add_indicator=False, columns=None, memory=None, device='auto', precision='auto', random_state=None,"
    " verbose=0, max_memory=None, cache_folder=None",
    "StackedAutoencoderClassifier": "encoder=None, *, finetune='auto', adversarial=0.0, semi=None, label_smoothing=0.0, unlabelled='auto',"
    " class_weight=None, calibration=None, device='auto', precision='auto', random_state=None, verbose=0, max_memory=None, cache_folder=None",
    "StackedAutoencoderRegressor": "encoder=None, *, finetune='auto', adversarial=0.0, semi=None, device='auto', precision='auto',"
    " random_state=None, verbose=0, max_memory=None, cache_folder=None",
    "StackedAutoencoderDetector": "encoder=(256, 64), *, contamination=0.1, device='auto', precision='auto',"
    " random_state=None, verbose=0, max_memory=None, cache_folder=None",
    "TableEncoder": "columns=None, *, numeric='auto', max_categories=100, min_frequency=0.001, text_components=10",
}


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_all_lists_exactly_what_can_be_imported():
    for name in stackae.__all__:
        assert getattr(stackae, name) is not None
    assert set(stackae.__all__) <= set(dir(stackae))
    with pytest.raises(AttributeError, match="No stackae attribute Nonsense"):
        stackae.Nonsense  # noqa: B018 - the access is what is tested


def test_every_name_of_the_stub_is_public_for_type_checkers_too():
    stub = Path(stackae.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(stub)) if isinstance(node, ast.ImportFrom)]
    names = {alias.name: alias.asname for node in imports for alias in node.names}
    assert stackae.__all__ == ["__version__", *sorted(names)]
    assert all(name == public for name, public in names.items())


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_signature_is_as_fixed(name):
    parameters = inspect.signature(getattr(stackae, name)).parameters.values()
    star = next(i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY)
    words = [f"{p.name}={p.default!r}" for p in parameters]
    assert ", ".join([*words[:star], "*", *words[star:]]) == FIXED[name]


def test_importing_stackae_loads_neither_torch_nor_scikit_learn():
    loaded = python(
        "import sys, stackae; print(*(m for m in ('torch', 'sklearn', 'scipy', 'numpy') if m in sys.modules))"
    )
    assert loaded == []


def test_asking_for_help_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys\nfrom stackae_cli.main import cli\n"
        "for args in (['--help'], ['pretrain', '--help'], ['evaluate', '--help']):\n"
        "    cli.main(args, standalone_mode=False)\n"
        "print('LOADED', *(m for m in ('torch', 'sklearn', 'scipy', 'numpy', 'pandas') if m in sys.modules))"
    )
    assert python(code)[-1] == "LOADED"


def test_the_version_is_the_distributions():
    assert stackae.__version__ == version("stackae")


def public_objects():
    for name in stackae.__all__:
        thing = getattr(stackae, name)
        if not isinstance(thing, str):
            yield name, thing


@pytest.mark.parametrize(("name", "thing"), list(public_objects()))
def test_public_names_have_docstrings_with_every_parameter_and_an_example(name, thing):
    doc = inspect.getdoc(thing)
    assert ">>>" in doc
    for parameter in inspect.signature(thing).parameters:
        assert f"{parameter} :" in doc or f"{parameter}, " in doc or f", {parameter} :" in doc


@pytest.mark.parametrize("name", FIXED)
def test_public_methods_have_docstrings(name):
    kind = getattr(stackae, name)
    for method in [name for name in dir(kind) if not name.startswith("_")]:
        assert not callable(getattr(kind, method)) or inspect.getdoc(getattr(kind, method)), method


def test_every_command_and_option_has_help():
    for name, command in stackae_cli.main.cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name} {parameter.name}"


CLI = Path(stackae_cli.main.__file__).parent


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: str(path.relative_to(CLI)))
def test_the_command_line_uses_public_names_alone(path):
    def is_private(name: str) -> bool:
        return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert not is_private(node.attr), f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(alias.name for alias in node.names)]
            assert not any(map(is_private, names)), f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Import):
            assert not any(is_private(alias.name) for alias in node.names), f"line {node.lineno}"


def test_nothing_called_cli_tests_or_benchmarks_is_installed():
    installed = {name for name, sources in packages_distributions().items() if "stackae" in sources}
    assert installed >= {"stackae", "stackae_cli"}
    assert not installed & {"cli", "tests", "benchmarks"}


def test_the_list_of_variants_has_every_part():
    assert {
        "tied",
        "activation softplus",
        "corruption salt-and-pepper",
        "penalty kl",
        "loss cross_entropy",
    } <= set(VARIANTS)
