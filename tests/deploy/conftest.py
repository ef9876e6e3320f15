"""What several of these tests ask for."""

from __future__ import annotations

from tests.deploy.filesystems import loop

__all__ = ["loop"]
