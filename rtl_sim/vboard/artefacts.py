# SPDX-License-Identifier: Apache-2.0
"""Overlay files of the virtual board: a .bit and a .hwh of one stem, and what ties them together.

The .bit has the header of a real one; its payload is text that names kernel, configuration and
board, and the hash of .hwh and RTL: pynq tells overlays apart by the .bit alone, and the board by
it finds out whether the overlay is the one that it simulates.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

from convloom.kernels import load_kernel
from hlsc import toolchain
from vboard.errors import VboardError
from vboard.hwh import hwh_text
from vboard.library import design
from vboard.profile import Profile, load_profile

__all__ = ["Overlay", "build_overlay", "read_binary"]

_MAGIC = b"convloom virtual board overlay\n"


@dataclass(frozen=True)
class Overlay:
    """Paths of the two files, and the hash that the payload carries."""

    bitstream: Path
    hwh: Path
    digest: str


def build_overlay(kernel: str, board: str, config: str, out: Path | None = None) -> Overlay:
    """Write `<kernel>_<config>.bit` and `.hwh` into `out`, by default a directory of the build cache.

    Raises ConvloomError for unknown names, HlscError if the kernel can not be synthesised.
    """
    spec, profile = load_kernel(kernel), load_profile(board)
    spec.config(config)
    text = hwh_text(spec, config, profile)
    rtl = design(kernel, config).sv
    digest = toolchain.digest(text, rtl, profile.name)
    stem = f"{kernel}_{config}"
    payload = {"kernel": kernel, "config": config, "board": board, "digest": digest}
    payload["hwh"] = hashlib.sha256(text.encode()).hexdigest()  # for the driver, which has no RTL

    def write(directory: Path) -> None:
        (directory / f"{stem}.bit").write_bytes(_bit(stem, profile, payload))
        (directory / f"{stem}.hwh").write_text(text, encoding="utf-8")

    if out is None:
        directory = toolchain.cached("overlay", [digest, stem, Path(__file__)], write)
    else:
        directory = Path(out)
        directory.mkdir(parents=True, exist_ok=True)
        write(directory)
    return Overlay(directory / f"{stem}.bit", directory / f"{stem}.hwh", digest)


def _bit(stem: str, profile: Profile, payload: dict[str, str]) -> bytes:
    """A .bit file: fields a to d are text, e is the payload."""
    # As Vivado: of a 7-series part device and package in one word, of others the whole name.
    part = "".join(profile.part_words[:2]) if profile.is_zynq7000 else profile.part
    body = _MAGIC + json.dumps(payload, sort_keys=True).encode()
    body += b" " * (-len(body) % 4)
    header = struct.pack(">H", 9) + bytes.fromhex("0ff00ff00ff00ff000") + struct.pack(">H", 1)
    # The date is fixed: the same sources give the same file.
    fields = zip("abcd", (f"{stem};vboard", part, "2000/01/01", "00:00:00"), strict=True)
    for letter, text in fields:
        raw = text.encode("ascii") + b"\0"
        header += letter.encode() + struct.pack(">H", len(raw)) + raw
    return header + b"e" + struct.pack(">I", len(body)) + body


def read_binary(data: bytes) -> dict[str, str]:
    """What a .bin says: pynq makes it from the .bit by swapping the bytes of every 32-bit word.

    Raises VboardError if it is not a payload of ours.
    """
    for raw in (data, b"".join(data[i : i + 4][::-1] for i in range(0, min(len(data), 1 << 16), 4))):
        if raw.startswith(_MAGIC):
            try:
                payload = json.loads(raw[len(_MAGIC) :].decode())
            except (ValueError, RecursionError):
                break
            keys = ("kernel", "config", "board", "digest")
            if isinstance(payload, dict) and all(isinstance(payload.get(k), str) for k in keys):
                return {k: payload[k] for k in keys}
    raise VboardError(
        "bitstream must be one that `vboard build` wrote, not another; a virtual board can not run "
        "vendor bitstreams"
    )
