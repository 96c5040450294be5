"""Outcomes that are known, or will be once another one is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def known(value: T) -> Future[T]:
    """A future that has come."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def then(first: Future[T], change: Callable[[T], T]) -> Future[T]:
    """What `change` makes of the result of `first`, on the thread that ends it."""
    future: Future[T] = Future()

    def ended(done: Future[T]) -> None:
        try:
            future.set_result(change(done.result()))
        except BaseException as error:  # carried to whoever waits
            future.set_exception(error)

    first.add_done_callback(ended)
    return future
