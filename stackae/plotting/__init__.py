"""Pictures of what was learned, in scikit-learn's manner: ``XDisplay.from_estimator(model, X)``.

The public names are listed in ``__init__.pyi`` and imported when they are first used; matplotlib is, when
something is drawn. A display makes a figure of its own, or draws into ``ax``; nothing of matplotlib's global
state is changed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
