"""What each command does, against a server, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import jwt
import pytest
from scenes import DOCTOR, PATIENT, Scene

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.testing import MessagingServer
from tests.cli.processes import Done, environment, run, run_in_terminal, running

NOWHERE = "http://127.0.0.1:9"


def objects(done: Done) -> list[dict[str, Any]]:
    """What was printed, as one object for each line."""
    return [json.loads(line) for line in done.lines]


# --- inbox -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def filled(scene: Scene) -> Scene:
    """The doctor has three messages not read in the conversation about the ordonnance, and another, empty one."""
    await scene.server.create_conversation("Messages - Consultation 7", [("patient", 6), DOCTOR])
    await asyncio.sleep(0.003)  # servers tell milliseconds, and this one is to be the older
    for number in range(1, 4):
        await scene.server.say(1, f"m{number}", PATIENT)
    return scene


async def test_inbox_is_a_table_with_marks_in_a_terminal(filled: Scene) -> None:
    done = await run_in_terminal("inbox", env=environment(filled))
    assert (done.code, done.err) == (ExitCode.OK, "")
    head, rule, first, second = done.plain.splitlines()
    assert head.split() == ["Id", "With", "About", "When", "Last", "message"]
    assert set(rule) == {"─"}
    assert re.fullmatch(r"● 3 +1 +Marie Dupont +Ordonnance 15 +[\d:-]+ +m3 *", first)
    assert re.fullmatch(r" +2 +Patient #6 +Consultation 7 +[\d:-]+ *", second)
    assert max(map(len, done.plain.splitlines())) <= 80


async def test_inbox_is_plain_fields_in_a_pipe(filled: Scene) -> None:
    done = await run("inbox", env=environment(filled, FORCE_COLOR="1"))
    first, second = [line.split("\t") for line in done.lines]
    assert first[:4] + first[5:] == ["1", "3", "Marie Dupont", "Messages - Ordonnance 15", "m3"]
    assert (second[0], second[1]) == ("2", "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", second[4])
    assert "\x1b" not in done.out


async def test_inbox_as_json(filled: Scene) -> None:
    first, second = objects(await run("inbox", "--json", env=environment(filled)))
    assert first["unread_count"] == 3
    assert first["with"] == [{"type": "patient", "id": 5, "name": "Marie Dupont"}]
    assert (first["context_type"], first["context_id"]) == ("ordonnance", 15)
    assert first["last_message"]["content"] == "m3"
    assert (second["conversation_id"], second["last_message"]) == (2, None)


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("--filter", "unread"), ["1"]),
        (("--filter", "consultation"), ["2"]),
        (("--search", "DUPÔNT m3"), ["1"]),
        (("--search", "nobody"), []),
    ],
    ids=str,
)
async def test_inbox_filters_and_searches(filled: Scene, args: tuple[str, ...], found: list[str]) -> None:
    done = await run("inbox", *args, env=environment(filled))
    assert [line.split("\t")[0] for line in done.lines] == found
    assert done.code == ExitCode.OK
    assert done.err == ("" if found else "No conversation matches.\n")


# --- send ------------------------------------------------------------------------------------------------------------


async def test_send_prints_the_id_of_what_is_stored(scene: Scene) -> None:
    done = await run("send", "1", "Bonjour — ça va ?", env=environment(scene))
    (stored,) = scene.server.messages(1)
    assert (done.code, done.out, done.err) == (ExitCode.OK, f"{stored['id_message']}\n", "")
    assert stored["contenu"] == "Bonjour — ça va ?"


async def test_send_takes_the_text_from_standard_input_and_tells_as_json(scene: Scene) -> None:
    # Whatever the locale: what is piped is UTF-8.
    env = environment(scene, LC_ALL="POSIX", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    done = await run("send", "1", "-", "--json", env=env, stdin="deux\nlignes é\n")
    (stored,) = scene.server.messages(1)
    assert stored["contenu"] == "deux\nlignes é"
    (told,) = objects(done)
    assert (told["message_id"], told["conversation_id"], told["status"]) == (stored["id_message"], 1, "sent")
    assert told["timestamp"].endswith("Z")
    assert "contenu" not in told
    broken = await run("send", "1", "-", env=env, stdin=b"\xff\xfe\n")
    assert broken.code == ExitCode.USAGE
    assert "is not a text" in broken.error


async def test_send_tells_others_where_the_server_leaves_it_to_the_sender() -> None:
    async with Scene(broadcast_on_post=False) as scene:
        patient = await scene.client(PATIENT)
        await patient.join_all()
        async with running("tail", "--json", "--type", "message", env=environment(scene, PATIENT)) as tail:
            await scene.server.wait_until(lambda: len(scene.server.connections(PATIENT)) == 2, 30)
            await scene.server.wait_until(lambda: len(scene.server.rooms()["conversation:1"]) == 2, 30)
            assert (await run("send", "1", "Bonjour", env=environment(scene))).code == ExitCode.OK
            assert json.loads(await tail.line())["content"] == "Bonjour"
        relayed = [each for each in scene.server.events if each.event == "new_message"]
        assert len(relayed) == 1, "it was told by its sender, not read back"


async def test_send_ends_as_it_ended(scene: Scene) -> None:
    env = environment(scene)
    for args, code in (
        (("99", "x"), ExitCode.REFUSED),
        (("1", "  "), ExitCode.USAGE),
        (("1", "x", "--url", NOWHERE, "--timeout", "1"), ExitCode.UNREACHABLE),
        (("1", "x", "--url", "http://example.org"), ExitCode.USAGE),
        (("1", "x", "--store", "/"), ExitCode.STORE),
    ):
        done = await run("send", *args, env=env)
        assert (done.code, done.out) == (code, ""), done
        assert done.error
    assert not scene.server.messages(1)


async def test_send_says_what_is_uncertain() -> None:
    async with Scene(idempotency=False) as scene:
        scene.server.faults.drop_after_storing("send")
        scene.server.faults.garbage("messages", count=None)
        done = await run("send", "1", "x", "--timeout", "3", env=environment(scene))
        assert (done.code, done.out) == (ExitCode.UNCERTAIN, ""), done
        assert done.error
        assert len(scene.server.messages(1)) == 1


async def test_send_keeps_what_could_not_be_sent(tmp_path: Path) -> None:
    store = str(tmp_path / "doctor.db")
    server = MessagingServer(tmp_path / "server.db", secret="x" * 32)
    async with Scene(server=server) as scene:
        env = environment(scene)
        await server.stop()
        first = await run("send", "1", "first", "--store", store, "--timeout", "1", env=env)
        assert first.code == ExitCode.UNREACHABLE
        assert f"it is kept in {store}" in first.error
        await server.start()
        second = await run("send", "1", "second", "--store", store, env=env)
        assert (second.code, second.err) == (ExitCode.OK, "")
        assert [each["contenu"] for each in server.messages(1)] == ["first", "second"]
        # The file is of this user at this server.
        other = await run("send", "1", "third", "--store", store, env=environment(scene, PATIENT))
        assert other.code == ExitCode.USAGE
        assert other.error


# --- the server and the user -----------------------------------------------------------------------------------------


async def test_the_token_comes_from_a_file_from_standard_input_or_from_the_environment(
    scene: Scene, tmp_path: Path
) -> None:
    token = scene.server.token(*PATIENT)
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    env = environment(scene, None)
    for args, stdin in (
        (("--token-file", str(file)), ""),
        (("--token-file", "-"), f"{token}\n"),
        (("--token", token), ""),
    ):
        done = await run("token", "inspect", *args, env=env, stdin=stdin)
        assert done.lines[0].split() == ["user", "patient", "5"]
        assert (await run("inbox", *args, env=env, stdin=stdin)).code == ExitCode.OK
    doctor = environment(scene, DOCTOR)
    assert "medecin 79" in (await run("token", "inspect", env=doctor)).out
    assert "patient 5" in (await run("token", "inspect", "--token-file", str(file), env=doctor)).out


async def test_a_token_file_is_read_again_when_the_token_is_refused(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "token"
    old = scene.server.token(*DOCTOR)
    file.write_text(old)
    args = ("tail", "--json", "--type", "connection", "--token-file", str(file))
    async with running(*args, env=environment(scene, None)) as tail:
        await scene.server.wait_until(lambda: scene.server.members(1), 30)
        scene.server.revoke(old)
        file.write_text(scene.server.token(*DOCTOR))
        await scene.server.faults.cut(DOCTOR)
        assert json.loads(await tail.line(lambda line: '"connected"' in line.partition("previous")[0]))["attempt"] >= 1


async def test_without_a_usable_token_it_says_what_to_do(scene: Scene, tmp_path: Path) -> None:
    env = environment(scene, None)
    for args, stdin, code in (
        ((), "", ExitCode.AUTHENTICATION),
        (("--token", "abc"), "", ExitCode.AUTHENTICATION),
        (("--token-file", str(tmp_path / "none")), "", ExitCode.AUTHENTICATION),
        (("--token-file", "-"), "", ExitCode.AUTHENTICATION),
        (("--token", "a", "--token-file", "b"), "", ExitCode.USAGE),
        (("--token", MessagingServer(secret="x" * 32).token(*DOCTOR)), "", ExitCode.AUTHENTICATION),
    ):
        done = await run("tail", *args, env=env, stdin=stdin)
        assert (done.code, done.out) == (code, ""), done
        assert done.error
    both = await run("send", "1", "-", "--token-file", "-", env=env, stdin="x")
    assert both.code == ExitCode.USAGE


async def test_a_token_is_shown_nowhere(scene: Scene) -> None:
    token = scene.server.token(*DOCTOR)
    env = environment(scene, None)
    for args in (
        ("inbox", token),
        ("inbox", f"--tokn={token}"),
        ("inbox", "--filter", token),
        ("inbox", "--token", token, "--help"),
        ("inbox", "--url", f"http://{token}@localhost"),
        ("inbox", "--url", f"http://localhost:1/{token}", "--token", token),
        (token,),
        ("token", "mint", token),
        ("send", "1", "x", "--token-file", token),
        ("token", "inspect", "--token", token),
        ("diagnose", "--token", token, "--timeout", "5"),
    ):
        done = await run(*args, env=env | ({"MESSAGING_TOKEN": token} if "--help" in args else {}))
        for part in (token, token.split(".")[1], token.split(".")[2]):
            assert part not in done.out + done.err, args


# --- token -----------------------------------------------------------------------------------------------------------


async def test_a_token_is_made_for_the_embedded_server_and_looked_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 32)
    env = environment()
    made = await run("token", "mint", "medecin", "79", "--secret-file", str(secret), "--expires-in", "90", env=env)
    token = made.out.strip()
    claims = jwt.decode(token, "s" * 32, algorithms=["HS256"])
    assert (claims["id"], claims["role"]) == (79, "medecin")
    async with MessagingServer(secret="s" * 32) as server:
        asked = env | {"MESSAGING_URL": server.url, "MESSAGING_TOKEN": token}
        assert (await run("inbox", env=asked)).code == ExitCode.OK
    shown = await run("token", "inspect", env=env | {"MESSAGING_TOKEN": token})
    assert re.search(r"^user +medecin 79$", shown.out, re.MULTILINE)
    assert re.search(r"^expires +[\d: -]+ \(\d+ seconds left\)$", shown.out, re.MULTILINE)
    (told,) = objects(await run("token", "inspect", "--json", env=env | {"MESSAGING_TOKEN": token}))
    assert told["claims"] == claims
    assert told["user"] == {"type": "medecin", "id": 79}
    assert 0 < told["seconds_left"] <= 90
    assert token.split(".")[2] not in shown.out + json.dumps(told)


async def test_a_token_that_cannot_be_made_or_read(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("abc")
    env = environment()
    for file in (short, tmp_path / "none", tmp_path):
        done = await run("token", "mint", "patient", "5", "--secret-file", str(file), env=env)
        assert (done.code, done.out) == (ExitCode.USAGE, "")
        assert str(file) in done.error
    odd = await run("token", "inspect", "--token", "eyJhbGciOiJIUzI1NiJ9.W10.c2ln", env=env)
    assert odd.code == ExitCode.AUTHENTICATION
    assert odd.error
    past = MessagingServer(secret="x" * 32).token(*PATIENT, expires_in=-7230, note="\x1b[31m\n\u202e", exp2=10**30)
    shown = await run("token", "inspect", env=env | {"MESSAGING_TOKEN": past})
    assert re.search(r"^expires .* \(2 hours ago\)$", shown.out, re.MULTILINE)
    assert not [each for each in shown.out.replace("\n", "") if not each.isprintable()]


async def test_nothing_of_a_fault_of_ours_is_a_traceback(scene: Scene) -> None:
    env = environment(scene, PYTHONPATH=str(Path(__file__).parent / "broken"))
    done = await run("inbox", env=env)
    assert done.code == ExitCode.FAILED
    assert "RuntimeError" in done.error
    assert "secret" not in done.error


async def test_ctrl_c_says_that_a_message_may_be_there(scene: Scene) -> None:
    scene.server.faults.silence("send", after_storing=True)
    async with running("send", "1", "x", env=environment(scene)) as sending:
        await scene.server.wait_until(lambda: scene.server.messages(1), 30)
        done = await sending.end()
    assert done.code == ExitCode.INTERRUPTED
    assert done.out + done.err == "Interrupted: it may be on the server.\n"


async def test_serve_and_demo_say_what_is_wrong(scene: Scene, tmp_path: Path) -> None:
    port = scene.server.url.rpartition(":")[2]
    done = await run("serve", "--port", port, env=environment())
    assert (done.code, done.out) == (ExitCode.FAILED, "")
    assert f"cannot start: port {port} " in done.error
    assert "--port" in done.error
    short = tmp_path / "short"
    short.write_text("abc")
    for file, advice in ((tmp_path / "none", "cannot be read"), (tmp_path, "cannot be read"), (short, "/dev/urandom")):
        secret = await run("serve", "--secret-file", str(file), "--port", "0", env=environment())
        assert secret.code == ExitCode.FAILED
        assert str(file) in secret.error
        assert advice in secret.error


async def test_the_demonstration_ends_with_what_it_has_shown() -> None:
    done = await run("demo", env=environment())
    assert done.code == ExitCode.OK, done
    assert done.lines[-1].endswith("each side saw every message exactly once")
