"""What several of these tests ask for."""

from __future__ import annotations

from tests.deploy.filesystems import loop
from tests.deploy.installation import board

__all__ = ["board", "loop"]
