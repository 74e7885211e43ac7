"""Tables as people have them - text, categories, dates, gaps - as one array of floats, and back."""

from stackae.tables._reading import fill_gaps, holds_other_than_numbers
from stackae.tables._summary import TableInfo
from stackae.tables.encoder import TableEncoder

__all__ = ["TableEncoder", "TableInfo", "fill_gaps", "holds_other_than_numbers"]
