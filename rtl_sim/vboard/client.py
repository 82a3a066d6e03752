# SPDX-License-Identifier: Apache-2.0
"""A private virtual board for a Python program: builds, starts and ends a server process."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from vboard.artefacts import build_overlay
from vboard.errors import VboardError
from vboard.library import build_library, design
from vboard.profile import Profile, load_profile
from vboard.protocol import messages
from vboard.state import COUNTERS_FILE

__all__ = ["PORT", "Board", "start"]

PORT = 7967
"""What pynq appends to an address, also to that of a unix socket."""

_START_SECONDS = 60.0


class Board:
    """A virtual board of this process: see the package's docstring.

    kernel: name of a kernel in `hls/`; board: a profile; config: one of the kernel's configurations.
    out: directory for the overlay (default: the build cache). waveform: (file, first, last cycle)
    of an FST recording, counted from programming. timeout: seconds that an answer of the server may
    take. Raises VboardError, and hlsc.errors.HlscError if a tool is missing or fails.
    """

    def __init__(
        self,
        kernel: str,
        board: str = "pynq-z2",
        config: str = "tiny",
        *,
        out: Path | None = None,
        waveform: tuple[Path, int, int] | None = None,
        timeout: float = 600.0,
    ) -> None:
        self.profile: Profile = load_profile(board)
        self.kernel, self.config, self.timeout = kernel, config, timeout
        overlay = build_overlay(kernel, board, config, out=out)
        library = build_library(design(kernel, config), trace=waveform is not None)
        self.bitstream: Path = overlay.bitstream
        self._prebuilt = [str(library), str(overlay.bitstream), overlay.digest]
        self._directory: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._channel: Any = None
        self._waveform = waveform
        self.address = ""

    # ------------------------------------------------------------------------------- the process

    def start(self) -> Board:
        """Start the server and wait until it answers."""
        if self._process is not None:
            raise VboardError("a board must be started once, not again; make another Board")
        # sockaddr_un holds 107 bytes: a deep TMPDIR would not fit.
        root = tempfile.gettempdir()
        self._directory = tempfile.mkdtemp(prefix="vboard-", dir=root if len(root) < 60 else "/tmp")
        self.address = f"unix:{self._directory}/vb"
        argv = [sys.executable, "-m", "vboard", "serve", self.kernel, "--board", self.profile.name]
        argv += ["--config", self.config, "--address", f"{self.address}:{PORT}", "--with-parent"]
        argv += ["--prebuilt", *self._prebuilt]
        if self._waveform:
            file, first, last = self._waveform
            argv += ["--waveform", str(Path(file).absolute()), "--window", str(first), str(last)]
        errors = Path(self._directory, "log")
        try:
            with errors.open("w") as log:
                # The pipe to its standard input is what tells the server that this process is gone.
                self._process = subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
                )
            self._await_ready()
        except BaseException as error:
            text = errors.read_text(errors="replace").strip() if errors.is_file() else ""
            self.stop()
            if isinstance(error, VboardError) and text:
                raise VboardError(f"{error}: {text}") from None
            raise
        return self

    def _await_ready(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        limit = min(self.timeout, _START_SECONDS)
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not selector.select(max(0.0, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    raise VboardError(f"the virtual board must be ready within {limit:g} s; ended")
        if not self._process.stdout.readline().startswith("ready"):
            raise VboardError("the virtual board must start, but its server ended")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the server's process, for tests that end it in mid-transfer."""
        if self._process is None:
            raise VboardError("a board must be started before it has a process")
        return self._process.pid

    def stop(self) -> None:
        """End the server and remove its socket; does nothing the second time."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()  # asks it to end
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
            if self._process.stdout is not None:
                self._process.stdout.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Board:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.stop()

    # ----------------------------------------------------------------------------------- asking

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment needs before it imports pynq."""
        proxies = os.environ.get("no_proxy", "")
        local = "localhost,127.0.0.1"
        return {
            "PYNQ_REMOTE_DEVICES": self.address,
            "no_proxy": f"{proxies},{local}" if proxies else local,
        }

    def read_file(self, path: str) -> bytes:
        """A file of the board."""
        import grpc  # type: ignore[import-untyped]

        if not self.alive:
            raise VboardError("the virtual board must be running to be asked; start it")
        if self._channel is None:
            self._channel = grpc.insecure_channel(f"{self.address}:{PORT}")
        proto = messages("remote_device")
        call = self._channel.unary_stream(
            "/remote_device.RemoteDevice/readfile",
            proto.ReadFileRequest.SerializeToString,
            proto.ReadFileResponse.FromString,
        )
        try:
            parts = call(
                proto.ReadFileRequest(file_path=path), timeout=self.timeout, wait_for_ready=True
            )
            return b"".join(part.data for part in parts)
        except grpc.RpcError as error:
            raise VboardError(f"the virtual board did not answer: {error.details()}") from None

    def counters(self) -> dict[str, Any]:
        """Cycles, beats, stalls, DMA state and faults: see the package's docstring."""
        return json.loads(self.read_file(COUNTERS_FILE))


def start(kernel: str, board: str = "pynq-z2", config: str = "tiny", **options: Any) -> Board:
    """`Board(kernel, board, config, …)`, started; the caller ends it with `.stop()`."""
    return Board(kernel, board, config, **options).start()
