"""Pictures of stackae.plotting for sphinx-gallery, which looks for those of pyplot alone."""

from __future__ import annotations

from sphinx_gallery.scrapers import figure_rst


def _scrape(block, block_vars, gallery_conf):
    """Save every display that the block has left in a variable, once."""
    from stackae.plotting.display import Display

    saved = block_vars.setdefault("displays", set())
    paths = []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Display) and id(value) not in saved:
            saved.add(id(value))
            path = next(block_vars["image_path_iterator"])
            value.figure_.savefig(path, dpi=130, bbox_inches="tight")
            paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])


def _get_sg_image_scraper():
    return _scrape
