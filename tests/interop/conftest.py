"""Everything here needs Node."""

from __future__ import annotations

import pytest

from tests.interop.node_process import why_no_node

pytest.register_assert_rewrite("tests.interop.core")


@pytest.fixture(autouse=True)
def node_is_there() -> None:
    if reason := why_no_node():
        pytest.skip(reason)
