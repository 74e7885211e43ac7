"""A report on a fitted model: one HTML file that needs nothing else, and a model card.

jinja2 and matplotlib are imported when a report is made.
"""

from stackae.report.rendering import Report, report_on

__all__ = ["Report", "report_on"]
