"""Hypothesis for these tests: how long an example takes says nothing of the codec, and machines are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
