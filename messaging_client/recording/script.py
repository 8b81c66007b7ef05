"""A recording as a server needs it: what to send on each connection, and what to answer to each request."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from messaging_client import strict_json
from messaging_client.recording.reading import (
    CloseLine,
    FrameLine,
    Recording,
    RequestLine,
    ResponseLine,
)

_EVENTS = ("event", "binary_event")
_TOLD = (*_EVENTS, "disconnect", "binary", "unknown", "binary_ack")
"""Frames of the server that are played; handshakes, pings and acknowledgements are the server's own business."""


@dataclass(frozen=True)
class Cue:
    """A frame of the server, or the end of the connection, and when it comes.

    Attributes:
        after: seconds since the connection was acknowledged.
        frame: without the engine's own packet type; None for the end.
        answers: how many requests had been answered before.
        heard: how many events the client had sent on this connection before.
    """

    after: float
    frame: str | bytes | None
    answers: int
    heard: int


@dataclass
class LinkScript:
    """One connection.

    Attributes:
        refusal: what the server refused it with, or None.
        was_left: whether the client ended it.
        answers: how many requests had been answered before it was acknowledged.
        cues: what the server told, in order.
        acknowledgements: what it acknowledged the client's events with, by their names, in order.
    """

    refusal: Any = None
    was_left: bool = False
    answers: int = 0
    cues: list[Cue] = field(default_factory=list)
    acknowledgements: dict[str, deque[list[Any]]] = field(default_factory=lambda: defaultdict(deque))


@dataclass(frozen=True)
class Exchanged:
    """A request and its outcome."""

    request: RequestLine
    response: ResponseLine


class Answers:
    """What to answer to requests: by method, path and query, in the order of the recording, the last again at the end.

    Args:
        recorded: requests with their outcomes.
    """

    def __init__(self, recorded: list[Exchanged]) -> None:
        self._by_place: dict[tuple[str, str], list[Exchanged]] = defaultdict(list)
        for each in recorded:
            self._by_place[each.request.method, unquote(each.request.path)].append(each)
        self._used: set[int] = set()

    def rewind(self) -> None:
        """Begin anew."""
        self._used.clear()

    def places(self) -> list[str]:
        """Give what is answered, as `GET /messaging/…`."""
        return sorted(f"{method} {path}" for method, path in self._by_place)

    def answer(self, method: str, path: str, query: dict[str, str]) -> ResponseLine | None:
        """Give the outcome for a request, or None where nothing like it was recorded.

        Args:
            method: of HTTP.
            path: with or without what stands before the route, such as `/api`.
            query: what stands behind the path; how much is asked for, and from when on, only choose among several.
        """
        parts = path.split("/")[1:]
        places = ((method, "/" + "/".join(parts[start:])) for start in range(len(parts)))
        known = next((self._by_place[each] for each in places if each in self._by_place), [])
        fitting = [each for each in known if _essential(each.request.query) == _essential(query)]
        if not fitting:
            return None
        exact = [each for each in fitting if each.request.query == query]
        unused = [each for each in (*exact, *fitting) if each.request.id not in self._used]
        chosen = unused[0] if unused else (exact or fitting)[-1]
        self._used.add(chosen.request.id)
        return chosen.response


def _essential(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in ("since", "limit")}


def exchanges_of(recording: Recording) -> list[Exchanged]:
    """Give the requests that had an outcome, in order."""
    outcomes = {each.id: each for each in recording.lines if isinstance(each, ResponseLine)}
    requests = [each for each in recording.lines if isinstance(each, RequestLine)]
    return [Exchanged(each, outcomes[each.id]) for each in requests if each.id in outcomes]


def links_of(recording: Recording) -> list[LinkScript]:
    """Give the connections that came as far as a handshake, in order."""
    frames: dict[int, list[FrameLine | CloseLine]] = defaultdict(list)
    answered: dict[int, int] = {}
    answers = 0
    for line in recording.lines:
        if isinstance(line, ResponseLine):
            answers += 1
        elif isinstance(line, FrameLine | CloseLine):
            answered[id(line)] = answers
            frames[line.link].append(line)
    made = (_link(lines, answered) for lines in frames.values())
    return [each for each in made if each is not None]


def _link(lines: list[FrameLine | CloseLine], answered: dict[int, int]) -> LinkScript | None:
    script = LinkScript()
    opened: float | None = None
    asked: dict[str, str] = {}  # what was asked for under a number
    heard = 0
    for line in lines:
        kind = line.type if isinstance(line, FrameLine) else "end"
        if line.dir == "out":
            if isinstance(line, FrameLine) and kind in _EVENTS:
                heard += 1
                asked[line.frame[2:]] = _name(line.data)
            script.was_left |= kind in ("disconnect", "end")
        elif kind == "connect_error" and isinstance(line, FrameLine):
            script.refusal = line.data
            return script
        elif kind == "connect":
            opened, script.answers = line.t, answered[id(line)]
        elif opened is None:
            continue
        elif kind == "ack" and isinstance(line, FrameLine) and isinstance(line.data, list):
            script.acknowledgements[asked.get(line.frame[2:], "")].append(line.data)
        elif kind in (*_TOLD, "end"):
            told = _told(line) if isinstance(line, FrameLine) else None
            script.cues.append(Cue(line.t - opened, told, answered[id(line)], heard))
    return None if opened is None else script


def _name(data: Any) -> str:
    return data[0] if isinstance(data, list) and data and isinstance(data[0], str) else ""


def _told(line: FrameLine) -> str | bytes:
    """Give a frame as it is sent: what could not be read was left out, and something as long stands in its place."""
    if line.type == "binary":
        return bytes(line.length)
    head = line.frame[1:]
    if line.length:
        return head + "?" * line.length
    return head if line.data is None else head + strict_json.dumps(line.data)
