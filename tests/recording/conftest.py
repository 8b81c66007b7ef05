"""What tests of recordings have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from scenes import Scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as made:
        yield made
