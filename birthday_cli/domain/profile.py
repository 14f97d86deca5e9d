"""Kinds of invented users. Apart from them, so that the command line can name the kinds cheaply."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """Who is invented: all sorts, hard cases, or everybody on one morning."""

    MIXED = "mixed"
    EDGES = "edges"
    BURST = "burst"
