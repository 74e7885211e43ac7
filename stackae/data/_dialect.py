"""How a file of a table is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "white space"}


@dataclass(frozen=True, repr=False)
class Dialect:
    """What was recognised of a file; its repr is a line for the user.

    Attributes
    ----------
    format : str
        "text", "JSON lines", "Excel", "Arrow" or "Parquet".
    delimiter, quote : str or None
        Of text. A delimiter that is a space stands for any white space.
    decimal : {".", ","} or None
        The decimal sign of most columns of numbers that have one; None where none has.
    header : bool or None
        Whether a row names the columns; else they are ``column_1`` and so on. None: the format has names.
    encoding, compression : str or None
        Of text, as Python calls them.
    index : bool
        Whether the first column has no name, as those have that pandas and R write for the names of rows.
    gaps : mapping of str to int
        How many cells are missing of the columns in which any are.
    n_rows : int
        How many rows there are.

    Examples
    --------
    >>> from stackae.data.dialects import Dialect
    >>> Dialect("text", ";", '"', ",", True, "cp1252", None, {"height": 1200, "kind": 34}, 5000)
    semicolons, decimal commas, header, cp1252; 1,234 gaps in 2 columns
    """

    format: str
    delimiter: str | None = None
    quote: str | None = None
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    compression: str | None = None
    gaps: Mapping[str, int] = field(default_factory=dict)
    n_rows: int = 0
    index: bool = False

    def __repr__(self) -> str:
        words = (
            [self.format] if self.delimiter is None else [_NAMES.get(self.delimiter, repr(self.delimiter))]
        )
        words += ["decimal commas"] if self.decimal == "," else []
        words += ["single quotes"] if self.quote == "'" else []
        words += [] if self.header is None else ["header" if self.header else "no header"]
        words += [
            word for word in (self.encoding, self.compression) if word not in (None, "utf-8", "utf-8-sig")
        ]
        n = sum(self.gaps.values())
        gaps = f"{n:,} gap{'s' * (n > 1)} in {len(self.gaps):,} column{'s' * (len(self.gaps) > 1)}"
        return ", ".join(words) + "; " + (gaps if n else "no gaps")
