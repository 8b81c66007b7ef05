"""Nothing secret is logged at any level: the logs of the whole run are watched. And which server a test runs on."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest
from canary import SecretWatch

from tests import servers
from tests.interop.node_process import end_shared_process, why_no_node

_watch = SecretWatch()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", default="1/1", help="2/3 runs the second of three parts, each of whole files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part, parts = map(int, config.getoption("part").split("/"))
    files = {path: number for number, path in enumerate(sorted({item.path for item in items}))}
    others = [item for item in items if files[item.path] % parts != part % parts]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if files[item.path] % parts == part % parts]


def pytest_configure(config: pytest.Config) -> None:
    # A job in the background of a shell is started with it ignored, and so is every program that it starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whatever is not logged at all cannot be seen to be harmless.
    logging.getLogger().setLevel(1)
    _watch.watch_all()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    servers.parametrize(metafunc)


@pytest.fixture(autouse=True)
def server_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Decide which server `servers.make_server` makes."""
    with servers.chosen(getattr(request, "param", "embedded")):
        yield


@pytest.fixture(autouse=True)
def nothing_secret_in_the_logs() -> Iterator[None]:
    """Fail a test during which a token or a canary was logged."""
    _watch.watch_all()
    before = len(_watch.leaks)
    yield
    leaks = _watch.leaks[before:]
    assert not leaks, f"a secret was logged: {leaks}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was logged between tests counts too."""
    _watch.watch_none()
    end_shared_process()
    if _watch.leaks and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for leak in _watch.leaks:
        terminalreporter.write_line(f"A secret was logged by {leak}", red=True)
    if reason := why_no_node():
        terminalreporter.write_line(reason, red=True)
