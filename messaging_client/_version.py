"""The version of the package: that of the tag that it was built from, or counted on from the tag before."""

from __future__ import annotations

try:
    # Written by the build and by every installation, also an editable one; see CONTRIBUTING.md.
    from messaging_client._built import version as __version__  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # a checkout that was never installed
    __version__ = "0.0"

__all__ = ["__version__"]
