# SPDX-License-Identifier: Apache-2.0
"""`ConvOverlay`: a pynq overlay that runs convolution layers."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pynq
from numpy.typing import NDArray

from convloom.driver.bitstream import OverlayFiles, read_files
from convloom.driver.buffers import Block, Memory, block_bytes, check_receive, distinct
from convloom.driver.counters import Counters, free_contiguous
from convloom.driver.deadline import ANSWER_SECONDS, open_device
from convloom.driver.dma import Channel, Region, find_channels
from convloom.driver.engine import Engine
from convloom.driver.errors import PreflightError
from convloom.driver.ip import ConvIP, offsets_of
from convloom.driver.loading import loading, programming, translated
from convloom.driver.preflight import check_job, check_seconds
from convloom.driver.report import RunReport, Stopwatch
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower

__all__ = ["ConvOverlay"]

log = logging.getLogger(__name__)

DEFAULT_LIMIT = 10.0
"""Seconds without progress after which a run counts as hung; a 64 MB transfer takes half of one."""

KEEP_BYTES = 32 << 20
"""Packed weights kept on the board by default; a PYNQ-Z2 image has 128 MB of contiguous memory."""


class ConvOverlay(pynq.Overlay):
    """An overlay with a kernel of convloom and its two DMAs.

    bitfile: path of the .bit, the .hwh beside it. device: a pynq device, by default the active one (the
    board this runs on, or the first of PYNQ_REMOTE_DEVICES). config: the kernel's configuration, where
    the files do not name it. limit: seconds without progress after which a run is given up.
    answer: seconds in which a remote board has to answer a call (six times that where data move).
    keep_bytes: packed weights that stay on the board between runs. trace: record the board's timeline.

    PreflightError, before the PL is touched, where the files or the overlay are not what this version
    of convloom drives. Use it in a `with`, or call `close()`.
    """

    def __init__(
        self,
        bitfile: str | Path,
        *,
        device: Any = None,
        config: str | None = None,
        download: bool = True,
        limit: float = DEFAULT_LIMIT,
        answer: float = ANSWER_SECONDS,
        keep_bytes: int = KEEP_BYTES,
        trace: bool = False,
    ) -> None:
        check_seconds("limit", limit)
        check_seconds("answer", answer)
        files = read_files(bitfile)
        with translated("opening the board"):
            device = open_device(device, answer)
        with translated("loading the overlay"), loading():
            super().__init__(str(files.bitstream.resolve()), download=False, device=device)
        self.files = files
        self.name, self.kernel = self._check()
        self.config: str = self._configuration(files, config)
        self.limit, self.trace = limit, trace
        self.report: RunReport | None = None
        """What the last run took; None before the first and after one that failed."""
        self._memory = Memory(self.device, keep_bytes)
        # Also when the program ends without close(): a remote board would keep the buffers.
        self._finalizer = weakref.finalize(self, self._memory.clear)
        self._channels: dict[str, Channel] = {}
        self._conv: ConvIP | None = None
        self._reload = False
        if download:
            self.download()

    # Loading ---------------------------------------------------------------------------------------
    def _check(self) -> tuple[str, KernelSpec]:
        """The kernel's instance name and contract; PreflightError if this overlay can not be driven."""
        where = f"overlay {self.files.bitstream.name}"
        if len(self.files.kernels) != 1:
            raise PreflightError(f"{where} must hold one kernel, not {', '.join(self.files.kernels)}")
        name, spec = next(iter(self.files.kernels.items()))
        for ip in (name, "axi_dma_0", "axi_dma_1"):
            if ip not in self.ip_dict:
                raise PreflightError(
                    f"{where} must hold {ip} on the processor's bus, not only "
                    f"{', '.join(self.ip_dict)}; "
                    "without a slave interface and an address range it is not in the .hwh"
                )
        offsets_of(spec, self.ip_dict[name].get("registers") or {}, where)
        return name, spec

    def _configuration(self, files: OverlayFiles, asked: str | None) -> str:
        if asked is not None:
            self.kernel.config(asked)
            if files.config not in (None, asked):
                raise PreflightError(
                    f"config of {files.bitstream.name} must be {files.config}, as its files say, not "
                    f"{asked}"
                )
            return asked
        if files.config is None:
            raise PreflightError(
                f"overlay {files.bitstream.name} must say which configuration of {self.kernel.name} "
                "it holds "
                f"({', '.join(self.kernel.configs)}), by its name or that of the block design; pass "
                "config="
            )
        return files.config

    def download(self, dtbo: str | None = None) -> None:
        """Program the PL. Buffers that this overlay holds are given up."""
        self._memory.clear()
        with translated("programming the PL"), programming(self.device):
            super().download(dtbo)
        self._conv, self._channels, self._reload = None, {}, False

    def _bind(self) -> tuple[ConvIP, dict[str, Channel]]:
        """The kernel's driver and the channels; made after programming, reset after a failed run."""
        if self._reload:
            log.info("programming the PL again: the last run on it failed")
            self.download()
        if not self.is_loaded():
            raise PreflightError(
                f"overlay {self.files.bitstream.name} must be loaded to run a layer, not "
                f"{self._loaded()}; "
                "call download()"
            )
        if self._conv is None:
            self._channels = find_channels(self, f"overlay {self.files.bitstream.name}")
            conv = getattr(self, self.name)
            if not isinstance(conv, ConvIP):
                raise PreflightError(f"{self.name} must be driven by ConvIP, not {type(conv).__name__}")
            conv.overlay = weakref.ref(self)
            for channel in self._channels.values():
                channel.restart()
            self._conv = conv
            self.counters = Counters(self.device)
        return self._conv, self._channels

    def _loaded(self) -> str:
        return Path(str(getattr(self.device, "bitfile_name", None) or "nothing")).name

    @property
    def conv(self) -> ConvIP:
        """The kernel: `overlay.conv.run(layer, x, w, bias)` is `overlay.run(...)`."""
        with translated("opening the kernel"):
            return self._bind()[0]

    @property
    def clock_mhz(self) -> float | None:
        """The PL clock: what the board models, or what pynq 4 finds in the .hwh."""
        return self._clock_mhz(self.counters.read() if self._conv is not None else None)

    def _clock_mhz(self, table: Mapping[str, Any] | None) -> float | None:
        if table is not None:
            return float(table["clock_mhz"])
        for clock in self.clock_dict.values():
            if clock.get("enable") and "frequency" in clock:
                return float(clock["frequency"])
        return None

    # Running ---------------------------------------------------------------------------------------
    def run(
        self,
        layer: ConvLayer,
        x: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any] | None = None,
        *,
        lowering: str | None = None,
        limit: float | None = None,
        receive: Any = None,
    ) -> NDArray[Any]:
        """The layer's output y (N, OH, OW, K), int32 or int8, to the bit what the reference gives.

        x: (N, H, W, C) int8 (uint8 where the layer says so); w: (K, R, S, C/groups) int8; bias (K,)
        int32. The whole batch is one start of the kernel. lowering: one of
        `convloom.lowering.lowerings_for`. receive: a pynq buffer for the raw output, to reuse one.
        Errors: LayerError and UnsupportedError for the layer, PreflightError before anything is
        written, HangError, KernelError and BoardError after; then the next run programs the PL anew.
        """
        watch = Stopwatch()
        with watch.time("lowering"):
            job = lower(layer, x, w, bias, kernel=self.kernel, config=self.config, lowering=lowering)
        return self.execute(job, limit=limit, receive=receive, watch=watch)

    def execute(
        self,
        job: Job,
        *,
        limit: float | None = None,
        receive: Any = None,
        watch: Stopwatch | None = None,
    ) -> NDArray[Any]:
        """`run` for a layer that is lowered already."""
        watch = watch or Stopwatch()
        limit = self.limit if limit is None else limit
        check_seconds("limit", limit)
        self.report = None
        with translated("running a layer"):
            conv, channels = self._bind()
            free = free_contiguous(self.device)
            if free is not None:
                free += self._memory.kept_bytes
            check_job(job, self.kernel, self.config, channels, free, own_output=receive is None)
            writes = conv.register_writes(job.registers)
            if receive is not None:
                check_receive(receive, job.bytes_out, self.device)
            with contextlib.ExitStack() as stack:
                with watch.time("transfer"):
                    regions, kept = self._place(job, stack)
                    out = self._receive(job, receive, stack)
                for stream, transfers in job.streams.items():
                    channels[stream].load([regions[id(t)] for t in transfers])
                channels["out"].load([out])
                engine = Engine(
                    conv,
                    channels,
                    self.counters,
                    limit,
                    trace=self.trace,
                )
                # From the first register on, a run that does not end leaves the PL in the middle.
                self._reload = True
                stack.callback(self._quieten)
                with watch.time("wait"):
                    conv.write_registers(writes)
                    engine.start()
                    engine.wait()
                self._reload = False
                with watch.time("lowering"):
                    beats = np.asarray(out.buffer).view(np.uint8).reshape(-1)[: job.bytes_out]
                    y = job.result([beats.view("<u8")])
                    y = np.array(y, copy=True) if np.may_share_memory(y, beats) else y
                    del beats
            self.report = self._make_report(job, watch, kept, engine)
        return y

    def _quieten(self) -> None:
        """After a run that failed: stop the DMAs before the memory they work on is freed."""
        if self._reload:
            for channel in self._channels.values():
                with contextlib.suppress(Exception):
                    channel.abort()

    def _place(self, job: Job, stack: contextlib.ExitStack) -> tuple[dict[int, Region], bool]:
        """Every transfer's region, by the id of its array; whether the weights were there already."""
        weights = distinct(list(job.streams["in1"]))
        regions, kept, block = self._memory.weights(weights)
        if block is not None:
            stack.callback(block.free)
        for stream, transfers in job.streams.items():
            if stream == "in1":
                continue
            arrays = distinct(list(transfers))
            block = self._scratch(arrays, f"the {stream} of layer {job.layer.name}", stack)
            regions.update(block.fill(arrays))
        return regions, kept

    def _scratch(
        self, arrays: Sequence[NDArray[Any]], purpose: str, stack: contextlib.ExitStack
    ) -> Block:
        block = self._memory.allocate(block_bytes(arrays), purpose)
        stack.callback(block.free)
        return block

    def _receive(self, job: Job, receive: Any, stack: contextlib.ExitStack) -> Region:
        if receive is not None:
            return Region(receive, int(receive.physical_address), job.bytes_out)
        block = self._memory.allocate(job.bytes_out, f"the output of layer {job.layer.name}")
        stack.callback(block.free)
        return Region(block.buffer, block.address, job.bytes_out)

    def _make_report(self, job: Job, watch: Stopwatch, kept: bool, engine: Engine) -> RunReport:
        table = self.counters.read()
        return RunReport(
            kernel=self.kernel.name,
            config=self.config,
            lowering=job.lowering,
            layer=job.layer.name,
            bytes_in=job.bytes_in,
            bytes_out=job.bytes_out,
            transfers={**{s: len(t) for s, t in job.streams.items()}, "out": 1},
            weights_kept=kept,
            seconds=dict(watch.seconds),
            clock_mhz=self._clock_mhz(table),
            cycles=None if table is None else table["run"]["cycles"],
            stalls=None if table is None else table["run"]["stalls"],
            macs=job.layer.macs,
            host=tuple(watch.events),
            board=tuple(engine.events),
        )

    # Ending ----------------------------------------------------------------------------------------
    def close(self) -> None:
        """Free the board's memory; does nothing the second time. The PL stays programmed."""
        self._memory.clear()

    def __enter__(self) -> ConvOverlay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
