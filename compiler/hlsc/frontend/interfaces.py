# SPDX-License-Identifier: Apache-2.0
"""INTERFACE pragmas and the register map of s_axilite.

The map is that of Vitis HLS (2020.1 and later), read off the `x<top>_hw.h` files that it writes:
arguments follow from 0x10 in the order of the declaration, the return value first.

- An input of n 32-bit words takes n words and a reserved one: 8 bytes up to 32 bits, 12 up to 64.
- An output has its n data words, then a control word (bit 0: ap_vld, cleared by reading), and takes
  twice that: 16 bytes up to 32 bits, 24 up to 64.  (Vivado HLS 2019.2 does not double.)
- The return value takes n words and a reserved one, without a control word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from hlsc.errors import SourceError
from hlsc.frontend.facts import Resolved
from hlsc.ir import Loc, Port
from hlsc.parts import Part

__all__ = ["MAX_WORD", "Argument", "Control", "build_ports", "register_bytes"]

MAX_WORD = 128  # bits of an array argument's elements

_REFUSED = {
    "m_axi": "m_axi is not supported yet: take an hls::stream (axis) and let a DMA move the data",
    "bram": "bram is not supported: write ap_memory",
    "ap_fifo": "ap_fifo is not supported: write axis",
    "ap_hs": "ap_hs is not supported: make the argument an hls::stream (axis)",
    "ap_ovld": "ap_ovld is not supported: split the argument into an input and an output",
    "ap_ack": "ap_ack is not supported: write ap_none or ap_vld",
    "ap_stable": "ap_stable is not needed: write ap_none; arguments are stable during a run",
    "ap_ctrl_chain": "ap_ctrl_chain is not supported: write ap_ctrl_hs",
}
_LEGAL = {
    "stream": ("axis",),
    "in": ("s_axilite", "ap_none"),
    "out": ("s_axilite", "ap_vld", "ap_none"),
    "array": ("ap_memory",),
    "cut": ("ap_memory", "ap_none", "ap_vld"),
}


@dataclass(frozen=True)
class Argument:
    """An argument of the top: `kind` stream, in (scalar by value), out (pointer), array, by position;
    -1 is the return value.  `extents` of an array, whose elements `read_only` says are const.  An array
    of streams is one argument per element, its `part`."""

    position: int
    name: str
    kind: str
    width: int
    signed: bool = False
    extents: tuple[int, ...] = ()
    read_only: bool = False
    part: Part | None = None

    @property
    def depth(self) -> int:
        """Elements of an array."""
        return prod(self.extents) if self.extents else 0

    @property
    def type(self) -> str:
        """LLVM's type of an array, with the elements' own widths."""
        head = "".join(f"[{n} x " for n in self.extents)
        return f"{head}i{self.width}" + "]" * len(self.extents)

    @property
    def source(self) -> str:
        """Its name in the C++ source."""
        return self.part.argument if self.part else self.name


@dataclass(frozen=True)
class Control:
    """Block-level protocol and the s_axilite bundle that carries it ("": wires)."""

    mode: str = "ap_ctrl_hs"
    bundle: str = ""


def register_bytes(width: int, direction: str, is_return: bool = False) -> int:
    """Bytes of address space that one register takes."""
    words = (width + 31) // 32
    size = 4 * words + 4
    return 2 * size if direction == "out" and not is_return else size


def build_ports(
    top: str,
    arguments: Sequence[Argument],
    pragmas: Sequence[Resolved],
    directions: Mapping[str, str],
    loc: Loc | None,
) -> tuple[tuple[Port, ...], Control]:
    """Ports in the order of the arguments.  `directions`: of each stream and array."""
    modes: dict[str, dict[str, Resolved]] = {}
    names = {a.source for a in arguments if a.position >= 0}
    for p in pragmas:
        port = p.pragma.options.get("port")
        if port is None:
            raise p.error("must say port=…")
        if port != "return" and port not in names:
            raise p.error(
                f"must name an argument of '{top}', not '{port}'",
                f"arguments are {', '.join(sorted(names)) or 'none'}",
            )
        mode = p.pragma.options.get("mode")
        if mode is None:
            raise p.error(f"must say the mode of '{port}'", "write e.g. INTERFACE axis port=…")
        if mode in _REFUSED:
            raise p.error(f"for '{port}': {_REFUSED[mode]}")
        family = "control" if mode.startswith("ap_ctrl") else "data"
        if family in modes.setdefault(port, {}):
            raise p.error(f"must give the mode of '{port}' once, not twice")
        modes[port][family] = p
    return _assign(top, arguments, modes, directions, loc)


def _control(modes: Mapping[str, Resolved]) -> Control:
    mode = "ap_ctrl_hs"
    bundle = ""
    if protocol := modes.get("control"):
        mode = protocol.pragma.options["mode"]
    if data := modes.get("data"):
        if data.pragma.options["mode"] != "s_axilite":
            raise data.error("of 'return' must be s_axilite, ap_ctrl_hs or ap_ctrl_none")
        if mode == "ap_ctrl_none":
            raise data.error("must not be s_axilite for 'return' together with ap_ctrl_none")
        bundle = data.pragma.options.get("bundle", "control")
    return Control(mode, bundle)


def _assign(
    top: str,
    arguments: Sequence[Argument],
    modes: Mapping[str, Mapping[str, Resolved]],
    directions: Mapping[str, str],
    loc: Loc | None,
) -> tuple[tuple[Port, ...], Control]:
    control = _control(modes.get("return", {}))
    ports: list[Port] = []
    following: dict[str, int] = {}
    taken: list[tuple[str, int, int, str]] = []
    for a in sorted(arguments, key=lambda a: a.position):
        is_return = a.position < 0
        mine = modes.get("return" if is_return else a.source, {})
        pragma = mine.get("data")
        if not is_return and (wrong := mine.get("control")):
            raise wrong.error(f"{wrong.pragma.options['mode']} must stand with port=return")
        kind = pragma.pragma.options["mode"] if pragma else _default(a, control)
        legal = _LEGAL["cut" if a.kind == "array" and a.part else a.kind]
        if kind not in legal:
            what = {
                "stream": "a stream",
                "in": "an input scalar",
                "out": "an output scalar",
                "array": "an array",
            }[a.kind]
            assert pragma is not None
            raise pragma.error(f"of '{a.source}' must be {' or '.join(legal)}: it is {what}")
        direction = a.kind if a.kind in ("in", "out") else directions.get(a.name, "")
        if not direction:
            raise SourceError(
                f"{a.kind} argument '{a.name}' of '{top}' must be read or written", loc, "delete it"
            )
        where = pragma.loc if pragma else loc
        options = pragma.pragma.options if pragma else {}
        if kind != "s_axilite":
            if pragma and ("bundle" in options or "offset" in options):
                raise pragma.error(f"must give bundle and offset with s_axilite only, not with {kind}")
            shape = (a.depth, a.part)
            ports.append(Port(a.name, kind, direction, a.width, None, "", a.signed, where, *shape))
            continue
        bundle = options.get("bundle", control.bundle or "control")
        size = register_bytes(a.width, direction, is_return)
        offset = following.get(bundle, 0x10)
        if pragma and "offset" in pragma.values:
            offset = pragma.values["offset"]
            if offset % 4 or offset < 0x10:
                raise pragma.error(f"must have an offset ≥ 16 and divisible by 4, not {offset}")
        for other, start, end, name in taken:
            if other == bundle and offset < end and start < offset + size:
                raise SourceError(
                    f"registers must not overlap: '{a.name}' and '{name}' at 0x{offset:x}", where
                )
        taken.append((bundle, offset, offset + size, a.name))
        following[bundle] = max(following.get(bundle, 0x10), offset + size)
        ports.append(Port(a.name, kind, direction, a.width, offset, bundle, a.signed, where))
    return tuple(ports), control


def _default(a: Argument, control: Control) -> str:
    """As Vitis: streams axis, arrays ap_memory, inputs ap_none, outputs ap_vld, the return value with
    its block."""
    if a.kind in ("stream", "array"):
        return "axis" if a.kind == "stream" else "ap_memory"
    if a.kind == "in":
        return "ap_none"
    return "s_axilite" if a.position < 0 and control.bundle else "ap_vld"
