"""What a shell completes."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def complete(stackae, monkeypatch):
    """What a shell is told of a line's last word."""

    def ask(line):
        monkeypatch.setenv("_STACKAE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        done = stackae()
        assert (done.code, done.err) == (0, "")
        return done.out.split()

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_script(shell, stackae, monkeypatch):
    monkeypatch.setenv("_STACKAE_COMPLETE", f"{shell}_source")
    done = stackae()
    assert done.code == 0
    assert f"_STACKAE_COMPLETE={shell}_complete" in done.out


def test_commands_options_choices_and_paths_are_completed(complete):
    assert complete("stackae pre") == ["plain,predict", "plain,pretrain"]
    assert complete("stackae pretrain --sh") == ["plain,--shortcut"]
    assert complete("stackae pretrain --shortcut p") == ["plain,pca"]
    assert complete("stackae info ru") == complete("stackae evaluate ru") == ["file,ru"]


def test_to_complete_loads_nothing_heavy():
    code = (
        "import os, sys\n"
        "os.environ.update(_STACKAE_COMPLETE='bash_complete', COMP_WORDS='stackae pre', COMP_CWORD='1')\n"
        "from stackae_cli.main import cli\n"
        "from stackae_cli.errors import run\n"
        "assert run(cli, []) == 0\n"
        "print(*(m for m in ('torch', 'sklearn', 'scipy', 'numpy', 'pandas') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plain,predict", "plain,pretrain"]
