"""Stacked autoencoders, pretrained greedily, as scikit-learn transformers.

The public names are listed in ``__init__.pyi`` and imported when they are first used, so that
``import stackae`` loads neither torch nor scikit-learn.
"""

import lazy_loader

__version__ = "0.2.0.dev0"

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", *_names]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
