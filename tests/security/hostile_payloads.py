"""Strategies of payloads that mean harm: right ones with something wrong in them, and wrong ones as a whole.

They are texts of JSON, not values: some cannot be written by a JSON library, such as what is nested too deeply.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = 40
QUICKLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # An example is a conversation over a socket: making a failing one smaller would take minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

VECTORS = Path(__file__).parents[1] / "vectors"

EVENTS: dict[str, list[Any]] = {
    name: []
    for name in (
        "new_message",
        "user_typing",
        "conversation_updated",
        "user_online",
        "user_offline",
        "notification",
        "message_sent",
        "message_error",
        "authenticated",
        "error",
        "an_event_of_their_own",
    )
}
for _case in json.loads((VECTORS / "events.json").read_text(encoding="utf-8"))["cases"]:
    EVENTS.setdefault(_case["event"], []).append(_case["wire"])
MESSAGES = [case["wire"] for case in json.loads((VECTORS / "messages.json").read_text(encoding="utf-8"))["cases"]]
CONVERSATIONS = [
    case["wire"] for case in json.loads((VECTORS / "conversations.json").read_text(encoding="utf-8"))["cases"]
]
EVENTS["new_message"] += MESSAGES

TEXTS = st.one_of(
    st.sampled_from(
        [
            "\ud800",
            "a\udfffb",
            "\x00",
            "\x1b]0;owned\x07\x1b[2J",
            "\x9b31m",
            "\u202e\u2066evil",
            "9999-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "-1",
            "1e999",
            "NaN",
            "9" * 19,
            "9" * 5000,
            "__proto__",
            "../../etc/passwd",
            "' OR 1=1 --",
            "x" * 20_000,
            "#" * 2000,
            "n°" * 2000,
            "İ" * 64,
        ]
    ),
    st.text(max_size=20),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**15, 10**19, 2**63, -(2**63), 10**400, -(10**400), 253402300799, 253402300800, 1e308, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
KEYS = (
    "id",
    "message",
    "data",
    "status",
    "success",
    "type",
    "contenu",
    "content",
    "conversation",
    "sender",
    "timestamp",
)
NAMES = st.one_of(
    st.sampled_from(KEYS),
    TEXTS,
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))

RAW = st.one_of(
    st.sampled_from(
        ["", "{", "nul", "NaN", "[Infinity]", '{"a":1', '"\\ud800"', "\ufeff[]", "1e999", "9" * 6000, "[1,]"]
    ),
    st.integers(50, 3000).map(lambda depth: "[" * depth + "]" * depth),
    st.integers(50, 3000).map(lambda depth: '{"message":' * depth + "1" + "}" * depth),
    st.sampled_from([10_000]).map(lambda count: "[" + "0," * count + "0]"),
    st.just('{"id":1,"id":2,"contenu":"a","contenu":"b"}'),
)
"""Texts that are no JSON, or JSON that a library would not write."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return changed


@st.composite
def spoilt(draw: st.DrawFn, good: list[Any]) -> str:
    """A right payload with some places replaced, removed, or made too deep."""
    value = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(value)))
        if not path:
            value = draw(VALUES)
            continue
        hostile = draw(VALUES)
        if draw(st.booleans()):
            value = changed(value, path, lambda inner, key: inner.__setitem__(key, hostile))  # noqa: B023
        else:
            value = changed(value, path, lambda inner, key: inner.pop(key))
    return json.dumps(value)


def payloads(good: list[Any]) -> st.SearchStrategy[str]:
    """Texts of JSON, most of them near to what is right."""
    wrong = st.one_of(VALUES.map(json.dumps), RAW)
    return st.one_of(spoilt(good), spoilt(good), wrong) if good else wrong
