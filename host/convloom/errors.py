# SPDX-License-Identifier: Apache-2.0
"""Errors that convloom shows to its user."""

from __future__ import annotations

__all__ = ["ConvloomError", "LayerError", "UnsupportedError"]


class ConvloomError(Exception):
    """Base of every error that the user can cause; its text is one clear line."""


class LayerError(ConvloomError):
    """A layer or tensor breaks the layer contract: `<subject> must <rule>, not <value>`."""


class UnsupportedError(ConvloomError):
    """A kernel, lowering or algorithm can not do a legal layer; says which attribute and what can."""
