"""Fitted models on many rows: on the processes of this machine, Ray, Spark or Dask.

:func:`encode_folder` goes from a folder of Parquet files to another; ``stackae.engines.ray.transform`` (also
``spark``, ``dask``, ``local``) from an engine's own data set to another. All of them run :class:`Encoding`.
The names are imported when they are first used, and an engine's library, when the engine is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
