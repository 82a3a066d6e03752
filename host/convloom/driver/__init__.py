# SPDX-License-Identifier: Apache-2.0
"""Run lowered layers on a PYNQ board through pynq: in local mode, remotely, or on a virtual board.

    from convloom.driver import ConvOverlay

    with ConvOverlay("gemm_systolic.bit") as overlay:
        y = overlay.run(layer, x, w, bias)
        print(overlay.report)

This is the only part of convloom that imports pynq.  PYNQ_REMOTE_DEVICES, which selects a remote or
virtual board, must be set before this package (and so pynq) is imported.
"""

from __future__ import annotations

try:
    import pynq  # noqa: F401
except ImportError as error:
    from convloom.errors import ConvloomError

    raise ConvloomError(f"the driver needs pip install 'convloom[board]' ({error})") from None

from convloom.driver.diagnosis import Diagnosis
from convloom.driver.errors import BoardError, DriverError, HangError, KernelError, PreflightError
from convloom.driver.ip import ConvIP
from convloom.driver.overlay import ConvOverlay
from convloom.driver.report import RunReport

__all__ = [
    "BoardError",
    "ConvIP",
    "ConvOverlay",
    "Diagnosis",
    "DriverError",
    "HangError",
    "KernelError",
    "PreflightError",
    "RunReport",
]
