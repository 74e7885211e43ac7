"""The ``--layer`` option: ``256``, ``256:masking=0.25``, ``16:convolutional=28x28:topk=0.1``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import click

from stackae.codes import CODES
from stackae.corruption import CORRUPTIONS
from stackae.exceptions import ParameterError, did_you_mean
from stackae.losses import LOSSES
from stackae.networks import NETWORKS
from stackae.networks.activations import ACTIVATIONS
from stackae.penalties import PENALTIES
from stackae.semi import SEMI
from stackae_cli.options import SCALES

if TYPE_CHECKING:
    from stackae import Autoencoder
    from stackae.corruption.base import Corruption
    from stackae.semi.base import SemiSupervised

#: The parts that a specification may name, by the parameter of ``Autoencoder`` that takes them.
TABLES: dict[str, Mapping[str, Any]] = {
    "network": NETWORKS,
    "corruption": CORRUPTIONS,
    "code": CODES,
    "penalty": PENALTIES,
    "loss": LOSSES,
}
#: Parameters of ``Autoencoder`` that take a word.
_WORDS: dict[str, Sequence[str]] = {"activation": [*ACTIVATIONS], "scale": SCALES}
#: Words that switch a parameter on.
_SWITCHES = {"tied": "tied_weights", "frozen": "frozen"}
#: What else may be specified so, not of a layer.
_OTHERS: dict[str, Mapping[str, Any]] = {"semi": SEMI}


#: A last width, or what rows without a label do, that the fit chooses.
AUTO = "auto"


class LayerSpec(click.ParamType[str]):
    """WIDTH, then parts joined by colons; or auto."""

    name = "SPEC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form; the parts are made later, by :func:`parse_layer`, where torch may be loaded."""
        if value == AUTO:
            return AUTO
        width, *parts = str(value).split(":")
        if not width.isdigit() or int(width) < 1:
            self.fail(
                f"must begin with a width of at least 1, got {value!r}; write 256 or 256:masking=0.25",
                param,
                ctx,
            )
        for part in parts:
            name = part.partition("=")[0].partition(",")[0]
            if name not in known_words():
                known = known_words()
                meant = did_you_mean(name, known)
                self.fail(f"{name!r} in {value!r} must be one of {', '.join(known)}{meant}", param, ctx)
        return str(value)


class CorruptionSpec(click.ParamType[str]):
    """A corruption, or the word none."""

    name = "SPEC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name; the corruption is made later, by :func:`parse_corruption`."""
        words = [*CORRUPTIONS, "none"]
        if str(value).partition("=")[0].partition(",")[0] not in words:
            name = str(value).partition("=")[0].partition(",")[0]
            meant = did_you_mean(name, words) or "; write masking=0.2"
            self.fail(f"must be one of {', '.join(words)}, got {value!r}{meant}", param, ctx)
        return str(value)


class SemiSpec(click.ParamType[str]):
    """A semi-supervised method, or several names joined by commas."""

    name = "SPEC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the names; the methods are made later, by :func:`parse_semi`."""
        given = str(value).replace(" ", "")
        if given == AUTO:
            return AUTO
        for name in (part.partition("=")[0].partition(",")[0] for part in semi_specs(given)):
            if name == AUTO:
                self.fail("auto stands alone, and takes no parameter", param, ctx)
            if name not in SEMI:
                meant = did_you_mean(name, SEMI)
                self.fail(f"must be auto or one of {', '.join(SEMI)}, got {name!r}{meant}", param, ctx)
        if given.endswith("="):
            self.fail(f"{given!r} lacks its number; write vat or vat=0.5", param, ctx)
        return given


def semi_specs(text: str) -> list[str]:
    """The methods that ``propagation,vat`` names, or the one that ``vat=0.5,weight=2`` does."""
    return [text] if "=" in text else text.split(",")


def parse_semi(specs: Sequence[str]) -> list[SemiSupervised] | str | None:
    """What specifications mean: methods, as of ``propagation,vat`` or ``vat=0.5,weight=2``, or ``auto``."""
    if AUTO in specs:
        if set(specs) != {AUTO}:
            raise ParameterError("--semi auto stands alone: leave it out, or the others")
        return AUTO
    return [_parse_part(part, spec, "--semi")[1] for spec in specs for part in semi_specs(spec)] or None


def known_words() -> list[str]:
    """Every word that may begin a part."""
    return [*(name for table in TABLES.values() for name in table), *_WORDS, *_SWITCHES]


def parse_layer(spec: str) -> int | str | Autoencoder:
    """The layer that a specification means: a bare width is the default layer, auto a width to be chosen.

    Raises
    ------
    click.BadParameter
        A part has a parameter that it does not know, or a value that breaks its rule.
    """
    if spec == AUTO:
        return AUTO
    width, *parts = spec.split(":")
    if not parts:
        return int(width)
    from stackae import Autoencoder

    chosen: dict[str, Any] = {}
    for part in parts:
        parameter, value = _parse_part(part, spec)
        if parameter == "penalty":  # of which there may be several
            chosen.setdefault(parameter, []).append(value)
            continue
        if parameter in chosen:
            raise click.BadParameter(f"{spec!r} names {parameter} twice", param_hint="--layer")
        chosen[parameter] = value
    if len(chosen.get("penalty", [])) == 1:
        chosen["penalty"] = chosen["penalty"][0]
    return Autoencoder(int(width), **chosen)


def parse_corruption(spec: str, option: str = "--corruption") -> Corruption:
    """The corruption that a specification means: ``masking=0.2``, ``dropout=0.3,on=hidden``."""
    corruption: Corruption = _parse_part(spec, spec, option)[1]
    return corruption


def _parse_part(part: str, spec: str, option: str = "--layer") -> tuple[str, Any]:
    head, *rest = part.split(",")
    name, _, first = head.partition("=")
    if name in _SWITCHES:
        if part != name:
            raise click.BadParameter(f"{name} in {spec!r} takes no value, got {part!r}", param_hint=option)
        return _SWITCHES[name], True
    if name in _WORDS:
        if first not in _WORDS[name]:
            meant = did_you_mean(first, _WORDS[name])
            raise click.BadParameter(
                f"{name} in {spec!r} must be one of {', '.join(_WORDS[name])}, got {first!r}{meant}",
                param_hint=option,
            )
        return name, None if first == "none" else first
    parameter, table = next((p, t) for p, t in (TABLES | _OTHERS).items() if name in t)
    kind = table[name]
    known = list(signature(kind).parameters)
    settings = [f"{known[0]}={first}", *rest] if first and known else [*([first] if first else []), *rest]
    values: dict[str, Any] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in known:
            repeat = f"; give {key} its own {option}" if key in SEMI else did_you_mean(key, known)
            raise click.BadParameter(
                f"{name!r} in {spec!r} takes {', '.join(known) or 'no parameter'}, got {key!r}{repeat}",
                param_hint=option,
            )
        values[key] = _value(text)
    made = kind(**values)
    _check(made, f"{name!r} in {spec!r}", option)
    return parameter, made


def parse_training(specs: Sequence[str], option: str) -> dict[str, Any]:
    """The parameters of ``Training`` that settings such as ``optimizer=adamw,weight_decay=0.3`` give.

    Raises
    ------
    click.BadParameter
        There is no such parameter, it is set twice, or its value breaks its rule.
    """
    from stackae import Training

    known = list(signature(Training).parameters)
    given: dict[str, Any] = {}
    for setting in (setting for spec in specs for setting in spec.replace(" ", "").split(",")):
        key, _, text = setting.partition("=")
        if key not in known or not text:
            how = did_you_mean(key, known) if key not in known else f"; write {key}=VALUE"
            raise click.BadParameter(
                f"settings are {', '.join(known)}, got {setting!r}{how}", param_hint=option
            )
        if key in given:
            raise click.BadParameter(f"sets {key} twice", param_hint=option)
        if key == "corruption" and "=" in text:
            given[key] = parse_corruption(text, option)
        else:
            given[key] = None if text.lower() == "none" else _value(text)
    _check(Training(**given), ",".join(specs), option)
    return given


def _check(made: Any, spec: str, option: str) -> None:
    """Refuse parameters that break a rule, in the words of the command line."""
    try:
        made.check_parameters()
    except ValueError as error:
        rule = re.fullmatch(r"The '(\w+)' parameter of \w+ (must be .*)\. Got (.*) instead\.", str(error))
        what = "{} {}, got {}".format(*rule.groups()).replace("None", "none") if rule else str(error)
        raise click.BadParameter(f"{what} ({spec})", param_hint=option) from None


def _value(text: str) -> Any:
    """A number; several, joined by ``/`` or ``x``; true or false; or a word."""
    if text in ("true", "false"):
        return text == "true"
    numbers = [_number(item) for item in re.split("[/x]", text)]
    if None in numbers:
        return text
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
