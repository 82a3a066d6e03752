# SPDX-License-Identifier: Apache-2.0
"""The two files of an overlay, looked at before pynq loads them: whether they belong together.

pynq finds a missing .hwh late and a wrong one never: it caches metadata by the hash of the .bit alone.
"""

from __future__ import annotations

import hashlib
import json
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convloom.driver.errors import PreflightError
from convloom.driver.ip import kernel_of
from convloom.kernels import KernelSpec, kernel_names

__all__ = ["OverlayFiles", "read_files"]

_NOTE_MARK = b"convloom "
"""Payloads of virtual overlays start with a line of text, then JSON."""

_REBUILD = "build both again, and copy them together"


@dataclass(frozen=True)
class OverlayFiles:
    """What the .bit and the .hwh say. kernel: instance name → contract, for every kernel of convloom.

    config: the kernel's configuration where a file names it. part: as the .bit has it, 7z020clg400.
    note: text payload of a virtual overlay.
    """

    bitstream: Path
    hwh: Path
    kernels: dict[str, KernelSpec]
    config: str | None
    part: str = ""
    note: dict[str, str] = field(default_factory=dict)


def _bit_fields(path: Path) -> tuple[dict[str, str], bytes]:
    """Header fields a to d of a .bit, and the start of its payload (read as in Vivado's files)."""
    data = path.read_bytes()
    try:
        (length,) = struct.unpack_from(">H", data, 0)
        at, fields = 2 + length + 2, {}
        while data[at] != ord("e"):
            (length,) = struct.unpack_from(">H", data, at + 1)
            fields[chr(data[at])] = data[at + 3 : at + 3 + length].rstrip(b"\0").decode("ascii")
            at += 3 + length
        (length,) = struct.unpack_from(">I", data, at + 1)
        payload = data[at + 5 :]
        if len(payload) != length or not length:
            raise ValueError
    except (struct.error, IndexError, ValueError, UnicodeDecodeError):
        raise PreflightError(
            f"bitstream {path} must be a whole .bit file, not {len(data):,} bytes of something else; "
            "copy it again in binary mode"
        ) from None
    return fields, payload[:65536]


def _note(payload: bytes) -> dict[str, str]:
    if not payload.startswith(_NOTE_MARK):
        return {}
    try:
        found = json.loads(payload.partition(b"\n")[2].decode())
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _check_pair(bit: Path, hwh: Path, fields: dict[str, str], note: dict[str, str], info: dict) -> None:
    """PreflightError where the two files contradict each other."""
    pair = f"{hwh.name} must be of the same build as {bit.name}"
    part = info.get("DEVICE", "") + info.get("PACKAGE", "")
    said = fields.get("b", "").replace("-", "")
    if part and said and not said.lower().startswith(part.lower()):
        raise PreflightError(f"{pair}: the part must be {fields['b']}, not {part}; {_REBUILD}")
    version = {p.partition("=")[0]: p.partition("=")[2] for p in fields.get("a", "").split(";")}
    if "Version" in version and info.get("VIVADOVERSION", version["Version"]) != version["Version"]:
        raise PreflightError(
            f"{pair}: Vivado must be {version['Version']}, not {info['VIVADOVERSION']}; {_REBUILD}"
        )
    if note:
        want, got = f"{note.get('kernel')}_{note.get('config')}", info.get("NAME")
        if want != got:
            raise PreflightError(f"{pair}: the design must be {want}, not {got}; {_REBUILD}")
        if note.get("board") != info.get("BOARD"):
            raise PreflightError(
                f"{pair}: the board must be {note.get('board')}, not {info.get('BOARD')}; {_REBUILD}"
            )
    if "hwh" in note:
        digest = hashlib.sha256(hwh.read_bytes()).hexdigest()
        if digest != note["hwh"]:
            raise PreflightError(
                f"{pair}: its SHA-256 must be {note['hwh'][:12]}…, not {digest[:12]}…; {_REBUILD}"
            )


def _config(names: Sequence[str | None], spec: KernelSpec) -> str | None:
    """The configuration that one of these names ends in, as `<kernel>_<config>`."""
    for name in names:
        for config in sorted(spec.configs, key=len, reverse=True):
            if name and (name == config or name.replace("-", "_").endswith(f"_{config}")):
                return config
    return None


def read_files(bitfile: str | Path) -> OverlayFiles:
    """Read both files of an overlay; PreflightError if one is missing, broken, or they do not match."""
    bit = Path(bitfile)
    if not bit.is_file():
        raise PreflightError(f"bitstream {bit} must exist; there is no such file")
    hwh = bit.with_suffix(".hwh")
    if not hwh.is_file():
        raise PreflightError(
            f"bitstream {bit} must have {hwh.name} beside it; copy the hardware handoff of the same "
            "build "
            "there, under the same stem"
        )
    fields, payload = _bit_fields(bit)
    try:
        root = ElementTree.parse(hwh).getroot()
    except ElementTree.ParseError as error:
        raise PreflightError(f"{hwh} must be XML: {error}; copy it again") from None
    system = root.find("SYSTEMINFO")
    info = dict(system.attrib) if system is not None else {}
    note = _note(payload)
    _check_pair(bit, hwh, fields, note, info)
    kernels: dict[str, KernelSpec] = {}
    others: list[str] = []
    for module in root.iter("MODULE"):
        spec = kernel_of(module.get("VLNV"))
        if spec is not None:
            kernels[module.get("FULLNAME", "").strip("/") or module.get("INSTANCE", "")] = spec
        elif module.get("VLNV"):
            others.append(module.get("INSTANCE", "?"))
    if not kernels:
        raise PreflightError(
            f"overlay {bit.name} must hold a kernel of convloom ({', '.join(kernel_names())}), "
            f"not only {', '.join(others) or 'nothing'}; load the overlay that was built for it"
        )
    spec = next(iter(kernels.values()))
    config = _config([note.get("config"), info.get("NAME"), bit.stem], spec)
    return OverlayFiles(bit, hwh, kernels, config, fields.get("b", ""), note)
