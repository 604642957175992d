"""What the proof raises."""

from __future__ import annotations


class VerifyError(Exception):
    """The result is not what the edits declare: the tool's own fault."""
