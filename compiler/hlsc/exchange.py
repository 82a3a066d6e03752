# SPDX-License-Identifier: Apache-2.0
"""How simulation programs are asked: a file with the request, a file with the reply, bytes in both.

Integers are little-endian, a text is u32 length and characters.  What stands in request and reply is
described where the program is: csim_harness.h, rtlsim_harness.h, dataflow_run.cpp, cosim_record.h.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hlsc import toolchain

__all__ = ["Reader", "ask"]


class Reader:
    """Takes numbers, texts and bytes off the front; struct.error where the bytes are cut short."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes that are still there."""
        return len(self._data) - self._at

    def number(self, form: str) -> int:
        """An integer in the letters of `struct`: B, I or Q."""
        (value,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return int(value)

    def real(self) -> float:
        """A float64."""
        (value,) = struct.unpack("<d", self.take(8))
        return float(value)

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise struct.error(f"{size} bytes must be left, not {self.left}")
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self) -> str:
        return self.take(self.number("I")).decode(errors="replace")


def ask(
    program: Path,
    request: bytes,
    *,
    what: str,
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> tuple[bytes | None, toolchain.Output]:
    """The reply of `program REQUEST-FILE REPLY-FILE`, None if it failed, and how it ended.

    what: the run in words, for ToolError, which tells of a run longer than `timeout` seconds.
    """
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-", dir=shm) as work:
        asked, answer = Path(work, "request"), Path(work, "reply")
        asked.write_bytes(request)
        out = toolchain.run([program, asked, answer], what=what, timeout=timeout, env=env, check=False)
        good = out.code == 0 and answer.is_file()
        return answer.read_bytes() if good else None, out
