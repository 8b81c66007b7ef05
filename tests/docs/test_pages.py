"""The pages hang together: links lead somewhere, tests that are named exist, and every public name is explained."""

from __future__ import annotations

import re
from pathlib import Path

import griffe
import pytest

import messaging_client
from messaging_client import ConversationSession, Inbox, errors, sync, testing
from tests.docs.pages import PAGES, ROOT

_TEST = re.compile(r"`(tests/\S+\.py)::(\w+)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_EXPLAINED = re.compile(r"^::: (\S+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("named", sorted(set(_TEST.findall((ROOT / "docs/guarantees.md").read_text()))))
def test_every_test_that_shows_a_guarantee_is_there(named: tuple[str, str]) -> None:
    file, test = named
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_page_can_be_found_in_the_navigation() -> None:
    settings = (ROOT / "mkdocs.yml").read_text()
    for page in ROOT.glob("docs/**/*.md"):
        assert f": {page.relative_to(ROOT / 'docs')}" in settings


@pytest.mark.parametrize("package", [messaging_client, sync, testing], ids=lambda package: package.__name__)
def test_every_public_name_stands_in_the_reference(package: object) -> None:
    explained = {name for page in ROOT.glob("docs/reference/*.md") for name in _EXPLAINED.findall(page.read_text())}
    short = {name.rpartition(".")[2] for name in explained}
    for name in package.__all__:  # type: ignore[attr-defined]
        home = getattr(getattr(package, name), "__module__", None)
        # `Id` is an alias, which does not say where it is from; it stands among the models.
        assert name in short or home in explained or name in ("Id", "__version__"), name


def test_every_error_is_among_the_symptoms_and_in_the_table() -> None:
    kinds = {name for name in vars(errors) if isinstance(vars(errors)[name], type)} & set(messaging_client.__all__)
    for page in ("docs/troubleshooting.md", "docs/how-to/errors.md"):
        text = (ROOT / page).read_text()
        missing = {name for name in kinds - {"MessagingError", "TransportError", "RequestError"} if name not in text}
        assert not missing, page


@pytest.mark.parametrize("kind", [messaging_client.MessagingClient, ConversationSession, Inbox])
def test_every_public_name_of_the_client_stands_beside_its_counterpart(kind: type) -> None:
    text = (ROOT / "docs/from-javascript.md").read_text()
    assert not [name for name in dir(kind) if not name.startswith("_") and name not in text]


def test_the_reference_explains_each_of_several_names() -> None:
    """Docstrings say `after, before: ...`, which griffe alone takes for one name."""
    extensions = griffe.load_extensions(str(ROOT / "tools/docs_names.py"))
    events = griffe.load("messaging_client.events", search_paths=[ROOT], extensions=extensions)
    docstring = events["GapDetected"].docstring
    (section,) = [each for each in docstring.parse("google") if each.kind is griffe.DocstringSectionKind.attributes]
    assert [attribute.name for attribute in section.value] == ["conversation_id", "after", "before"]
