"""Whether two messages are the same, where servers spell what they were given anew."""

from __future__ import annotations

import html
import unicodedata

import pytest

from messaging_client.models import Id, Message, MessageType, Participant, UserType
from messaging_client.outbox.likeness import Likeness, likeness, likeness_of_text
from tests.outbox.support import START

SAME, PERHAPS, OTHER = Likeness.SAME, Likeness.PERHAPS, Likeness.OTHER
DOCTOR, PATIENT, NO_TYPE = UserType.MEDECIN, UserType.PATIENT, UserType.UNKNOWN
LONG = "Prenez deux comprimés le matin et un le soir, pendant les repas, et revenez me voir."


@pytest.mark.parametrize(
    ("found", "sent", "expected"),
    [
        ("ok", "ok", SAME),
        (" ok\r\n", "ok", SAME),
        ("a\r\nb", "a\nb", SAME),
        (html.escape("TA < 14 & pouls 'ok'"), "TA < 14 & pouls 'ok'", SAME),
        (html.escape(html.escape("a & b")), "a & b", SAME),
        (unicodedata.normalize("NFD", "fièvre"), "fièvre", SAME),
        ("Prise de sang", "Prise de <b>sang</b>", PERHAPS),
        ("TA ", "TA < 14 & pouls", PERHAPS),
        ("TA  14  pouls", "TA < 14 & pouls", PERHAPS),
        ("merci ??", "merci 👍", PERHAPS),
        (LONG[:60], LONG, PERHAPS),
        ("Ok", "ok", OTHER),
        ("dose: 6 mg", "dose: 5 mg", OTHER),
        ("ok", "ok merci", OTHER),
        ("non", "ok", OTHER),
    ],
)
def test_texts(found: str, sent: str, expected: Likeness) -> None:
    assert likeness_of_text(found, sent) is expected


def a_message(sender: Id | None = 79, kind: UserType = DOCTOR, type: MessageType = MessageType.TEXT) -> Message:
    return Message(
        id=1,
        conversation_id=15,
        content="ok",
        type=type,
        sender=Participant(id=sender, type=kind),
        timestamp=START,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (a_message(), SAME),
        (a_message(kind=NO_TYPE), SAME),
        (a_message(None, NO_TYPE), PERHAPS),
        (a_message(None), PERHAPS),
        (a_message(type=MessageType.UNKNOWN), PERHAPS),
        (a_message(type=MessageType.DOCUMENT), PERHAPS),
        (a_message(kind=PATIENT), OTHER),
        (a_message(None, PATIENT), OTHER),
        (a_message(80), OTHER),
        (a_message(80, NO_TYPE), OTHER),
        (a_message("79x"), OTHER),
    ],
)
def test_senders_and_types(found: Message, expected: Likeness) -> None:
    assert likeness(found, a_message()) is expected
