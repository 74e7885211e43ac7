"""llms.txt: what the site is and where its pages are, as plain text (llmstxt.org)."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes

#: What is said before the pages are listed.
HEAD = """# stackae

> Greedily pretrained, stacked, fine-tuned autoencoders as scikit-learn transformers: nonlinear features where
> people now write PCA. `StackedAutoencoder(32).fit_transform(X)` in Python, `stackae pretrain DATA` on the
> command line. Often PCA is as good; `stackae evaluate` says so for your rows.
"""


def _line(env, docname):
    """A page's title and the beginning of its text."""
    paragraphs = env.get_doctree(docname).findall(nodes.paragraph)
    first = next(
        (own for own in paragraphs if not isinstance(own.parent, nodes.Admonition)),
        None,
    )
    text = " ".join(first.astext().split()) if first is not None else ""
    summary = text.split(". ")[0].rstrip(".:")
    return f"- [{env.titles[docname].astext()}]({docname}.html){': ' + summary if summary else ''}"


def _pages(env, docname, seen):
    """All pages below one, in the order of the tables of contents."""
    for child in env.toctree_includes.get(docname, []):
        if child not in seen:
            seen.add(child)
            yield child
            yield from _pages(env, child, seen)


def _write(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    env, seen, lines = app.env, {app.config.root_doc}, [HEAD]
    for section in env.toctree_includes[app.config.root_doc]:
        seen.add(section)
        lines += [f"\n## {env.titles[section].astext()}\n", _line(env, section)]
        lines += [_line(env, page) for page in _pages(env, section, seen)]
    Path(app.outdir, "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def setup(app):
    """Write it when the site is built."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
