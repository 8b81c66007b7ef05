"""Each thing that can be wrong after a storm is seen: journals that tell of one are judged, and those of a good one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.plan import HAPPENS, Plan, User, content_of, is_terse
from tests.chaos.verdict import AGAIN, judge

PATIENT: User = ("patient", 1)
DOCTOR: User = ("medecin", 101)
EACH = 50  # messages of each of both in each conversation
UNIQUE, TERSE = 0, 3


class World:
    """What a storm has left: two people in four conversations, who have said everything in turn."""

    def __init__(self, folder: Path, honours_keys: bool) -> None:
        self.plan = Plan(
            messages=2 * 4 * EACH,
            clients=2,
            processes=2,
            conversations=4,
            server_kills=1,
            client_kills=1,
            honours_keys=honours_keys,
            seed=1,
            port=1,
            folder=str(folder),
        )
        self.server: list[list[Any]] = []
        self.lines: dict[User, list[list[Any]]] = {PATIENT: [["begins", 0]], DOCTOR: [["begins", 0]]}
        self.faults: list[list[Any]] = [[what] for what in HAPPENS]
        for number in range(EACH):
            if number == EACH // 2:
                self.lines[DOCTOR].append(["begins", 1])
            for conversation in range(4):
                for sender in (PATIENT, DOCTOR):
                    self.say(sender, conversation, number)

    def say(self, sender: User, conversation: int, number: int) -> int:
        """A message goes its way, and all is well."""
        mine, other = self.lines[sender], self.lines[DOCTOR if sender == PATIENT else PATIENT]
        each = self.store(sender, conversation, content_of(sender, conversation, number))
        mine.append(["intends", conversation, number])
        mine.append(["accepted", conversation, number, f"key {sender} {conversation} {number}"])
        mine.append(["confirmed", conversation, number, each])
        other.append(["sees", conversation, each, self.server[each - 1][4], False])
        other.append(["kept", conversation, each - 1, [each], []])
        return each

    def store(self, sender: User, conversation: int, content: str) -> int:
        self.server.append([len(self.server) + 1, *sender, conversation + 1, content])
        return len(self.server)

    def find(self, user: User, *beginning: Any) -> int:
        """The place of the first such line."""
        return next(at for at, line in enumerate(self.lines[user]) if line[: len(beginning)] == list(beginning))

    def drop(self, user: User, *beginning: Any) -> list[Any]:
        return self.lines[user].pop(self.find(user, *beginning))

    def faults_found(self) -> list[str]:
        database = sqlite3.connect(self.plan.database)
        database.execute("CREATE TABLE messages (id, sender_type, sender_id, conversation_id, contenu)")
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", self.server)
        database.commit()
        database.close()
        for user, lines in self.lines.items():
            self.plan.journal_of(user).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        self.plan.faults.write_text("".join(f"{json.dumps(line)}\n" for line in self.faults))
        return judge(self.plan).faults


def _gone(world: World, each: int) -> None:
    """A message was never stored, and never seen."""
    del world.server[each - 1]
    for user in world.lines:
        world.lines[user] = [line for line in world.lines[user] if not (line[0] == "sees" and line[2] == each)]


def _see_everything_again(world: World) -> None:
    at = world.find(DOCTOR, "begins", 1)
    before = [line for line in world.lines[DOCTOR][:at] if line[0] == "sees"]
    world.lines[DOCTOR] = [line for line in world.lines[DOCTOR] if line[0] != "kept"]
    at = world.find(DOCTOR, "begins", 1)
    assert len(before) > AGAIN
    world.lines[DOCTOR][at + 1 : at + 1] = before


def _see_again_what_was_kept(world: World) -> None:
    at = world.find(DOCTOR, "begins", 1)
    world.lines[DOCTOR].insert(at + 1, next(line for line in world.lines[DOCTOR] if line[0] == "sees"))


def _see_again_as_late_what_was_kept(world: World) -> None:
    _see_again_what_was_kept(world)
    at = world.find(DOCTOR, "begins", 1)
    world.lines[DOCTOR][at + 1] = [*world.lines[DOCTOR][at + 1][:4], True]


def _see_again_as_late_what_is_older_than_the_position(world: World) -> None:
    _see_again_as_late_what_was_kept(world)
    at = world.find(DOCTOR, "begins", 1)
    each = world.lines[DOCTOR][at + 1]
    world.lines[DOCTOR].insert(at, ["kept", each[1], each[2], [], [each[2]]])


def _see_twice(world: World) -> None:
    at = world.find(DOCTOR, "sees")
    world.lines[DOCTOR].insert(at, world.lines[DOCTOR][at])


def _see_in_reverse_as_late(world: World) -> None:
    lines = world.lines[DOCTOR]
    sees = [line for line in lines if line[0] == "sees"]
    world.lines[DOCTOR] = [line for line in lines if line[0] != "sees"]
    world.lines[DOCTOR] += [[*line[:4], at > 0] for at, line in enumerate(reversed(sees))]


def _see_as_late_what_is_not(world: World) -> None:
    each = world.say(PATIENT, 2, EACH)  # nobody says anything there after it
    world.lines[DOCTOR][world.find(DOCTOR, "sees", 2, each)][4] = True


def _see_out_of_order(world: World) -> None:
    lines = world.lines[DOCTOR]
    first, second = [at for at, line in enumerate(lines) if line[:2] == ["sees", UNIQUE]][:2]
    lines[first], lines[second] = lines[second], lines[first]


def _end_in_silence(world: World) -> None:
    world.drop(PATIENT, "confirmed", UNIQUE, 7)


def _end_in_silence_before_a_kill_twice(world: World) -> None:
    for number in (7, 8):
        world.drop(DOCTOR, "confirmed", UNIQUE, number)


def _lose_before_a_kill(world: World) -> None:
    *_, each = world.drop(DOCTOR, "confirmed", UNIQUE, 7)
    _gone(world, each)


def _lose_one_of_few_words(world: World) -> None:
    *_, each = world.drop(DOCTOR, "confirmed", TERSE, 7)
    _gone(world, each)


def _confirm_what_is_uncertain(world: World) -> None:
    world.lines[PATIENT].append(["uncertain", UNIQUE, 7, "SendUncertain"])


def _confirm_under_two_ids(world: World) -> None:
    at = world.find(PATIENT, "confirmed", TERSE, 7)
    world.lines[PATIENT].append([*world.lines[PATIENT][at][:3], world.say(PATIENT, TERSE, EACH)])


def _confirm_two_as_one(world: World) -> None:
    """The same words are taken for those of the message before, which is how one gets lost."""
    same = [number for number in range(EACH) if content_of(PATIENT, TERSE, number) == content_of(PATIENT, TERSE, 0)]
    one, other = (world.lines[PATIENT][world.find(PATIENT, "confirmed", TERSE, number)] for number in same[:2])
    _gone(world, other[3])
    other[3] = one[3]


def _double_one_of_few_words(world: World) -> None:
    each = world.store(PATIENT, TERSE, content_of(PATIENT, TERSE, 7))
    world.lines[DOCTOR].append(["sees", TERSE, each, content_of(PATIENT, TERSE, 7), False])


def _double(world: World) -> None:
    each = world.store(PATIENT, UNIQUE, content_of(PATIENT, UNIQUE, EACH - 1))
    world.lines[DOCTOR].append(["sees", UNIQUE, each, content_of(PATIENT, UNIQUE, EACH - 1), False])


def _doubt_everything(world: World) -> None:
    confirmed = [line for line in world.lines[PATIENT] if line[0] == "confirmed"]
    gone = {line[3] for line in confirmed}
    for line in confirmed:
        line[0] = "uncertain"
    world.server = [row for row in world.server if row[0] not in gone]
    world.lines[DOCTOR] = [line for line in world.lines[DOCTOR] if not (line[0] == "sees" and line[2] in gone)]


def _doubt_one(world: World) -> None:
    world.lines[PATIENT][world.find(PATIENT, "confirmed", UNIQUE, 7)][0] = "uncertain"


def _swap_few_words(world: World) -> None:
    """Two messages were stored in the other order, which only their ids tell."""
    same = [number for number in range(EACH) if content_of(PATIENT, TERSE, number) == content_of(PATIENT, TERSE, 0)]
    one, other = (world.lines[PATIENT][world.find(PATIENT, "confirmed", TERSE, number)] for number in same[:2])
    one[3], other[3] = other[3], one[3]


def _show_another_text(world: World) -> None:
    at = world.find(DOCTOR, "sees", UNIQUE)
    world.lines[DOCTOR][at][3] = "autre chose"


def _fail(world: World) -> None:
    world.lines[PATIENT][world.find(PATIENT, "confirmed", UNIQUE, 7)][:] = ["failed", UNIQUE, 7, "StoreError"]


def _accept_less(world: World) -> None:
    each = world.drop(PATIENT, "confirmed", UNIQUE, EACH - 1)[3]
    world.drop(PATIENT, "accepted", UNIQUE, EACH - 1)
    _gone(world, each)


Change = Callable[[World], None]

WRONG: dict[str, tuple[Change, str]] = {
    "everything again": (_see_everything_again, "too many seen again"),
    "again though kept": (_see_again_what_was_kept, "seen again though its position was kept"),
    "again as late though kept": (_see_again_as_late_what_was_kept, "seen again though its position was kept"),
    "twice in a life": (_see_twice, "seen twice in one life"),
    "reverse, as late": (_see_in_reverse_as_late, "too many late"),
    "late without reason": (_see_as_late_what_is_not, "late though nothing newer"),
    "out of order": (_see_out_of_order, "seen out of order"),
    "never told": (_end_in_silence, "never told"),
    "never told of two": (_end_in_silence_before_a_kill_twice, "more never told than a kill explains"),
    "lost at a kill": (_lose_before_a_kill, "accepted and lost"),
    "lost among the same words": (_lose_one_of_few_words, "accepted and lost"),
    "confirmed and uncertain": (_confirm_what_is_uncertain, "confirmed and uncertain"),
    "two ids": (_confirm_under_two_ids, "confirmed under several ids"),
    "two as one": (_confirm_two_as_one, "two confirmed as one"),
    "doubled": (_double, "stored more often than sent"),
    "doubled among the same words": (_double_one_of_few_words, "stored more often than sent"),
    "everything uncertain": (_doubt_everything, "too many uncertain"),
    "swapped among the same words": (_swap_few_words, "stored out of order"),
    "another text": (_show_another_text, "seen but not stored so"),
    "failed": (_fail, "failed"),
    "less": (_accept_less, "not everything was accepted"),
    "calm": (lambda world: world.faults.pop(), "did not happen"),
    "no cut": (lambda world: world.faults.__setitem__(2, [HAPPENS[2], 0]), "did not happen"),
}


@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize(("change", "fault"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_seen(tmp_path: Path, honours_keys: bool, change: Change, fault: str) -> None:
    world = World(tmp_path, honours_keys)
    change(world)
    assert any(fault in each for each in world.faults_found())


def test_an_uncertain_message_is_wrong_where_keys_are_honoured(tmp_path: Path) -> None:
    world = World(tmp_path, honours_keys=True)
    _doubt_one(world)
    assert [each[:40] for each in world.faults_found()] == ["uncertain though the server honours keys"]


def _be_killed_before_the_end_is_told(world: World) -> None:
    world.drop(DOCTOR, "confirmed", UNIQUE, 7)


def _be_killed_before_acceptance_is_noted(world: World) -> None:
    """It was sent for all that; and again, under another number."""
    at = world.find(DOCTOR, "begins", 1)
    world.lines[DOCTOR].insert(at, ["intends", TERSE, EACH])
    each = world.store(DOCTOR, TERSE, content_of(DOCTOR, TERSE, EACH))
    world.lines[PATIENT].append(["sees", TERSE, each, content_of(DOCTOR, TERSE, EACH), False])


def _see_again_what_was_not_kept(world: World) -> None:
    at = world.find(DOCTOR, "begins", 1)
    last = max(place for place in range(at) if world.lines[DOCTOR][place][0] == "sees")
    assert world.lines[DOCTOR].pop(last + 1)[0] == "kept"
    world.lines[DOCTOR].insert(at, world.lines[DOCTOR][last])


@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        _be_killed_before_the_end_is_told,
        _be_killed_before_acceptance_is_noted,
        _see_again_what_was_not_kept,
        _see_again_as_late_what_is_older_than_the_position,
    ],
    ids=["nothing", "untold", "not noted", "again", "again as late"],
)
def test_what_a_kill_explains_is_well(tmp_path: Path, honours_keys: bool, change: Change) -> None:
    world = World(tmp_path, honours_keys)
    change(world)
    assert world.faults_found() == []


def test_one_that_is_uncertain_is_well_where_keys_are_ignored(tmp_path: Path) -> None:
    world = World(tmp_path, honours_keys=False)
    _doubt_one(world)
    assert world.faults_found() == []


def test_the_conversations_of_few_words_are_there() -> None:
    assert (is_terse(UNIQUE), is_terse(TERSE)) == (False, True)
    assert len({content_of(PATIENT, TERSE, number) for number in range(EACH)}) == 3
