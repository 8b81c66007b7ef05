"""A scene, and an interface in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.scenes import Scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A server with a patient and a doctor."""
    async with Scene() as made:
        yield made
