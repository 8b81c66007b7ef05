"""A hook of mkdocs: the start page is the README and the changelog CHANGELOG.md, with links as they are in `docs/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_FROM = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}


def on_page_read_source(page: Any, config: Any) -> str | None:
    """Give the text of a page that lives elsewhere; None leaves the page as it is."""
    if (source := _FROM.get(page.file.src_uri)) is None:
        return None
    return (_ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
