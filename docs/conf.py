"""How the site is built: ``make docs``."""

from __future__ import annotations

import inspect
import os
import re
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT), str(ROOT / "cli")]
os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # the same figures whatever the number of processors
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)  # its stackae
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), str(ROOT / "cli"), os.environ.get("PYTHONPATH", "")]
)

import torch  # noqa: E402

import stackae  # noqa: E402

torch.set_num_threads(1)
warnings.filterwarnings("error", category=DeprecationWarning, module="stackae")

project = "stackae"
author = "The stackae developers"
copyright = f"2026, {author}. BSD-3-Clause"
release = version = stackae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "llms_txt",
    "mathml",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst", "tutorials", "_templates"]
suppress_warnings = ["config.cache"]
nitpicky = False

# Pages
smartquotes_action = "qe"  # two hyphens are an option's, not a dash
highlight_language = "none"  # what is not marked as Python is a command or its output
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
html_math_renderer = "mathml"  # browsers draw it; nothing is fetched

# Reference
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "alphabetical"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Scripts that are run: tutorials and short examples. The long ones show the figure of their full run.
sphinx_gallery_conf = {
    "examples_dirs": ["tutorials", "../examples"],
    "gallery_dirs": ["auto_tutorials", "auto_examples"],
    "filename_pattern": r"(tutorials|short)/",
    "ignore_pattern": r"^gallery\.py$",
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": False,
    "parallel": 2,
    "capture_repr": (),
    "image_scrapers": ("matplotlib", "displays"),
    "reset_modules": ("matplotlib",),
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": True,
    "write_computation_times": False,
}

# Look
html_theme = "pydata_sphinx_theme"
html_title = f"stackae {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_sidebars = {"index": [], "start": []}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "logo": {"text": "stackae"},
    "navigation_with_keys": True,
    "show_nav_level": 1,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "primary_sidebar_end": [],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def _skip(app, what, name, obj, skip, options):
    """Leave out what scikit-learn gives every estimator; its own pages describe it."""
    module = getattr(obj, "__module__", "") or ""
    return (
        True
        if module.startswith("sklearn") or re.fullmatch(r"set_\w+_request", name)
        else None
    )


def _figure_of_full_run(app, docname, source):
    """A long example is not run here: its page shows the figure that its full run left."""
    name = docname.removeprefix("auto_examples/")
    picture = ROOT / "examples" / "figures" / f"{name}.png"
    if picture.is_file() and name != docname:
        figure = f"\n.. figure:: /../examples/figures/{name}.png\n\n   The figure of the full run.\n\n"
        head, mark, rest = source[0].partition(".. GENERATED FROM PYTHON SOURCE LINES")
        end = rest.index("\n") + 1
        source[0] = head + mark + rest[:end] + source_text(rest[end:], figure)


def source_text(rest, figure):
    """The page's text up to its code, the figure, the code."""
    text, mark, code = rest.partition(".. code-block:: Python")
    return text + figure + mark + code


def _signature(app, what, name, obj, options, signature, returns):
    """What the constructor takes, also where ``__new__`` takes anything and hands it on."""
    if what == "class" and signature and signature.startswith("(*args"):
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        bare = [own.replace(annotation=inspect.Parameter.empty) for own in parameters]
        return str(inspect.Signature(bare)), returns
    return None


def _title(app, pagename, templatename, context, doctree):
    """The first page is called by the project's name alone."""
    if pagename == "index":
        context["docstitle"] = ""


def setup(app):
    app.connect("html-page-context", _title)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _signature)
    app.connect("source-read", _figure_of_full_run)
