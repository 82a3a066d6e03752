# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a lowered layer and a board."""

from __future__ import annotations

from convloom.errors import ConvloomError

__all__ = ["BoardError", "DriverError", "HangError", "KernelError", "PreflightError"]


class DriverError(ConvloomError):
    """Base of the driver's errors; its text may have several lines."""


class PreflightError(DriverError):
    """A run would fail, and nothing has been written to the board yet."""


class BoardError(DriverError):
    """The board, or pynq in between, did not do what was asked: connection lost, memory exhausted."""


class KernelError(DriverError):
    """The kernel ended a run with an error code, or sent something other than the layer's output."""


class HangError(DriverError):
    """Nothing moved for the time limit, or a DMA channel stopped on an error.

    `diagnosis` is a `convloom.driver.diagnosis.Diagnosis`.
    """

    def __init__(self, diagnosis: object) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis
