"""Keeps a kernel's machine code for later processes, until any source of the market changes.

numba looks at the file of the compiled function alone, and goes on with old code when only what it calls has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

SOURCES = Path(__file__).parent


class KeptKernel(caching.FunctionCache):  # type: ignore[misc]  # numba is untyped
    """numba's cache of one function, whose code is as old as the sources it was made of."""

    def __init__(self, function: Callable[..., Any], stamp: str) -> None:
        super().__init__(function)
        self._cache_file = caching.IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


def machine_code(function: Callable[..., Any], sources: Path = SOURCES) -> Any:
    """Return a function as machine code, kept where a folder for it can be written.

    Args:
        function: The kernel.
        sources: The folder with everything it is made of.
    """
    dispatcher = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = KeptKernel(function, stamp_of(sources))
    except RuntimeError:
        # no folder for compiled code can be written, so it lasts as long as the process
        dispatcher._cache = caching.NullCache()
    return dispatcher


def stamp_of(sources: Path) -> str:
    """Return a digest of every source below a folder."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(sources.rglob("*.py")):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(sources)} {len(text)}\n".encode() + text)
    return digest.hexdigest()
