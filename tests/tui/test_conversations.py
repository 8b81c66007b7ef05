"""The list, the connection, panels, sizes and colours; and others' texts, which are shown and do nothing."""

from __future__ import annotations

import pytest

from messaging_client.tui.app import DARK, LIGHT, ChatApp
from messaging_client.tui.conversation_list import Conversations
from messaging_client.tui.message_list import MessageList
from tests.scenes import DOCTOR, PATIENT, Scene
from tests.tui.support import interface


async def test_filters_and_search(scene: Scene) -> None:
    await scene.server.create_conversation("Messages - Examen 4", [DOCTOR, ("patient", 6)])
    await scene.say("Ça brûle")
    async with interface(scene) as chat:
        await chat.shows("Marie Dupont", "Patient #6", "1 new")
        await chat.press("4")
        await chat.shows_no_more("Marie Dupont")
        assert "Patient #6" in chat.text
        await chat.press("2")
        await chat.shows("Marie Dupont")
        await chat.shows_no_more("Patient #6")
        await chat.press("right")
        await chat.shows("Ordonnance 15")
        await chat.press("5")
        await chat.shows("Nothing here")
        await chat.press("1", "f3")
        await chat.write("brule")
        await chat.shows_no_more("Patient #6")
        await chat.press("escape")
        await chat.shows("Patient #6", "Marie Dupont")


async def test_a_new_message_elsewhere_moves_its_conversation_up(scene: Scene) -> None:
    other = await scene.server.create_conversation("Messages - Examen 4", [DOCTOR, ("patient", 6)])
    async with interface(scene) as chat:
        await chat.shows("Patient #6", "Marie Dupont")
        await scene.say("nouveau ici")
        await chat.until(lambda: -1 < chat.text.find("Marie Dupont") < chat.text.find("Patient #6"))
        await scene.server.say(other, "et là", ("patient", 6))
        await chat.until(lambda: chat.text.find("Patient #6") < chat.text.find("Marie Dupont"))
        await chat.shows("2 new")


@pytest.mark.parametrize("user", [DOCTOR, PATIENT])
async def test_a_new_conversation(scene: Scene, user: tuple[str, int]) -> None:
    async with interface(scene, user=user) as chat:
        await chat.shows("Ordonnance 15")
        await chat.press("f2")
        await chat.shows("New conversation", "Its number")
        await chat.press("ctrl+s")
        await chat.shows("Fill in every field")
        await chat.press("tab")
        await chat.write("23")
        await chat.press("tab")
        await chat.write("6")
        await chat.press("enter")
        await chat.shows("Ordonnance 23", "Write a message")
        await chat.write("bonjour")
        await chat.press("enter")
        await chat.shows("✓ sent")
        assert chat.app.desk.current is not None
        assert chat.stored(int(chat.app.desk.current.id)) == ["bonjour"]


async def test_a_conversation_that_is_refused_says_why(scene: Scene) -> None:
    async with interface(scene) as chat:
        await chat.shows("Ordonnance 15")
        chat.server.faults.answer("create", 403, message="non")
        await chat.press("f2", "tab")
        await chat.write("99")
        await chat.press("tab")
        await chat.write("6")
        await chat.press("enter")
        await chat.shows("New conversation", "403")
        await chat.press("escape")
        await chat.shows_no_more("New conversation")


async def test_the_connection_is_shown_and_messages_come_by_http_meanwhile(scene: Scene) -> None:
    settings = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.1, "fallback_poll_interval": 0.2}
    async with interface(scene, **settings) as chat:
        await chat.open()
        await chat.shows("● connected")
        assert chat.client.socket_id is not None
        assert f"● connected {chat.client.socket_id[:6]}" in chat.text
        chat.server.faults.refuse_upgrade(503, count=None)
        await chat.server.faults.cut(DOCTOR)
        await chat.shows("reconnecting, attempt", "by HTTP")
        await scene.say("par le détour", broadcast=False)
        await chat.shows("▌ par le détour")
        chat.server.faults.clear()
        await chat.client.wait_connected(10)
        await chat.shows("● connected")


async def test_a_refused_token_is_an_error_that_says_so(scene: Scene) -> None:
    async with interface(scene, connect=False) as chat:
        chat.server.faults.refuse_handshake(count=None)
        await chat.server.faults.cut(DOCTOR)
        await chat.client.disconnect()
        await chat.client.connect(wait=False)
        await chat.shows("error: the token was refused")


async def test_a_server_that_fails_at_first_is_read_when_asked_again(scene: Scene) -> None:
    scene.server.faults.answer("conversations", 403, count=None)
    async with interface(scene) as chat:
        await chat.shows("try again")
        chat.server.faults.clear()
        await chat.press("r")
        await chat.shows("Marie Dupont")


async def test_a_conversation_that_fails_at_first_is_read_when_asked_again(scene: Scene) -> None:
    await scene.say("là")
    async with interface(scene) as chat:
        await chat.shows("Marie Dupont")
        chat.server.faults.answer("messages", 403, count=None)
        await chat.press("enter")
        await chat.shows("Ctrl+R: try again")
        await chat.write("je garde")
        await chat.press("enter")
        await chat.shows("not open yet", "je garde")
        chat.server.faults.clear()
        await chat.press("ctrl+r")
        await chat.shows("▌ là", "je garde")
        assert chat.stored() == ["là"]


async def test_narrow_shows_the_list_or_the_messages(scene: Scene) -> None:
    await scene.say("Bonjour docteur")
    async with interface(scene, size=(44, 20)) as chat:
        await chat.shows("Marie Dupont")
        assert "Write a message" not in chat.text
        await chat.open()
        await chat.shows("▌ Bonjour docteur", "Write a message")
        assert "5 Consultation" not in chat.text
        await chat.press("escape", "escape")
        await chat.shows("5 Consultation")
        assert "Write a message" not in chat.text
        await chat.press("f3")
        await chat.pilot.resize_terminal(80, 24)
        await chat.shows("5 Consultation", "Write a message")


async def test_colours_change_and_every_key_is_in_the_help(scene: Scene) -> None:
    async with interface(scene, size=(80, 60)) as chat:
        await chat.shows("Marie Dupont")
        assert chat.app.theme == DARK
        await chat.press("f8")
        assert chat.app.theme == LIGHT
        await chat.press("f1")
        await chat.shows("Everywhere", "Send again", "New line", "Quit", "Filter: Consultation")
        described = [each.description for kind in (Conversations, MessageList, ChatApp) for each in kind.BINDINGS]
        assert [each for each in described if each not in chat.text] == []
        await chat.press("escape")
        await chat.shows_no_more("Everywhere")


async def test_the_diagnostic_panel_tells_what_is_right_and_wrong(scene: Scene) -> None:
    async with interface(scene, size=(100, 40)) as chat:
        await chat.shows("Marie Dupont")
        await chat.press("f4")
        await chat.shows("✓ Server health", "Nothing is wrong", "token expires")
        chat.server.faults.answer("health", 500, count=None)
        await chat.press("r")
        await chat.shows("✗ Server health", "failed.", "→")
        await chat.press("escape")
        await chat.shows_no_more("Server health")


HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]rouge[/red] [@click=app.quit]x[/] \u202eétrange $primary \x9b31m"


async def test_hostile_texts_and_names_are_shown_and_do_nothing(scene: Scene) -> None:
    scene.server.add_user(*PATIENT, prenom="[bold]Ma\x1b[31mrie", nom="[/bold] [link=x]Du\u202epont")
    await scene.say(HOSTILE)
    async with interface(scene, size=(120, 30)) as chat:
        await chat.open()
        await chat.shows("[red]rouge[/red] [@click=app.quit]x[/]", "[bold]Ma\ufffd[31mrie")
        await chat.server.typing(scene.conversation, PATIENT)
        await chat.shows("is typing")
        await chat.press("escape", "enter")
        await chat.shows("id 1")
        await chat.press("escape")
        chat.app.tell(HOSTILE, "error")
        await chat.until(lambda: chat.text.count("[red]rouge[/red]") > 1)
        assert not [each for each in chat.text.replace("\n", "") if not each.isprintable()]


async def test_a_crash_shows_no_words_of_anybody(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "mot-de-passe-du-patient"
    with pytest.raises(ZeroDivisionError):
        async with interface(scene) as chat:
            await chat.shows("Marie Dupont")

            def crash() -> None:
                words = secret * 2
                assert words
                raise ZeroDivisionError

            chat.app.call_later(crash)
            await chat.until(lambda: not chat.app.is_running)
    told = capsys.readouterr()
    assert "ZeroDivisionError" in told.out + told.err
    assert secret not in told.out + told.err


async def test_nothing_goes_to_the_devtools(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL", "debug,devtools")
    app = ChatApp(await scene.client(DOCTOR))
    assert app.devtools is None
