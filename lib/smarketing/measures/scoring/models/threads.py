"""One thread to learn with.

Boosting on some thousand leads is ten thousands of steps of some microseconds, after each of which threads wait for
each other: where other work has one of two cores, what takes a second alone takes a minute with two threads. One
thread learns from 70,000 leads in a quarter of a minute; sums then do not depend on how many threads added up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


def one_thread(learn: Callable[Asked, Found]) -> Callable[Asked, Found]:
    """Let OpenMP and BLAS use one thread within a function; what they used before is given back after it."""

    @wraps(learn)
    def alone(*given: Asked.args, **options: Asked.kwargs) -> Found:
        with _pools().limit(limits=1):
            return learn(*given, **options)

    return alone


@cache
def _pools() -> ThreadpoolController:
    # Looking for the libraries takes longer than limiting them; whoever learns has loaded all of them.
    return ThreadpoolController()
