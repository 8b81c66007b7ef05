"""What became of every message of a storm: journals of the clients against the file of the server."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.chaos.plan import HAPPENS, Plan, User, content_of, is_terse, read_journal

AGAIN = 10
"""Messages that may come again for each life of a client that was ended, on average. A position is written as soon as
handlers have had what it stands for, so that only what came in the last moment before a kill is not covered by one."""

LATE = 1 / 3
"""The share of messages that may be told after a newer one; and `FEW` more."""

UNCERTAIN = 1 / 20
"""The share of a client's messages that may be uncertain; and `FEW` more."""

FEW = 5


class Place(NamedTuple):
    """A message of a sender, by its number in a conversation."""

    sender: User
    conversation: int
    number: int


class Stored(NamedTuple):
    """A message as the server has it."""

    id: int
    sender: User
    conversation: int
    content: str


Group = tuple[User, int, str]
"""Messages that only their sender tells apart: all with a text of a sender in a conversation."""


@dataclass
class Verdict:
    """What was found.

    Attributes:
        counts: how many of what, to be printed.
        faults: everything that is not as it must be; empty if all is well.
    """

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def expect(self, what: str, wrong: Any) -> None:
        """Note a fault unless there is nothing wrong."""
        if wrong:
            some = sorted(map(str, wrong))
            self.faults.append(f"{what}: {len(some)}, such as {some[0]}")


@dataclass
class _Journals:
    lives: Counter[User] = field(default_factory=Counter)
    intended: set[Place] = field(default_factory=set)
    accepted: dict[Place, int] = field(default_factory=dict)  # with the last life that had it
    confirmed: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))
    uncertain: set[Place] = field(default_factory=set)
    failed: set[tuple[Place, str]] = field(default_factory=set)
    seen: dict[User, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    twice: set[tuple[User, int]] = field(default_factory=set)
    again_though_kept: set[tuple[User, int]] = field(default_factory=set)
    disordered: set[tuple[User, int]] = field(default_factory=set)
    early: set[tuple[User, int, int]] = field(default_factory=set)  # late, and no newer one had been seen
    again: int = 0
    late: int = 0


def stored(plan: Plan) -> list[Stored]:
    """The server's list, in the order of ids."""
    database = sqlite3.connect(f"file:{plan.database}?mode=ro", uri=True)
    try:
        rows = database.execute(
            "SELECT id, sender_type, sender_id, conversation_id, contenu FROM messages ORDER BY id"
        ).fetchall()
    finally:
        database.close()
    return [Stored(found, (kind, number), place - 1, text) for found, kind, number, place, text in rows]


def missing(plan: Plan) -> int:
    """How many messages have not been seen yet by those who are to see them."""
    seen = _read(plan).seen
    return sum(each.id not in seen[_other(plan, each)] for each in stored(plan))


def judge(plan: Plan) -> Verdict:
    """Compare everything; to be called when the storm is over and all have settled."""
    journals, messages, verdict = _read(plan), stored(plan), Verdict()
    happened = Counter[str]()
    for what, *count in read_journal(plan.faults):
        happened[what] += count[0] if count else 1
    untold = journals.accepted.keys() - journals.confirmed.keys() - journals.uncertain
    verdict.counts = {
        "intended": len(journals.intended),
        "killed before it was accepted": len(journals.intended - journals.accepted.keys()),
        "accepted": len(journals.accepted),
        "stored": len(messages),
        "confirmed": len(journals.confirmed),
        "uncertain": len(journals.uncertain),
        "killed before the end was told": len(untold),
        "seen": sum(map(len, journals.seen.values())),
        "seen again after a restart": journals.again,
        "seen late": journals.late,
        **{what: happened[what] for what in HAPPENS},
    }
    verdict.expect("did not happen, so that nothing is shown", [each for each in HAPPENS if not happened[each]])
    _judge_ends(plan, journals, untold, verdict)
    _judge_stored(plan, journals, untold, messages, verdict)
    _judge_seen(plan, journals, messages, verdict)
    return verdict


def _judge_ends(plan: Plan, journals: _Journals, untold: set[Place], verdict: Verdict) -> None:
    """Each message that was accepted has one end, and its sender was told."""
    if len(journals.accepted) != plan.messages:
        verdict.faults.append(f"not everything was accepted: {len(journals.accepted)} of {plan.messages}")
    verdict.expect("failed", journals.failed)
    verdict.expect("confirmed and uncertain", journals.confirmed.keys() & journals.uncertain)
    verdict.expect(
        "an end without acceptance", (journals.confirmed.keys() | journals.uncertain) - journals.accepted.keys()
    )
    verdict.expect("confirmed under several ids", [each for each, ids in journals.confirmed.items() if len(ids) > 1])
    # A kill can fall between the end of a message and its line here: of the first of a queue, once for each life.
    verdict.expect("never told", [each for each in untold if journals.accepted[each] == journals.lives[each.sender]])
    ends = Counter((each.sender, each.conversation, journals.accepted[each]) for each in untold)
    verdict.expect("more never told than a kill explains", [each for each, count in ends.items() if count > 1])
    if plan.honours_keys:
        verdict.expect("uncertain though the server honours keys", journals.uncertain)
    of_each = Counter(each.sender for each in journals.accepted)
    doubts = Counter(each.sender for each in journals.uncertain)
    verdict.expect(
        "too many uncertain", [user for user, count in doubts.items() if count > FEW + UNCERTAIN * of_each[user]]
    )


def _judge_stored(
    plan: Plan, journals: _Journals, untold: set[Place], messages: list[Stored], verdict: Verdict
) -> None:
    """What was confirmed is there as it was told; of the rest as much as there can be, and all of it in order."""
    by_id = {each.id: each for each in messages}
    claims = Counter(each for ids in journals.confirmed.values() for each in ids)
    verdict.expect("two confirmed as one", [each for each, count in claims.items() if count > 1])
    verdict.expect(
        "confirmed but not stored, or as another",
        [
            place
            for place, ids in journals.confirmed.items()
            for each in ids
            if each not in by_id or by_id[each][1:] != _group(place)
        ],
    )
    unclaimed = Counter(each[1:] for each in messages if each.id not in claims)
    least = Counter(map(_group, untold))
    maybe = Counter(map(_group, journals.uncertain | (journals.intended - journals.accepted.keys())))
    verdict.expect("accepted and lost", [group for group in least if unclaimed[group] < least[group]])
    verdict.expect(
        "stored more often than sent", [group for group in unclaimed if unclaimed[group] > least[group] + maybe[group]]
    )
    numbers = {min(ids): place.number for place, ids in journals.confirmed.items()}
    for message in messages:
        if not is_terse(message.conversation):
            numbers[message.id] = int(message.content.rsplit(" ", 1)[1])
    verdict.expect("stored out of order", _out_of_order(messages, numbers))


def _judge_seen(plan: Plan, journals: _Journals, messages: list[Stored], verdict: Verdict) -> None:
    """Each receiver saw each message, once, as it is and in order."""
    by_id = {each.id: each for each in messages}
    seen = journals.seen
    verdict.expect("not seen", [each for each in messages if each.id not in seen[_other(plan, each)]])
    verdict.expect(
        "seen but not stored so",
        [
            (user, each)
            for user, found in seen.items()
            for each, contents in found.items()
            if each not in by_id or contents != {by_id[each].content}
        ],
    )
    verdict.expect("seen twice in one life", journals.twice)
    verdict.expect("seen again though its position was kept", journals.again_though_kept)
    ended = sum(journals.lives.values()) - len(journals.lives)
    if journals.again > AGAIN * ended:
        verdict.faults.append(f"too many seen again: {journals.again} after {ended} lives were ended")
    verdict.expect("seen out of order", journals.disordered)
    own = defaultdict(int)
    for message in messages:
        own[message.sender, message.conversation] = message.id
    verdict.expect(
        "called late though nothing newer was there",
        [(user, each) for user, conversation, each in journals.early if own[user, conversation] < each],
    )
    total = sum(map(len, seen.values()))
    if journals.late > FEW + LATE * total:
        verdict.faults.append(f"too many late: {journals.late} of {total}")


def _group(place: Place) -> Group:
    return place.sender, place.conversation, content_of(*place)


def _other(plan: Plan, message: Stored) -> User:
    one, other = plan.pairs[message.conversation]
    return other if message.sender == one else one


def _out_of_order(messages: list[Stored], numbers: dict[int, int]) -> list[int]:
    last: dict[tuple[User, int], int] = {}
    wrong = []
    for each in messages:
        if each.id in numbers:
            if numbers[each.id] < last.get((each.sender, each.conversation), -1):
                wrong.append(each.id)
            last[each.sender, each.conversation] = numbers[each.id]
    return wrong


def _read(plan: Plan) -> _Journals:
    found = _Journals()
    for user in plan.users:
        eyes = _Eyes(user, found)
        for what, *values in read_journal(plan.journal_of(user)):
            if what == "begins":
                found.lives[user] += 1
                eyes.begin()
            elif what == "sees":
                eyes.see(*values)
            elif what == "kept":
                eyes.keep(*values)
            else:
                _note(found, what, Place(user, values[0], values[1]), values[2:])
    return found


class _Eyes:
    """What one client saw, from its first life to its last."""

    def __init__(self, user: User, found: _Journals) -> None:
        self._user = user
        self._found = found
        self._newest_ever: dict[int, int] = defaultdict(int)
        self._kept_up_to: dict[int, int] = defaultdict(int)
        self._kept: dict[int, set[int]] = defaultdict(set)
        self.begin()

    def begin(self) -> None:
        self._kept_before = set(self._kept)  # conversations whose first line in this life tells the whole
        self._this_life: set[int] = set()
        self._newest: dict[int, int] = defaultdict(int)

    def keep(self, conversation: int, newest: int | None, more: list[int], less: list[int]) -> None:
        """A position was written: the ids in it do not come again, and what is older comes only as late."""
        self._kept_up_to[conversation] = max(self._kept_up_to[conversation], newest or 0)
        if conversation in self._kept_before:
            self._kept_before.discard(conversation)
            self._kept[conversation].clear()
        self._kept[conversation] -= set(less)
        self._kept[conversation] |= set(more)

    def see(self, conversation: int, each: int, content: str, is_late: bool) -> None:
        found, user, seen = self._found, self._user, self._found.seen[self._user]
        if each in self._this_life:
            found.twice.add((user, each))
        elif each in seen:
            found.again += 1
            # A position holds the latest ids only: what is told anew by its sender long after comes again, as late.
            if each in self._kept[conversation] or (not is_late and each <= self._kept_up_to[conversation]):
                found.again_though_kept.add((user, each))
        if is_late:
            found.late += 1
            if each > self._newest_ever[conversation]:
                found.early.add((user, conversation, each))
        elif each < self._newest[conversation]:
            found.disordered.add((user, each))
        else:
            self._newest[conversation] = each
        self._newest_ever[conversation] = max(self._newest_ever[conversation], each)
        self._this_life.add(each)
        seen[each].add(content)


def _note(found: _Journals, what: str, place: Place, more: list[Any]) -> None:
    if what == "intends":
        found.intended.add(place)
    elif what in ("accepted", "takes up"):
        found.accepted[place] = found.lives[place.sender]
    elif what == "confirmed":
        found.confirmed[place].add(more[0])
    elif what == "uncertain":
        found.uncertain.add(place)
    else:
        found.failed.add((place, more[0]))
