# SPDX-License-Identifier: Apache-2.0
"""One board behind its services: its parts, and what a request may do to them."""

from __future__ import annotations

import json
import threading
from collections import deque

from vboard.artefacts import read_binary
from vboard.errors import VboardError
from vboard.logic import Logic
from vboard.profile import IP_RANGE, Profile
from vboard.system import FIRMWARE, FPGA_MANAGER, Cma, Files, PsRegisters

__all__ = ["COUNTERS_FILE", "BoardState"]

COUNTERS_FILE = "/proc/vboard/counters"


class BoardState:
    """One board: programmable logic, processing system, and the lock around them."""

    def __init__(self, logic: Logic, profile: Profile, identity: dict[str, str]) -> None:
        self.logic, self.profile, self.identity = logic, profile, identity
        self.lock = threading.Lock()
        self.files = Files(profile)
        self.files.live[COUNTERS_FILE] = self._counters
        self.files.live["/proc/meminfo"] = self._meminfo
        self.cma = Cma(profile.cma_base, profile.cma_bytes)
        self.ps = PsRegisters(profile)
        self.programmed = False
        self.gpio: dict[str, int] = {}
        self._faults: deque[str] = deque(maxlen=32)

    def fault(self, text: str) -> None:
        self._faults.append(text[:500])

    def _counters(self) -> bytes:
        for line in self.logic.faults():
            self.fault(line)
        cma = {"bytes": self.cma.size, "used": self.cma.used, "buffers": len(self.cma)}
        data = {**self.identity, "clock_mhz": self.profile.clock_mhz, "programmed": self.programmed}
        data |= {**self.logic.counters(), "cma": cma, "faults": list(self._faults)}
        return json.dumps(data).encode()

    def _meminfo(self) -> bytes:
        """The lines of Linux's that tell of contiguous memory, in whole pages."""
        sizes = {"MemTotal": self.profile.ddr_bytes, "CmaTotal": self.cma.size}
        sizes["CmaFree"] = self.cma.size - self.cma.used
        return "".join(f"{name}: {n >> 10:8} kB\n" for name, n in sizes.items()).encode()

    # ------------------------------------------------------------------------------ programming

    def write_file(self, path: str, data: bytes) -> None:
        if path == FPGA_MANAGER + "firmware":
            self._program(data)
            return
        self.files.write(path, data)

    def _program(self, name: bytes) -> None:
        stem = name.decode(errors="replace").strip()
        path = Files.path(FIRMWARE + stem)
        data = self.files.read(path)
        # A file of the same name with other contents must be sent again.
        self.files.remove(path)
        self.cma.clear()
        self._buffers_changed()
        self.programmed = False
        self.files.write(FPGA_MANAGER + "state", b"write error\n")
        found = read_binary(data)
        if found != self.identity:
            wrong = next(
                k for k in ("kernel", "config", "board", "digest") if found[k] != self.identity[k]
            )
            raise VboardError(
                f"overlay must be for {wrong} {self.identity[wrong]}, not {found[wrong][:80]}: this "
                f"board simulates {self.identity['kernel']} {self.identity['config']}; start one for "
                "the overlay, or build it again"
            )
        self.logic.program()
        self._faults.clear()
        self.programmed = True
        self.files.write(FPGA_MANAGER + "state", b"operating\n")

    # --------------------------------------------------------------------------------- registers

    def check_range(self, base: int, length: int) -> None:
        if base % 4 or not 0 < length <= 1 << 20:
            raise VboardError(
                f"register range must start at a multiple of 4 and have 1 to {1 << 20} bytes, "
                f"not 0x{base:x} and {length}"
            )
        if self.ps.holds(base, length):
            return
        for start in self.profile.addresses.values():
            if start <= base and base + length <= start + IP_RANGE:
                return
        raise VboardError(
            f"register range must lie inside one IP of the overlay, not at 0x{base:x} with "
            f"{length} bytes; a real board would hang"
        )

    def _pl_register(self, address: int) -> bool:
        """Whether an address is the PL's; raises if nothing would answer there."""
        if self.ps.holds(address, 4):
            return False
        if not self.programmed:
            raise VboardError(
                f"PL must be programmed before address 0x{address:x} is used: load an overlay; "
                "a real board would hang"
            )
        kernel = self.profile.addresses["kernel"]
        if kernel <= address < kernel + IP_RANGE and address - kernel >= self.logic.register_bytes:
            raise VboardError(
                f"register offset must be below 0x{self.logic.register_bytes:x} in the kernel, "
                f"not 0x{address - kernel:x}; a real one would take another register"
            )
        return True

    def read_register(self, address: int) -> int:
        if self._pl_register(address):
            return self.logic.read(address)
        return self.ps.read(address)

    def write_register(self, address: int, value: int) -> None:
        if self._pl_register(address):
            self.logic.write(address, value)
        else:
            self.ps.write(address, value)

    # ----------------------------------------------------------------------------------- buffers

    def _buffers_changed(self) -> None:
        self.logic.set_buffers(self.cma.bounds())

    def allocate(self, size: int) -> str:
        name = self.cma.allocate(size)
        self._buffers_changed()
        return name

    def free(self, name: str) -> None:
        self.cma.free(name)
        self._buffers_changed()

    def memory(self, name: str, start: int, end: int) -> memoryview:
        """Bytes start to end of a buffer; 0 and 0 mean all of it."""
        address, size = self.cma.find(name)
        last = end or size
        if not 0 <= start <= last <= size:
            raise VboardError(f"range must lie inside the {size} bytes of {name}, not {start} to {end}")
        at = address - self.cma.base
        return memoryview(self.logic.memory)[at + start : at + last]
