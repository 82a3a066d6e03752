# SPDX-License-Identifier: Apache-2.0
"""vboard: a virtual PYNQ board around the Verilated accelerator, for unmodified pynq.

For Python programs and tests:

    with vboard.Board("gemm_systolic", board="pynq-z2", config="tiny") as board:
        environment = {**os.environ, **board.environment}  # before the client imports pynq
        subprocess.run([sys.executable, "client.py", board.bitstream], env=environment, timeout=60)
        board.counters()["run"]["cycles"]

`Board(kernel, board="pynq-z2", config="tiny", *, out=None, waveform=None, timeout=600.0)` builds
what is missing (RTL, model, overlay: all cached) and starts a server of its own on a private unix
socket, which dies with this process. `vboard.start(...)` is the same without `with`; end it with
`.stop()`.

    .address      value for PYNQ_REMOTE_DEVICES, "unix:/…" (pynq adds ":7967")
    .environment  {"PYNQ_REMOTE_DEVICES": …, "no_proxy": …} to add to the client's environment
    .bitstream    pathlib.Path of the .bit; the .hwh lies beside it
    .profile      vboard.Profile: part, clock_mhz, ddr_bytes_per_cycle, cma_bytes, addresses …
    .counters()   a dict, see below
    .alive        whether the server process runs
    .stop()       ends it; safe to call twice

Client programs that have no `Board` object (or no vboard) read the same counters as JSON from the
board's file `/proc/vboard/counters`: `json.loads(device.read_file("/proc/vboard/counters"))` with
pynq's RemoteDevice; the file does not exist on a real board. Counts are since programming (each
Overlay download resets the PL):

    {"kernel": "gemm_systolic", "config": "tiny", "board": "pynq-z2", "clock_mhz": 150.0, "digest": "…",
     "programmed": true,
     "cycle": 123,                       # clock cycles since programming
     "run": {"starts": 1,                # ap_start commands
             "started": 100,             # cycle of the last one, or null
             "cycles": 5000,             # from it to the last beat of the last receive; null: none yet
             "done": true,               # the kernel's ap_done has been seen since
             "beats": {"in0": 10, "in1": 20, "out": 30},           # since that ap_start was written
             "bytes_in": 240, "bytes_out": 240,                    # the same, in bytes
             # What the cycles of `cycles` were that moved no beat, by cause; null while `cycles` is:
             # beats and causes together are every cycle.
             "stalls": {"in0": {"kernel": 5, "latency": 5, "bandwidth": 5, "dma": 5, "idle": 5},
                        "in1": …, "out": …}},
     "streams": {"in0": {"beats": 10, "packets": 1,                # accepted beats; of them with TLAST
                         # Cycles without a beat since programming, by cause:
                         "kernel_stalls": 5,     # the kernel did not take an offered beat
                                                 # (out: it had nothing while a receive waited)
                         "latency_stalls": 5,    # a transfer waited for DDR to answer a burst
                                                 # (out: the DMA was full, and waited for that)
                         "bandwidth_stalls": 5,  # the same, and DDR was ready, but all ports together
                                                 # had taken what the profile's sum allows
                         "dma_stalls": 5,        # in a run the kernel waited for its next transfer
                         "idle_stalls": 5},      # nobody wanted to move anything
                 "in1": …, "out": …},
     "dma": {"axi_dma_0": {"mm2s": {"transfers": 1, "bytes": 80,   # completed
                                    "control": 1, "status": 2,     # the registers DMACR and DMASR
                                    "left": 0},                    # bytes of the present one to go
                           "s2mm": …},
             "axi_dma_1": {"mm2s": …}},
     "ddr": {"bytes_read": 160, "bytes_written": 80, "limit_stalls": 3},  # beats held back
     "cma": {"bytes": 134217728, "used": 4096, "buffers": 1},
     "faults": ["axi_dma_0 S2MM: …"]}    # what a real board would do silently, last 32, oldest first

How time passes: writing a register takes `access_cycles` clock cycles; reading one takes none, but
a read of a status register (DMASR, CTRL) that would say "still busy" first runs the design to its
next event (a transfer or the kernel ends or fails) or for about 0.1 s of this machine's time. So
figures do not depend on how often a host polls, and a client needs only poll as it would on a
board. Names: `axi_dma_0` carries in0 and out, `axi_dma_1` in1, `<top>_0` the kernel, `axi_gpio_led`
four LEDs. After an error or a run that was cut off, loading the overlay again resets the PL, as on
a board.

On the command line: `python -m vboard build KERNEL --board B --config C`, `python -m vboard serve
KERNEL …`.
"""

from __future__ import annotations

from vboard.artefacts import build_overlay
from vboard.client import Board, start
from vboard.errors import VboardError
from vboard.profile import Profile, load_profile, profile_names

__all__ = ["Board", "Profile", "VboardError", "build_overlay", "load_profile", "profile_names", "start"]
