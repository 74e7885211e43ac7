"""The library's refusals of parameters, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

from stackae_cli.layer_spec import TABLES


def _layer(found: re.Match[str]) -> str:
    return f"layer {int(found[1]) + 1}"


def _option(found: re.Match[str]) -> str:
    return f"--{found[1].replace('_', '-')}"


#: Around a word that is none of a path, or of a name in quotes, which are the user's own.
_BARE = r"(?<![\w/\\.'-])", r"(?![\w/\\.'-])"
#: What parameters are called here, in the order in which they are looked for.
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (
        r"The '(\w+)' parameter of \w+ must be (.*)\. Got (.*) instead\.",
        lambda found: f"{_option(found)} must be {found[2]}, got {found[3]}",
    ),
    (r"layers\[(\d+)\]", _layer),
    (r"--layers must be .*, got 'auto' in (layer \d+)", r"--layer auto must be the last, got it as \1"),
    (
        r"a layer takes (\w+) from its stack, got \1=\S+ in (layer \d+); give it to StackedAutoencoder",
        r"\1 is for all layers: leave it out of \2, and give --\1",
    ),
    (
        r"Training\(corruption=\.\.\.\) is for .*",
        "--pretrain takes no corruption: each layer has its own, as in --layer 256:masking=0.25",
    ),
    (r"Training\((\w+)=\.\.\.\)", r"\1"),
    (r"(\w+)\((\w+)=\.\.\.\)", r"\2 of \1"),
    (r"\((?:image|sequence)_shape=\(([\d, ]+)\)\)", lambda found: "=" + found[1].replace(", ", "x")),
    (r"set finetune=None", "give --finetune-epochs 0"),
    (r"set ordered=False", "leave --ordered out"),
    (r"ordered=True", "--ordered"),
    (r"set tied_weights=False", "leave tied out"),
    (r"set shortcut='auto', or None", "leave --shortcut out, or give none"),
    (r"set scale='(\w+)'", r"give --scale \1"),
    (r"\b(shortcut|precision|scale)='(\w+)'", r"--\1 \2"),
    (r"\bscale=None", "--scale none"),
    (r"leave (loss|activation)='auto'", r"leave \1 out"),
    (r"\b(?:network|loss|code|penalty)='([\w-]+)'", r"\1"),
    (r"\b(?:network|code)=(?=[A-Z])", ""),
    (r"\b(activation|on)='(\w+)'", r"\1=\2"),
    (r"=True\b", "=true"),
    (rf"{_BARE[0]}(batch_size|max_memory){_BARE[1]}", _option),
    (r"leave it 'auto'", "leave it out"),
    (r"raise n_components", "widen the layer"),
)


#: The same of rows.
_OF_ROWS = (
    (r"impute the column, or set missing_values=np\.nan", "fill it, or pretrain on rows with missing values"),
    (
        r"impute needs an estimator fitted with missing_values=np\.nan, got missing_values=None",
        "impute needs a model that was pretrained on rows with missing values",
    ),
)


def about_rows(message: str) -> str:
    """A message about rows, without parameters of Python's."""
    for pattern, words in _OF_ROWS:
        message = re.sub(pattern, words, message)
    return message


def on_the_command_line(message: str) -> str:
    """A message about parameters, as somebody can follow it who gave options.

    Examples
    --------
    >>> from stackae_cli.wording import on_the_command_line
    >>> on_the_command_line("TopK(k=9) needs at least so many units, got 8; lower k or raise n_components")
    'topk,k=9 needs at least so many units, got 8; lower k or widen the layer'
    """
    message = about_rows(message)
    for pattern, words in _RULES:
        message = re.sub(pattern, words, message)
    names = {kind.__name__: name for table in TABLES.values() for name, kind in table.items()}
    return re.sub(
        rf"{_BARE[0]}({'|'.join(map(re.escape, names))}){_BARE[1]}(?:\(([^()]*)\))?",
        lambda found: names[found[1]] + (f",{found[2].replace(', ', ',')}" if found[2] else ""),
        message,
    )
