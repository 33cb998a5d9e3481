"""Compiles the kernel once per machine and keeps the result, so that no run waits for it.

numba keeps compiled code beside the source, or in the user's cache where that folder is read-only. What it does not do
is *read* a folder it cannot write; `ReadableCacheLocator` does, so an installation that was compiled ahead
(`python -m smart_trader.fifo --compile`) and then made read-only starts at full speed, in Spark's workers too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


class ReadableCacheLocator(caching.InTreeCacheLocator):  # type: ignore[misc]  # numba is untyped
    """The folder beside the source, also where it cannot be written but was filled before."""

    def ensure_cache_path(self) -> None:
        """Accept a filled folder; make an empty one, if that is allowed.

        Raises:
            OSError: There is none and none can be made; numba then looks in the user's cache.
        """
        if not any(Path(self.get_cache_path()).glob("*.nbi")):
            super().ensure_cache_path()


class KeptCode(caching.FunctionCache):  # type: ignore[misc]  # numba is untyped
    """numba's cache of one function, with our locator first and no failure where nothing can be kept."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._impl_class = type(
            "KeptCodeImpl",
            (caching.CompileResultCacheImpl,),
            {"_locator_classes": [ReadableCacheLocator, *caching.CompileResultCacheImpl._locator_classes]},
        )
        super().__init__(function)

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep compiled code; a folder that refuses costs only time."""
        try:
            super().save_overload(signature, data)
        except OSError as error:
            logger.warning("compiled code cannot be kept (%s): each process compiles it again, for some seconds", error)


def compiled(function: Function) -> Function:
    """Compile a function to machine code on its first call, or load it as it was compiled before."""
    dispatcher = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = KeptCode(function)
    except RuntimeError:
        logger.warning("no folder for compiled code: each process compiles it again, for some seconds")
    return cast(Function, dispatcher)
