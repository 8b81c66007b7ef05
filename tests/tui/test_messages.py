"""Messages: sent, received, read, refused, uncertain; and none is lost by the interface."""

from __future__ import annotations

import re

import pytest

from messaging_client.tui.composer import Composer
from messaging_client.tui.message_list import MessageList
from tests.scenes import DOCTOR, PATIENT, Scene
from tests.tui.support import interface


async def test_a_message_is_sent_and_then_read(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        await chat.write("Bonjour Marie")
        assert chat.stored() == []
        await chat.press("enter")
        await chat.shows("✓ sent", "Bonjour Marie")
        assert chat.stored() == ["Bonjour Marie"]
        assert chat.app.screen.query_one(Composer).text == ""
        await chat.server.mark_read(chat.server.messages(scene.conversation)[0]["id_message"], PATIENT)
        await chat.shows("✓✓ read")


async def test_enter_sends_and_another_key_begins_a_line(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        await chat.write("un\ndeux")
        await chat.press("enter")
        await chat.shows("✓ sent")
        assert chat.stored() == ["un\ndeux"]
        await chat.press("enter", "space", "enter")  # nothing is no message
        await chat.pilot.pause()
        assert chat.stored() == ["un\ndeux"]


async def test_a_message_of_somebody_else_comes_in_and_is_marked_read_by_hand_only(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        await scene.say("Bonjour docteur")
        await chat.shows("Bonjour docteur", "● new", "1 new")
        message_id = chat.server.messages(scene.conversation)[0]["id_message"]
        await chat.press("escape")
        await chat.shows("Mark read")
        assert not chat.server.messages(scene.conversation)[0].get("date_lecture")
        await chat.press("m")
        await chat.shows_no_more("● new")
        (stored,) = chat.server.messages(scene.conversation)
        assert stored["id_message"] == message_id
        assert stored["date_lecture"]
        await chat.shows_no_more("1 new")


async def test_the_whole_conversation_is_marked_read(scene: Scene) -> None:
    await scene.fill(3)
    async with interface(scene) as chat:
        await chat.open()
        await chat.shows("3 new messages", "● new")
        await chat.press("f9")
        await chat.shows_no_more("● new")
        assert "3 new messages" not in chat.text
        assert all(each["date_lecture"] for each in chat.server.messages(scene.conversation))


async def test_every_conversation_is_marked_read_after_a_question(scene: Scene) -> None:
    await scene.fill(2)
    async with interface(scene) as chat:
        await chat.shows("2 new")
        await chat.press("M")
        await chat.shows("Mark 2 new messages")
        await chat.press("y")
        await chat.shows_no_more("2 new")
        assert all(each["date_lecture"] for each in chat.server.messages(scene.conversation))


async def test_a_refused_message_stays_and_is_sent_again(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        chat.server.faults.answer("send", 403)
        await chat.write("à refaire")
        await chat.press("enter")
        await chat.shows("✗ not sent", "1 not sent")
        assert chat.stored() == []
        await chat.press("escape", "r")
        await chat.shows("✓ sent")
        assert "not sent" not in chat.text
        assert chat.stored() == ["à refaire"]


async def test_a_refused_message_is_discarded_after_a_question_only(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        chat.server.faults.answer("send", 403)
        await chat.write("faux")
        await chat.press("enter")
        await chat.shows("✗ not sent")
        await chat.press("escape", "x")
        await chat.shows("Discard this message?")
        await chat.press("n")
        await chat.shows_no_more("Discard this message?")
        assert len(chat.client.pending()) == 1
        await chat.press("x")
        await chat.shows("Discard this message?")
        await chat.press("y")
        await chat.shows_no_more("✗ not sent")
        assert chat.client.pending() == ()


async def test_an_uncertain_message_says_so_and_is_found_again() -> None:
    async with (
        Scene(idempotency=False, broadcast_on_post=False) as scene,
        interface(scene, notify_sent=False) as chat,
    ):
        await chat.open()
        chat.server.faults.drop_after_storing("send")
        chat.server.faults.answer("messages", 403, count=None)
        chat.server.faults.answer("new_messages", 403, count=None)
        await chat.write("peut-être")
        await chat.press("enter")
        await chat.shows("? uncertain", "The server may have it")
        chat.server.faults.clear()
        await chat.press("escape", "r")
        await chat.shows_no_more("? uncertain")
        assert chat.stored() == ["peut-être"]


async def test_a_text_that_is_not_accepted_comes_back(scene: Scene) -> None:
    async with interface(scene, max_message_bytes=300) as chat:
        await chat.open()
        composer = chat.app.screen.query_one(Composer)
        composer.load("trop long " * 100)
        await chat.pilot.pause()
        await chat.press("enter")
        await chat.until(lambda: composer.text == "trop long " * 100)
        await chat.shows("bytes")
        assert chat.client.pending() == ()
        assert chat.stored() == []


async def test_who_types_is_shown_until_they_have_written(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        await chat.server.typing(scene.conversation, PATIENT)
        await chat.shows("Marie Dupont is typing")
        await scene.say("voilà")
        await chat.shows("voilà")
        await chat.shows_no_more("is typing")


async def test_others_are_told_that_the_user_types(scene: Scene) -> None:
    patient = await scene.client(PATIENT)
    session = await scene.session(patient)
    async with interface(scene) as chat:
        await chat.open()
        await chat.write("Bon")
        await chat.server.wait_until(lambda: any(each.event == "typing" for each in chat.server.events), 10)
        assert session.is_patient


async def test_leaving_a_conversation_keeps_what_is_being_sent_and_the_draft(scene: Scene) -> None:
    await scene.server.create_conversation("Messages - Examen 4", [DOCTOR, ("patient", 6)])
    async with interface(scene) as chat:
        await chat.shows("Examen 4")
        await chat.press("end")
        chat.server.faults.answer("send", 503, count=None, retry_after=0.2)
        await chat.open()
        left = chat.app.desk.current
        assert left is not None
        await chat.write("en route")
        await chat.press("enter")
        await chat.shows("… sending")
        await chat.write("brouillon")
        await chat.press("escape", "escape", "home")
        await chat.press("enter")
        await chat.until(lambda: chat.app.desk.current is not left)
        await chat.shows("1 being sent")
        assert left.session is not None
        chat.server.faults.clear()
        await chat.until(lambda: chat.stored(int(left.id)) == ["en route"] and not chat.client.pending())
        await chat.shows("Draft")
        await chat.until(lambda: left.session is None)  # nothing holds it open any more
        await chat.press("escape", "escape", "home", "enter")  # it has moved to the top
        await chat.until(lambda: chat.app.desk.current is left)
        await chat.pilot.pause()
        assert chat.app.screen.query_one(Composer).text == "brouillon"


async def test_quitting_asks_when_something_would_be_left(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.open()
        chat.server.faults.answer("send", 503, count=None, retry_after=0.2)
        await chat.write("pas encore")
        await chat.press("enter")
        await chat.shows("… sending")
        await chat.press("ctrl+q")
        await chat.shows("1 message is not certain", "Quit all the same?")
        await chat.press("escape")
        await chat.shows_no_more("Quit all the same?")
        assert chat.app.is_running
        chat.server.faults.clear()
        await chat.shows("✓ sent")
        await chat.write("un brouillon")
        await chat.press("ctrl+q")
        await chat.shows("1 draft is lost")
        await chat.press("n")
        await chat.shows_no_more("1 draft is lost")
        await chat.press(*["backspace"] * 12, "ctrl+q")
        await chat.pilot.pause()
        assert not chat.app.is_running


@pytest.mark.parametrize("size", [(100, 30), (44, 16)])
async def test_older_messages_come_when_scrolling_up_and_the_place_is_kept(scene: Scene, size: tuple[int, int]) -> None:
    await scene.fill(120)
    async with interface(scene, size=size) as chat:
        await chat.open()
        await chat.shows("m120")
        await chat.press("escape")
        shown = chat.app.screen.query_one(MessageList)
        session = chat.app.desk.current and chat.app.desk.current.session
        assert session is not None
        assert len(session.messages) == 50
        await chat.press("home")
        first = shown.chosen_message
        assert first is not None
        assert first.content == "m71"
        await chat.until(lambda: len(session.messages) == 100)
        await chat.shows("m71")
        assert shown.chosen_message == first
        while len(session.messages) < 120:
            await chat.press("home")
            await chat.pilot.pause()
        await chat.press("home")
        await chat.until(lambda: "Beginning of the conversation" in chat.text)
        await chat.shows("m1 ")
        await chat.press("end")
        await chat.shows("m120")


async def test_the_place_is_kept_while_messages_come_and_the_end_is_followed(scene: Scene) -> None:
    await scene.fill(40)
    async with interface(scene) as chat:
        await chat.open()
        await chat.shows("m40")
        await chat.press("escape", "pageup", "pageup")
        before = re.findall(r"▌ m\d+", chat.text)
        await scene.say("tout nouveau")
        await chat.shows("1 below (End)")
        assert re.findall(r"▌ m\d+", chat.text) == before
        await chat.press("end")
        await chat.shows("▌ tout nouveau")
        assert "below (End)" not in chat.text
        await scene.say("encore")
        await chat.shows("▌ encore")


async def test_a_very_long_message_is_cut_and_shown_whole_on_demand(scene: Scene) -> None:
    await scene.say("début\n" + "ligne\n" * 3000 + "fin de tout")
    async with interface(scene) as chat:
        await chat.open()
        await chat.shows("more characters (Enter shows all)")
        await chat.press("escape", "enter")
        await chat.shows("début", "id 1")
        await chat.press("end")
        await chat.shows("fin de tout")
        await chat.press("escape")
        await chat.shows_no_more("fin de tout")


async def test_what_is_drawn_is_as_high_as_was_reckoned(scene: Scene) -> None:
    """Heights are reckoned of all messages, and only those in sight are drawn."""
    texts = (
        "un",
        "mot " * 60,
        "x" * 300,
        "é" * 100,
        "漢字" * 50,
        "a\n\nb\n",
        "\n\n fin",
        "  loin " * 30,
        "👩" * 80,
        "-" * 64,
    )
    for text in (*texts, *("y" * length for length in range(55, 75))):
        await scene.say(text, broadcast=False)
    for size in ((100, 30), (44, 20), (20, 10)):
        async with interface(scene, size=size) as chat:
            await chat.open()
            shown = chat.app.screen.query_one(MessageList)
            drawn = [len(shown._draw(block)) for block in shown._blocks]
            assert drawn == [shown._height(block) for block in shown._blocks]
