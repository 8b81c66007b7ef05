"""Where each operation lives, with the other spellings that servers of this family use (wire protocol, section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from urllib.parse import quote

from messaging_client.errors import ConfigurationError, ValidationFailed
from messaging_client.models import Id

MEDECIN_CONVERSATIONS = "medecin_conversations"
PATIENT_CONVERSATIONS = "patient_conversations"
UNREAD = "unread_conversations"
MESSAGES = "messages"
NEW_MESSAGES = "new_messages"
PARTICIPANTS = "participants"
USER_INFO = "user_info"
PATIENT = "patient"
MEDECIN = "medecin"
SEND = "send"
SEND_MANY = "send_many"
CREATE = "create"
HISTORY = "history"
PERMISSIONS = "permissions"
MARK_READ = "mark_read"
HEALTH = "health"

DEFAULT_ROUTES: Mapping[str, tuple[str, ...]] = {
    MEDECIN_CONVERSATIONS: (
        "GET /messaging/conversations/medecin/{id}",
        "GET /messaging/medecin/{id}/conversations",
    ),
    PATIENT_CONVERSATIONS: (
        "GET /messaging/conversations/patient/{id}",
        "GET /messaging/patient/{id}/conversations",
    ),
    UNREAD: ("GET /messaging/conversations/unread",),
    MESSAGES: ("GET /messaging/conversation/{conversation_id}/messages",),
    NEW_MESSAGES: ("GET /messaging/conversation/{conversation_id}/new-messages",),
    PARTICIPANTS: ("GET /messaging/conversation/{conversation_id}/participants",),
    USER_INFO: ("GET /messaging/user/{id}/info",),
    PATIENT: ("GET /patients/{id}",),
    MEDECIN: ("GET /medecins/{id}",),
    SEND: ("POST /messaging/conversation/{conversation_id}/message",),
    SEND_MANY: ("POST /messaging/send",),
    CREATE: ("POST /messaging/conversation",),
    HISTORY: (
        "GET /messaging/history/{context_type}/{context_id}",
        "GET /messaging/history/{context_id}",
    ),
    PERMISSIONS: ("GET /messaging/permissions/{ordonnance_id}/patient/{patient_id}",),
    MARK_READ: (
        "PATCH /messaging/messages/{message_id}/read",
        "PUT /messaging/messages/{message_id}/read",
    ),
    HEALTH: ("GET /health",),
}
"""Every operation with its routes in order of preference, below `api_path`."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_PATH = re.compile(r"/(?!/)(?:[A-Za-z0-9._~!$&'()*+,;=:@{}-]|%[0-9A-Fa-f]{2}|/(?!/))+")
_DOTS = re.compile(r"(?:\.|%2[Ee]){1,2}")

_OPTIONAL = {MEDECIN_CONVERSATIONS: {"id"}, PATIENT_CONVERSATIONS: {"id"}, HISTORY: {"context_type"}}
"""Placeholders that a route may lack: the token tells whose lists these are, and a history without a type is that of
an ordonnance. Without one of the others a request would be about nothing in particular."""

_SAME = {HISTORY: {"ordonnance_id": "context_id"}}
_ORDONNANCES_ONLY = (("context_type", "ordonnance"),)


@dataclass(frozen=True)
class Route:
    """One address of an operation.

    Attributes:
        method: the HTTP method.
        template: the path below `api_path`, with placeholders in braces.
        only: values that the route is for, as pairs of name and value; empty for all.
        operation: the name of the operation, for errors.

    """

    method: str
    template: str
    only: tuple[tuple[str, str], ...] = ()
    operation: str = field(default="route", compare=False)

    @cached_property
    def names(self) -> frozenset[str]:
        """The placeholders of the template."""
        return frozenset(_PLACEHOLDER.findall(self.template))

    def takes(self, values: Mapping[str, Id | str]) -> bool:
        """Whether the route is for these values, and can be filled with them."""
        return self.names <= values.keys() and all(values.get(name) == value for name, value in self.only)

    def path(self, values: Mapping[str, Id | str]) -> str:
        """Fill the template in; each value stays within its own segment of the path.

        Raises:
            ValidationFailed: a value is missing or empty, cannot be written, or would make `.` or `..` of a segment.

        """
        segments = [_PLACEHOLDER.sub(lambda found: self._quoted(values, found[1]), each) for each in self._segments()]
        if any(_DOTS.fullmatch(each) for each in segments):
            raise ValidationFailed(
                f"{self.operation}: . and .. lead elsewhere in an address; give an id.", operation=self.operation
            )
        return "/".join(segments)

    def _segments(self) -> list[str]:
        return self.template.split("/")

    def _quoted(self, values: Mapping[str, Id | str], name: str) -> str:
        value = values.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool) and value != "":
            try:
                return quote(str(value), safe="")
            except ValueError:  # half a surrogate pair, or thousands of digits
                pass
        raise ValidationFailed(f"{self.operation}: give an id for {name}.", operation=self.operation)


class RouteTable:
    """The routes of a server, made by `build`."""

    def __init__(self, routes: Mapping[str, tuple[Route, ...]]) -> None:
        self._routes = routes

    @classmethod
    def build(cls, overrides: Mapping[str, str | Sequence[str]]) -> RouteTable:
        """Make the table of the protocol, with a user's own routes in place of some.

        Args:
            overrides: by operation, `"POST /v2/conversations/{conversation_id}/messages"`, or several in order.

        Raises:
            ConfigurationError: an unknown operation, method or placeholder, or no path; the text says what to write.

        """
        if not isinstance(overrides, Mapping):
            raise ConfigurationError('routes must be a mapping, such as {"send": "POST /v2/{conversation_id}"}.')
        if not overrides:
            return _default_table()
        for operation in overrides:
            _check_operation(operation)
        own = {operation: tuple(_parsed(operation, routes)) for operation, routes in overrides.items()}
        return cls({**_default_routes(), **own})

    def candidates(self, operation: str, values: Mapping[str, Id | str]) -> tuple[Route, ...]:
        """Give the routes to try for these values, in order.

        Raises:
            ValidationFailed: there is none; the route table of the configuration lacks it, or a value is missing.

        """
        routes = self._routes.get(operation, ())
        found = tuple(route for route in routes if route.takes(values))
        if found:
            return found
        example = DEFAULT_ROUTES.get(operation, DEFAULT_ROUTES[HEALTH])[0]
        raise ValidationFailed(
            f"{operation}: no route of this server is for that; give one with routes in the config, such as {example}.",
            operation=operation,
        )


@cache
def _default_table() -> RouteTable:
    return RouteTable(_default_routes())


@cache
def _default_routes() -> Mapping[str, tuple[Route, ...]]:
    """The protocol's own, the same objects for every client of the process."""
    return {operation: tuple(_parsed(operation, routes)) for operation, routes in DEFAULT_ROUTES.items()}


def _check_operation(operation: object) -> None:
    if operation in tuple(DEFAULT_ROUTES):
        return
    import difflib  # for a mistake only

    near = difflib.get_close_matches(str(operation), DEFAULT_ROUTES, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"the operations are {', '.join(DEFAULT_ROUTES)}."
    raise ConfigurationError(f"routes: there is no operation {operation!r}; {meant}")


def _parsed(operation: str, written: str | Sequence[str]) -> Iterator[Route]:
    alternatives = [written] if isinstance(written, str) else written
    if not isinstance(alternatives, Sequence) or not alternatives:
        raise _wrong(operation, "must be a route, or several in a list")
    for each in alternatives:
        yield _route(operation, each)


def _route(operation: str, written: object) -> Route:
    method, _, path = written.strip().partition(" ") if isinstance(written, str) else ("", "", "")
    method, path = method.upper(), path.strip()
    if method not in _METHODS:
        raise _wrong(operation, f"must be a method ({', '.join(_METHODS)}), a space and a path")
    for name, other in _SAME.get(operation, {}).items():
        path = path.replace(f"{{{name}}}", f"{{{other}}}")
    _check_path(operation, path)
    _check_placeholders(operation, path)
    only = _ORDONNANCES_ONLY if operation == HISTORY and "{context_type}" not in path else ()
    return Route(method, path, only, operation)


def _check_path(operation: str, path: str) -> None:
    if not _PATH.fullmatch(path):
        raise _wrong(
            operation,
            "has no usable path: it starts with one / and stands below api_path, without server, query, spaces or "
            "empty parts; other characters are written as %20",
        )
    if any(_DOTS.fullmatch(each) for each in path.split("/")):
        raise _wrong(operation, "must not hold . or .. as a part of its path")


def _check_placeholders(operation: str, path: str) -> None:
    known = {name for route in DEFAULT_ROUTES[operation] for name in _PLACEHOLDER.findall(route)}
    found = _PLACEHOLDER.findall(path)
    stray = set(_PLACEHOLDER.sub("", path)) & set("{}")
    if stray or not known.issuperset(found) or len(set(found)) < len(found):
        names = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        raise _wrong(operation, f"may hold these placeholders, in braces and each once: {names}")
    missing = known - set(found) - _OPTIONAL.get(operation, set())
    if missing:
        raise _wrong(operation, f"lacks {', '.join(f'{{{name}}}' for name in sorted(missing))}")


def _wrong(operation: str, fault: str) -> ConfigurationError:
    return ConfigurationError(f"routes[{operation!r}] {fault}; write for example {DEFAULT_ROUTES[operation][0]!r}.")
