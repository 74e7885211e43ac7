"""What every kind of part shares: the base class and the table of names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar, cast

from stackae.exceptions import ParameterError, did_you_mean

T = TypeVar("T")


class PartTable(Mapping[str, type[T]], Generic[T]):
    """The variants of one kind of part: name to class, each imported when it is first asked for.

    Reading the names imports nothing, so that ``stackae --help`` stays fast.

    Parameters
    ----------
    kind : str
        What the variants are, for messages: ``"corruption"``.
    package : str
        The package that holds them.
    entries : mapping of str to str
        From each name to ``"module:Class"``, the module relative to the package.

    Examples
    --------
    >>> from stackae.corruption import CORRUPTIONS
    >>> list(CORRUPTIONS)
    ['masking', 'gaussian', 'salt-and-pepper', 'swap', 'dropout']
    >>> CORRUPTIONS["masking"].__name__
    'Masking'
    """

    def __init__(self, kind: str, package: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, str | type[T]] = dict(entries)

    def register(self, name: str, variant: type[T]) -> None:
        """Add a variant that is not stackae's own: its name then works wherever the others' do.

        Raises
        ------
        ParameterError
            The name is taken, or the variant is no class.
        """
        if not isinstance(variant, type):
            raise ParameterError(f"register takes a class, got {variant!r}; leave the brackets out")
        if name in self._entries:
            raise ParameterError(f"the {self.kind} {name!r} is there already; choose another name")
        self._entries[name] = variant

    def name_of(self, part: object) -> str:
        """What a part is called here; the name of its class where it has no other."""
        return next((name for name in self if self[name] is type(part)), type(part).__name__)

    def __getitem__(self, name: str) -> type[T]:
        if name not in self._entries:
            meant = did_you_mean(name, self._entries)
            raise ParameterError(
                f"{self.kind} must be one of {', '.join(self._entries)}, got {name!r}{meant}"
            )
        entry = self._entries[name]
        if not isinstance(entry, str):
            return entry
        module, _, attribute = entry.partition(":")
        return cast("type[T]", getattr(import_module(f"{self._package}.{module}"), attribute))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
