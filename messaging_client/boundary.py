"""The edge of the package, where exceptions leave it: without its frames, whose variables hold tokens and messages.

An exception carries the frames that it came through, and each frame its variables. Whoever shows them (rich with
`show_locals`, pytest with `--showlocals`, a crash reporter) would show the token of a request and the text of a
message. So the frames of this package, of the libraries below it and of Python are cut out of the traceback before
users get it, and exceptions of libraries that stand behind one of ours are dropped: a `UnicodeEncodeError` holds the
whole text that it is about. What is the user's own stays, frames and exceptions. The texts of our errors say what to
do; of what is no error of ours, a note keeps the places.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeVar

from messaging_client.errors import MessagingError

Failure = TypeVar("Failure", bound=BaseException)

_PACKAGE = "messaging_client"
_LIBRARIES = frozenset(
    (
        *("aiohttp", "aiosignal", "anyio", "cachetools", "engineio", "frozenlist", "h11", "httpcore", "httpx"),
        *("jwt", "multidict", "propcache", "pydantic", "pydantic_core", "socketio", "sniffio", "yarl"),
    )
)
_CUT = _LIBRARIES | sys.stdlib_module_names | {_PACKAGE}
_MARK = "Raised in messaging_client: "
_SPECIAL = frozenset({"__init__", "__aenter__", "__aexit__", "__enter__", "__exit__"})


def without_frames(error: Failure) -> Failure:
    """Take what is ours out of an exception, and out of everything that stands behind it; gives it back."""
    for each in list(_chain(error)):
        if each.__cause__ is not None and not _is_for_users(each.__cause__):
            each.__cause__ = None
            each.__suppress_context__ = True
        if each.__context__ is not None and not _is_for_users(each.__context__):
            each.__context__ = None
    for each in _chain(error):
        trace = list(_entries(each.__traceback__))
        if trace and _is_cut(trace[-1].tb_frame):
            _note_places(each, trace)
        each.__traceback__ = _linked([entry for entry in trace if not _is_cut(entry.tb_frame)])
    return error


def _is_for_users(behind: BaseException) -> bool:
    """Whether an exception that stands behind another is one of ours or of the user's, and not of a library."""
    if isinstance(behind, MessagingError | asyncio.CancelledError):
        return True
    trace = list(_entries(behind.__traceback__))
    return not trace or not all(_is_cut(entry.tb_frame) for entry in trace)


def guard(cls: type) -> None:
    """Have no exception leave a public method of a class, or of those that it is made of, with frames of ours."""
    for owner in cls.__mro__:
        if not owner.__module__.startswith(_PACKAGE):
            continue
        for name, found in list(vars(owner).items()):
            if name.startswith("_") and name not in _SPECIAL:
                continue
            if isinstance(found, classmethod) and not hasattr(found.__func__, "__wrapped__"):
                setattr(owner, name, classmethod(guarded(found.__func__)))
            elif inspect.isfunction(found) and not hasattr(found, "__wrapped__"):
                setattr(owner, name, guarded(found))


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have no exception leave a function with frames of ours; not even this one's own keeps what it was given."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised again
                del args, kwargs
                raise without_frames(error)  # noqa: B904 - it is the same one

        return asynchronous

    @functools.wraps(function)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            del args, kwargs
            raise without_frames(error)  # noqa: B904 - it is the same one

    return synchronous


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that stands behind it, each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_cut(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _CUT


def _linked(entries: list[TracebackType]) -> TracebackType | None:
    linked: TracebackType | None = None
    for entry in reversed(entries):
        linked = TracebackType(linked, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return linked


def _note_places(error: BaseException, trace: list[TracebackType]) -> None:
    """Keep where a fault of ours came from; the texts of our own errors say enough, and a cancellation is none."""
    if isinstance(error, MessagingError | StopAsyncIteration | StopIteration) or not isinstance(error, Exception):
        return
    if any(each.startswith(_MARK) for each in getattr(error, "__notes__", ())):
        return
    places = [
        f"{Path(entry.tb_frame.f_code.co_filename).name}:{entry.tb_lineno}"
        for entry in trace
        if _is_cut(entry.tb_frame)
    ]
    error.add_note(_MARK + " > ".join(places))
