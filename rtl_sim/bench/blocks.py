# SPDX-License-Identifier: Apache-2.0
"""hlsc's building blocks under test: which instances, which seeded mutants, and the module around them.

Many instances share one wrapper because a Verilator build costs seconds and an instance nothing.  A
mutant is a template with one piece of text replaced and the module renamed; its instance must be found
faulty by the same checker that passes the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hlsc.backend

__all__ = ["BLOCKS", "MUTANTS", "TEMPLATES", "Block", "Mutant", "mutate", "rom_word", "write_sources"]

TEMPLATES = Path(next(iter(hlsc.backend.__path__))) / "templates"


@dataclass(frozen=True)
class Mutant:
    """In the template of `module`, `old` becomes `new`."""

    module: str
    old: str
    new: str


@dataclass(frozen=True)
class Block:
    """One instance: `module` of the template of that name, its parameters, the mutant's name or ""."""

    name: str
    module: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    mutant: str = ""


_STREAM = (
    ("input", "1", "in_valid"),
    ("output", "1", "in_ready"),
    ("input", "WIDTH", "in_data"),
    ("output", "1", "out_valid"),
    ("input", "1", "out_ready"),
    ("output", "WIDTH", "out_data"),
)
_WRITE = (("input", "1", "we"), ("input", "AW", "waddr"), ("input", "WIDTH", "wdata"))
_READ = (("input", "AW", "raddr"), ("output", "WIDTH", "rdata"))
_ENABLE = ("input", "1", "re")
_PORTS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "hlsc_fifo": _STREAM,
    "hlsc_axis_slice": _STREAM,
    "hlsc_ram_1r1w": (_ENABLE, *_READ, *_WRITE),
    "hlsc_lutram_1r1w": (*_READ, *_WRITE),
    "hlsc_rom": (_ENABLE, *_READ),
    "hlsc_ram_2rw": tuple(
        (way, width, f"{name}_{port}")
        for port in "ab"
        for way, width, name in (
            ("input", "1", "en"),
            ("input", "1", "we"),
            ("input", "AW", "addr"),
            ("input", "WIDTH", "wdata"),
            ("output", "WIDTH", "rdata"),
        )
    ),
}

MUTANTS: Mapping[str, Mutant] = {
    "never_full": Mutant(
        "hlsc_fifo", "full        <= store_count_next == CW'(STORE);", "full <= 1'b0;"
    ),
    "one_short": Mutant("hlsc_fifo", "CW'(STORE);\n      end\n      if", "CW'(STORE - 1);\n end\n if"),
    "early_wrap": Mutant(
        "hlsc_fifo",
        "tail == AW'(STORE - 1) ? '0 : tail + 1'b1;\n        end",
        "tail == AW'(STORE - 2) ? '0 : tail + 1'b1;\n end",
    ),
    "shift_tap": Mutant(
        "hlsc_fifo", "AW'(store_push) - AW'(store_pop)", "AW'(store_push & ~store_pop)"
    ),
    "bypass_overtakes": Mutant("hlsc_fifo", "~to_out & ~ram_valid", "~to_out"),
    "ram_never_full": Mutant(
        "hlsc_fifo", "full      <= ram_count_next == CW'(STORE);", "full <= 1'b0;"
    ),
    "bubble": Mutant("hlsc_fifo", "next_take & ~to_out & ~ram_valid", "1'b0 & ram_valid"),
    "slice_drops": Mutant("hlsc_axis_slice", "spare_valid <= ~out_take &", "spare_valid <= 1'b0 &"),
    "slice_moves": Mutant("hlsc_axis_slice", "if (out_take) out_data", "out_data"),
    "slice_eager": Mutant("hlsc_axis_slice", "in_ready    <= 1'b0;", "in_ready <= 1'b1;"),
    "write_first": Mutant(
        "hlsc_ram_1r1w", "mem[raddr];", "(we && waddr == raddr) ? wdata : mem[raddr];"
    ),
    "no_hold": Mutant("hlsc_ram_1r1w", "if (re) rdata", "rdata"),
    "two_write_first": Mutant(
        "hlsc_ram_2rw",
        "rdata_b <= mem[addr_b];",
        "rdata_b <= (en_a & we_a & addr_a == addr_b) ? wdata_a : mem[addr_b];",
    ),
    "two_no_hold": Mutant(
        "hlsc_ram_2rw",
        "if (en_a) begin\n      rdata_a <= mem[addr_a];",
        "rdata_a <= mem[addr_a];\n if (en_a) begin",
    ),
    "lutram_through": Mutant(
        "hlsc_lutram_1r1w", "= mem[raddr];", "= (we && waddr == raddr) ? wdata : mem[raddr];"
    ),
    "rom_no_hold": Mutant("hlsc_rom", "if (re) rdata", "rdata"),
    "rom_offset": Mutant("hlsc_rom", "INIT[i*WIDTH+:WIDTH]", "INIT[(i^1)*WIDTH+:WIDTH]"),
}


def _blocks() -> list[Block]:
    found = []
    for width in (1, 8, 33, 64):
        for depth in (1, 2, 3, 16, 64, 100):
            found.append(
                Block(f"fifo_w{width}_d{depth}", "hlsc_fifo", {"WIDTH": width, "DEPTH": depth})
            )
    for style in (1, 2, 3):
        for depth in (4, 5, 33):
            parameters = {"WIDTH": 9, "DEPTH": depth, "STYLE": style}
            found.append(Block(f"fifo_s{style}_d{depth}", "hlsc_fifo", parameters))
    found += [Block(f"slice_w{w}", "hlsc_axis_slice", {"WIDTH": w}) for w in (1, 13, 73)]
    for width, depth in ((1, 1), (8, 16), (17, 100), (64, 33)):
        parameters = {"WIDTH": width, "DEPTH": depth, "AW": max(1, (depth - 1).bit_length())}
        for module in ("hlsc_ram_1r1w", "hlsc_lutram_1r1w", "hlsc_ram_2rw", "hlsc_rom"):
            found.append(Block(f"{module[5:]}_w{width}_d{depth}", module, parameters))
    small = {"WIDTH": 8, "DEPTH": 16, "AW": 4}
    styles = {"early_wrap": 2, "bypass_overtakes": 3, "ram_never_full": 3, "bubble": 3}
    for name, mutant in MUTANTS.items():
        parameters = small
        if mutant.module == "hlsc_fifo":
            parameters = {"WIDTH": 8, "DEPTH": 5, "STYLE": styles.get(name, 1)}
        elif mutant.module == "hlsc_axis_slice":
            parameters = {"WIDTH": 8}
        found.append(Block(f"mutant_{name}", mutant.module, parameters, name))
    return found


BLOCKS: Sequence[Block] = tuple(_blocks())


def rom_word(address: int, width: int) -> int:
    """Content of the ROMs under test: every bit differs somewhere between neighbours."""
    return (0x9E3779B97F4A7C15 * (address + 1) >> 7) % (1 << width)


def mutate(text: str, module: str, name: str, mutant: Mutant) -> str:
    """The template's text with the mutant in it, as module `<module>__<name>`."""
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"{name}: text of the mutant must occur once in {module}, not elsewhere or never"
        )
    text = text.replace(mutant.old, mutant.new)
    return re.sub(rf"\bmodule {module}\b", f"module {module}__{name}", text)


def write_sources(directory: Path, blocks: Sequence[Block] = BLOCKS) -> list[Path]:
    """Write `blocks_top.sv` and the mutants to `directory`; all files that the simulation needs."""
    directory.mkdir(parents=True, exist_ok=True)
    files = sorted(TEMPLATES.glob("*.sv"))
    for name, mutant in MUTANTS.items():
        path = directory / f"{mutant.module}__{name}.sv"
        text = (TEMPLATES / f"{mutant.module}.sv").read_text()
        path.write_text(mutate(text, mutant.module, name, mutant))
        files.append(path)
    top = directory / "blocks_top.sv"
    top.write_text(_wrapper(blocks))
    return [*files, top]


def _wrapper(blocks: Sequence[Block]) -> str:
    ports = ["input logic clk", "input logic rst"]
    body = []
    for b in blocks:
        parameters = [f".{k}({v})" for k, v in b.parameters.items()]
        if b.module == "hlsc_rom":
            width, depth = b.parameters["WIDTH"], b.parameters["DEPTH"]
            image = sum(rom_word(i, width) << i * width for i in range(depth))
            parameters.append(f".INIT({width * depth}'h{image:x})")
        pins = [".clk(clk)"]
        if _PORTS[b.module] is _STREAM:
            pins.append(".rst(rst)")
        for way, width_name, port in _PORTS[b.module]:
            width = b.parameters.get(width_name, 1)
            ports.append(f"{way} logic [{width - 1}:0] {b.name}_{port}")
            pins.append(f".{port}({b.name}_{port})")
        module = f"{b.module}__{b.mutant}" if b.mutant else b.module
        body.append(f"  {module} #({', '.join(parameters)}) {b.name} ({', '.join(pins)});")
    return "\n".join(
        ["module blocks_top (", "    " + ",\n    ".join(ports), ");", *body, "endmodule", ""]
    )
