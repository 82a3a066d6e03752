# SPDX-License-Identifier: Apache-2.0
"""What the driver's tests on the virtual board share."""

from __future__ import annotations

from typing import Any

import numpy as np
from driver_support import LAYER, reference, tensors

import vboard
from convloom.driver.counters import Counters
from convloom.lowering import lower


def start(kernel: str, profile: str = "pynq-z2", **options: Any) -> Any:
    """A board of this test. PYNQ_REMOTE_DEVICES stays unset: other tests here have boards too."""
    return vboard.start(kernel, board=profile, **options)


def load(board: Any, **options: Any) -> Any:
    """A ConvOverlay on this board, whatever other boards there are."""
    from pynq.pl_server.remote_device import RemoteDevice

    from convloom.driver import ConvOverlay

    options = {"limit": 1.0, **options}
    return ConvOverlay(board.bitstream, device=RemoteDevice(0, board.address), **options)


def check_next(overlay: Any) -> None:
    """Whatever went wrong has left no buffer behind but kept weights, and the next run works."""
    table = Counters(overlay.device).read()
    if table is not None:  # looked at first: a run after a failed one programs the PL, which frees all
        assert table["cma"]["buffers"] == len(overlay._memory._kept), "contiguous memory is leaked"
    check_run(overlay)


def check_run(overlay: Any) -> None:
    """A run works."""
    x, w, bias = tensors(LAYER, 7)
    assert np.array_equal(overlay.run(LAYER, x, w, bias), reference(LAYER, x, w, bias))


def make_job(overlay: Any) -> Any:
    return lower(LAYER, *tensors(LAYER), kernel=overlay.kernel, config=overlay.config)
