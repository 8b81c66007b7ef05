"""What became of every message of a storm: journals of the clients against the file of the server."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.plan import Plan, User, number_of, read_journal

Place = tuple[User, int, int]
"""A message: its sender, its conversation, and its number there."""


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
    intended: set[Place] = field(default_factory=set)
    accepted: set[Place] = field(default_factory=set)
    confirmed: dict[Place, int] = field(default_factory=dict)
    uncertain: set[Place] = field(default_factory=set)
    failed: set[tuple[Place, str]] = field(default_factory=set)
    seen: dict[User, set[int]] = field(default_factory=lambda: defaultdict(set))
    twice: set[tuple[User, int]] = field(default_factory=set)
    disordered: set[tuple[User, int]] = field(default_factory=set)
    again: int = 0
    late: int = 0


def stored(plan: Plan) -> list[tuple[int, Place]]:
    """The server's list: ids and messages, in the order of ids."""
    database = sqlite3.connect(f"file:{plan.database}?mode=ro", uri=True)
    try:
        rows = database.execute(
            "SELECT id, sender_type, sender_id, conversation_id, contenu FROM messages ORDER BY id"
        ).fetchall()
    finally:
        database.close()
    return [(found, ((kind, number), place - 1, number_of(text))) for found, kind, number, place, text in rows]


def missing(plan: Plan) -> int:
    """How many messages have not been seen yet by those who are to see them."""
    seen = _read(plan).seen
    return sum(each not in seen[_other(plan, place)] for each, place in stored(plan))


def judge(plan: Plan) -> Verdict:
    """Compare everything; to be called when the storm is over and all have settled."""
    journals, messages, verdict = _read(plan), stored(plan), Verdict()
    times = Counter(place for _, place in messages)
    ids = dict(messages)
    verdict.counts = {
        "intended": len(journals.intended),
        "accepted": len(journals.accepted),
        "stored": len(messages),
        "confirmed": len(journals.confirmed),
        "uncertain": len(journals.uncertain - journals.confirmed.keys()),
        "seen": sum(map(len, journals.seen.values())),
        "seen again after a restart": journals.again,
        "seen late": journals.late,
    }
    verdict.expect("stored more than once", [place for place, count in times.items() if count > 1])
    verdict.expect("stored but never sent", times.keys() - journals.intended)
    verdict.expect("confirmed but not stored", journals.confirmed.keys() - times.keys())
    verdict.expect(
        "confirmed as another", [place for place, each in journals.confirmed.items() if ids.get(each) != place]
    )
    verdict.expect("accepted and lost", journals.accepted - times.keys() - journals.uncertain)
    verdict.expect("failed", journals.failed)
    if plan.honours_keys:
        verdict.expect("uncertain though the server honours keys", journals.uncertain)
    verdict.expect("stored out of order", _out_of_order(messages))
    verdict.expect("not seen", [each for each, place in messages if each not in journals.seen[_other(plan, place)]])
    verdict.expect("seen but not stored", [each for seen in journals.seen.values() for each in seen if each not in ids])
    verdict.expect("seen twice in one life", journals.twice)
    verdict.expect("seen out of order", journals.disordered)
    return verdict


def _other(plan: Plan, place: Place) -> User:
    sender, conversation, _ = place
    one, other = plan.pairs[conversation]
    return other if sender == one else one


def _out_of_order(messages: list[tuple[int, Place]]) -> list[int]:
    last: dict[tuple[User, int], int] = {}
    wrong = []
    for each, (sender, conversation, number) in messages:
        if number < last.get((sender, conversation), -1):
            wrong.append(each)
        last[sender, conversation] = number
    return wrong


def _read(plan: Plan) -> _Journals:
    found = _Journals()
    for user in plan.users:
        this_life: set[int] = set()
        newest: dict[int, int] = {}
        for what, *values in read_journal(plan.journal_of(user)):
            if what == "begins":
                this_life, newest = set(), {}
            elif what == "sees":
                conversation, each, number, is_late = values
                if each in this_life:
                    found.twice.add((user, each))
                elif each in found.seen[user]:
                    found.again += 1
                if is_late:
                    found.late += 1
                elif number < newest.get(conversation, -1):
                    found.disordered.add((user, each))
                else:
                    newest[conversation] = number
                this_life.add(each)
                found.seen[user].add(each)
            else:
                _note(found, what, (user, values[0], values[1]), values[2:])
    return found


def _note(found: _Journals, what: str, place: Place, more: list[Any]) -> None:
    if what == "intends":
        found.intended.add(place)
    elif what == "accepted":
        found.accepted.add(place)
    elif what == "confirmed":
        found.confirmed[place] = more[0]
    elif what == "uncertain":
        found.uncertain.add(place)
    else:
        found.failed.add((place, more[0]))
