"""Ctrl-C, for every command. Once: what is begun is finished and saved. Twice: the process ends at once.

SIGTERM counts as Ctrl-C. So does SIGHUP, of a terminal that was closed, but never as the second one: shells and systems
send it twice, or along with SIGTERM; and where it is ignored, by nohup, it stays so.

The first one is a KeyboardInterrupt, or, where work is `deferred`, a word to that work. From then on nobody may read
what is said: the terminal was closed, or `| tee` got the same Ctrl-C and is gone. What is begun is saved all the same.

The second one is seen by a thread of its own: the main thread may be deep in a library, or hold a lock that an
exception there would leave held. To end at once is safe, as a kill at any moment is.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from curate.pipeline.core.errors import EXIT_INTERRUPTED, InterruptionError

FINISHING = "finishing what is begun; once more to stop at once"
AT_ONCE = "curate: stopped at once; the same command goes on from what was saved"

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OUTPUTS = (1, 2)
_SHOW_CURSOR = b"\x1b[?25h"  # which a live bar has hidden


class _State:
    asked = False  # whether there was a first one
    told: tuple[str, ...] = ()  # what the deferred blocks that are open answer to it, the innermost last
    before: dict[int, object] | None = None  # the handlers in whose place ours are
    hook: Callable[[sys.UnraisableHookArgs], object]  # the one in whose place ours is
    woken: tuple[int, int] | None = None  # the pipe on which the watching thread learns of each signal


_state = _State()


def take_over() -> None:
    """From here on Ctrl-C is handled as this module says, until `give_back`; of a process's main thread alone."""
    if threading.current_thread() is not threading.main_thread() or _state.woken:
        return
    _state.asked, _state.woken = False, os.pipe()
    for end in _state.woken:
        os.set_blocking(end, end == _state.woken[0])
    signal.set_wakeup_fd(_state.woken[1], warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(_state.woken[0],), daemon=True).start()
    atexit.register(_ignore)
    _state.hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    _install()


def give_back() -> None:
    """Undoes `take_over`, for tests: a command's process keeps its handlers to the end."""
    if _state.woken:
        atexit.unregister(_ignore)
        sys.unraisablehook = _state.hook
        signal.set_wakeup_fd(-1)
        os.close(_state.woken[1])  # which ends the watching thread
        _state.woken, _state.asked = None, False
        _uninstall()


def asked() -> bool:
    """Whether Ctrl-C was pressed: an error that comes after it is its consequence."""
    return _state.asked


@contextmanager
def deferred(told: str = FINISHING) -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C only makes the yielded function say True; a person is told `told`, if anything.

    The block's work then comes to its end; where it doesn't raise itself, KeyboardInterrupt is raised after it. In a
    thread other than the main one, where signals can't be caught, the function always says False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    own = _state.before is None  # outside of a command: the handlers are there for the block alone
    if own:
        _state.asked = False
        _install()
    _state.told = (*_state.told, told)
    try:
        yield asked
    finally:
        _state.told = _state.told[:-1]
        interrupted = _state.asked
        if own:
            _state.asked = False
            _uninstall()
    if interrupted:
        raise KeyboardInterrupt


@contextmanager
def beginning_anew() -> Iterator[None]:
    """A block whose work is too short to be kept in parts. Raises InterruptionError, which says so, for Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptionError("interrupted", "the same command begins anew") from None


@contextmanager
def shielded() -> Iterator[None]:
    """Within the block Ctrl-C waits; a process that is begun in it never sees one: it is its parent's to handle.

    Nor does it see SIGTERM and SIGHUP, which may be sent to all of a command's processes, too: only SIGKILL ends it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _install() -> None:
    numbers = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    _state.before = {number: signal.signal(number, _handle) for number in numbers}


def _uninstall() -> None:
    for number, handler in (_state.before or {}).items():
        signal.signal(number, handler)  # type: ignore[arg-type]
    _state.before = None


def _ignore() -> None:
    """At the very end, when all is done and the watching thread stands still: the exit code is right already."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(number: int, frame: FrameType | None) -> None:
    first, _state.asked = not _state.asked, True
    _silence_unread()
    if first and _state.told:
        _say(_state.told[-1])
    elif first or not _state.woken:  # else the watching thread ends the process
        raise KeyboardInterrupt


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """What a destructor could not raise; one that Ctrl-C met would go on as if nothing had been."""
    if lost.exc_type is KeyboardInterrupt:
        _end()
    _state.hook(lost)


def _watch(pipe: int) -> None:
    """Ends the process when the second signal comes; from the first one on, what nobody reads goes nowhere."""
    count = 0
    waited_for = select.poll()
    waited_for.register(pipe, select.POLLIN)
    while True:
        for number, _ in waited_for.poll():
            if number == pipe:
                if not (woken := os.read(pipe, 64)):
                    os.close(pipe)
                    return
                # A server's handlers take the place of ours, and send what they got again at their end.
                ours = [one for one in woken if one in _SIGNALS and signal.getsignal(one) is _handle]
                count += len(ours) - ours.count(signal.SIGHUP)
                if count > 1:
                    _end()
                for output in _OUTPUTS if ours else ():
                    waited_for.register(output, 0)  # that its other end is gone is told in any case
            else:
                waited_for.unregister(number)
                _silence_unread()


def _silence_unread() -> None:
    """What is written where nobody reads any more goes nowhere, instead of being an error."""
    for output in _OUTPUTS:
        looked_at = select.poll()
        looked_at.register(output, 0)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in looked_at.poll(0)):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output)
            os.close(nowhere)


def _end() -> None:
    with suppress(Exception):  # whatever the main thread is in the middle of
        if processes := sys.modules.get("multiprocessing"):
            for process in processes.active_children():
                process.kill()
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    _say(AT_ONCE)
    os._exit(EXIT_INTERRUPTED)


def _say(text: str) -> None:
    """A line on stderr, past its buffer, in which the main thread may be; nothing for no text."""
    line = f"\n{text}\n" if os.isatty(2) else f"{text}\n"
    with suppress(OSError):
        os.write(2, line.encode() if text else b"")
