# SPDX-License-Identifier: Apache-2.0
"""Errors that vboard shows to its user."""

from __future__ import annotations

from convloom.errors import ConvloomError

__all__ = ["VboardError"]


class VboardError(ConvloomError):
    """The virtual board can not do what was asked; one clear line."""
