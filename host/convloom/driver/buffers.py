# SPDX-License-Identifier: Apache-2.0
"""Contiguous memory of the board: blocks of transfers, weights that stay, receive buffers."""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.driver.dma import Region
from convloom.driver.errors import BoardError, PreflightError
from convloom.driver.loading import call_status

__all__ = ["Block", "Memory", "block_bytes", "check_receive", "distinct"]

_ALIGN = 64
"""Transfers of a block start at a cache line, which is more than any DMA's data width."""

_MAX_BLOCK = 2**31 - 1
"""PYNQ.remote asks for sizes as int32."""

Beats = NDArray[np.uint64]


def distinct(transfers: Sequence[Beats]) -> list[Beats]:
    """The different arrays among a stream's transfers: one that is sent again is the same object."""
    return list({id(t): t for t in transfers}.values())


def _round_up(nbytes: int) -> int:
    return -(-nbytes // _ALIGN) * _ALIGN


def block_bytes(arrays: Sequence[Beats]) -> int:
    """Bytes of the block that holds these arrays."""
    return sum(_round_up(a.nbytes) for a in arrays)


class Block:
    """One allocated buffer that holds several transfers one after the other."""

    def __init__(self, buffer: Any, address: int) -> None:
        self.buffer, self.address = buffer, address
        self.nbytes = int(buffer.nbytes)

    def fill(self, arrays: Sequence[Beats]) -> dict[int, Region]:
        """Copy the arrays in and flush once; their regions by the arrays' id."""
        regions: dict[int, Region] = {}
        at = 0
        for array in arrays:
            self.buffer[at // 8 : at // 8 + array.size] = array
            regions[id(array)] = Region(self.buffer, self.address + at, array.nbytes)
            at += _round_up(array.nbytes)
        self.buffer.flush()
        return regions

    def regions(self, arrays: Sequence[Beats]) -> dict[int, Region]:
        """The regions of arrays that `fill` has put here before, in the same order."""
        found: dict[int, Region] = {}
        at = 0
        for array in arrays:
            found[id(array)] = Region(self.buffer, self.address + at, array.nbytes)
            at += _round_up(array.nbytes)
        return found

    def free(self) -> None:
        """Give the memory back. A board that has gone has freed it anyway."""
        buffer, self.buffer = self.buffer, None
        if buffer is not None:
            with contextlib.suppress(Exception):
                buffer.freebuffer()


class Memory:
    """Allocates on one device, and keeps packed weights by their content.

    keep_bytes: how much of the weights stays allocated between runs; the least recently used go first.
    """

    def __init__(self, device: Any, keep_bytes: int) -> None:
        self.device, self.keep_bytes = device, keep_bytes
        self._kept: OrderedDict[bytes, Block] = OrderedDict()
        self._used: bytes | None = None
        """Whose weights the present run sends: they must not make room for its other buffers."""

    @property
    def kept_bytes(self) -> int:
        """Bytes of the weights that stay allocated."""
        return sum(block.nbytes for block in self._kept.values())

    def allocate(self, nbytes: int, purpose: str) -> Block:
        """A block of at least `nbytes`; when memory is short, weights of other runs are given up.

        BoardError where that is not enough either.
        """
        if nbytes > _MAX_BLOCK:
            raise PreflightError(f"{purpose} must be at most {_MAX_BLOCK} bytes, not {nbytes}")
        first: Exception | None = None
        while True:
            try:
                return self._try(nbytes)
            except Exception as error:
                if call_status(error) in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                    raise  # no memory problem: the board is gone, or silent
                first = first or error
            if not self._drop_oldest():
                break
        reason = str(first).strip().splitlines()
        raise BoardError(
            f"{purpose} must fit the board's contiguous memory (CMA), which has no {nbytes:,} bytes "
            "left "
            f"({(reason or [type(first).__name__])[0][:120]}); free other buffers, split the batch, "
            "or give "
            "Linux more with cma= on its command line"
        ) from None

    def _try(self, nbytes: int) -> Block:
        # Through the device, as pynq.allocate(target=device) does.
        buffer = self.device.allocate(shape=(-(-max(nbytes, 8) // 8),), dtype=np.dtype("<u8"))
        try:
            # PYNQ.remote does not report a failed allocation before the buffer is used.
            address = int(buffer.physical_address)
            if address == 0:
                raise MemoryError("address 0")
        except Exception:
            with contextlib.suppress(Exception):
                buffer.freebuffer()
            raise
        return Block(buffer, address)

    def weights(self, arrays: Sequence[Beats]) -> tuple[dict[int, Region], bool, Block | None]:
        """Packed weights: (regions by id of the array, whether they were there, block to free)."""
        digest = hashlib.blake2b(digest_size=20)
        for array in arrays:
            digest.update(array.size.to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(array).data)
        key = digest.digest()
        self._used = key
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key].regions(arrays), True, None
        need = block_bytes(arrays)
        while self.kept_bytes + need > self.keep_bytes and self._drop_oldest():
            pass
        block = self.allocate(need, "packed weights")
        try:
            regions = block.fill(arrays)
        except BaseException:
            block.free()
            raise
        if need > self.keep_bytes:
            return regions, False, block
        self._kept[key] = block
        return regions, False, None

    def _drop_oldest(self) -> bool:
        """Give up the least recently used weights; False if there are none but those in use."""
        key = next((k for k in self._kept if k != self._used), None)
        if key is None:
            return False
        self._kept.pop(key).free()
        return True

    def clear(self) -> None:
        """Free the kept weights."""
        self._used = None
        while self._drop_oldest():
            pass


def check_receive(buffer: Any, nbytes: int, device: Any) -> None:
    """PreflightError unless `buffer` is a whole contiguous pynq buffer of `device` that holds `nbytes`.

    Views of pynq buffers are refused: remotely a view has the address of the buffer's start, so the DMA
    would write somewhere else than the host looks. So are buffers of another device: their address is
    that of something else here.
    """
    subject, remedy = "receive buffer", "; use pynq.allocate"
    if not isinstance(buffer, np.ndarray) or not hasattr(buffer, "physical_address"):
        raise PreflightError(f"{subject} must be a pynq buffer, not {type(buffer).__name__}{remedy}")
    if getattr(buffer, "freed", False):
        raise PreflightError(f"{subject} must be allocated, not freed already{remedy}")
    owner = getattr(buffer, "device", None)
    if owner is not None and owner is not device:
        raise PreflightError(
            f"{subject} must be of the board that runs the layer, not of another pynq device; "
            "use pynq.allocate with target=overlay.device"
        )
    base: Any = buffer.base
    if hasattr(base, "physical_address") or getattr(buffer, "offset", None):
        raise PreflightError(
            f"{subject} must be a whole buffer, not a view of one of {base.nbytes:,} bytes{remedy}"
        )
    if not buffer.flags.c_contiguous:
        raise PreflightError(f"{subject} must be C-contiguous, not of strides {buffer.strides}{remedy}")
    if buffer.nbytes < nbytes:
        raise PreflightError(
            f"{subject} must hold the layer's {nbytes:,} bytes, not {buffer.nbytes:,}; "
            f"the DMA would stop with DMAIntErr{remedy}"
        )
