# SPDX-License-Identifier: Apache-2.0
"""Errors that hlsc shows to its user."""

from __future__ import annotations

from hlsc.ir import Loc

__all__ = ["HlscError", "SourceError", "ToolError"]


class HlscError(Exception):
    """Base of every error that the user can cause; its text is one clear line or paragraph."""


class SourceError(HlscError):
    """Something in the user's C++ that hlsc refuses: where, what, and what to write instead."""

    def __init__(self, message: str, loc: Loc | None = None, remedy: str = "") -> None:
        self.loc, self.remedy = loc, remedy
        text = f"{loc}: {message}" if loc else message
        super().__init__(f"{text}; {remedy}" if remedy else text)


class ToolError(HlscError):
    """An external tool is missing or failed; carries what it printed."""
