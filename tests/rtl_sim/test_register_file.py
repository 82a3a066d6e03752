# SPDX-License-Identifier: Apache-2.0
"""Launches the bench of the AXI4-Lite register file; its text, its map, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.register_file import DESIGN, GOOD, write_sources
from bench.runner import simulate
from bench.verilate import Design, lint
from hlsc.backend import axilite
from hlsc.errors import HlscError
from hlsc.ir import Design as Kernel
from hlsc.ir import Port


def scalar(name: str, width: int, offset: int | None, direction: str = "in") -> Port:
    return Port(name, "s_axilite", direction, width, offset, "control")


def kernel(*ports: Port, control: str = "control") -> Kernel:
    return Kernel("k", ports, (), control_bundle=control)


def test_register_file_follows_its_model_and_mutants_do_not(tmp_path: Path, seed: int) -> None:
    design = Design(tuple(write_sources(tmp_path)), "registers_top")
    cases = simulate(design, "bench.register_file_bench", "register_file", seed=seed)
    assert set(cases) == {"register_file", "mutants"}


@pytest.mark.parametrize(
    "design",
    [
        DESIGN,
        kernel(),
        kernel(scalar("one", 1, 0x10), control=""),
        kernel(scalar("far", 32, 0x1000), scalar("near", 7, 0x14, "out")),
    ],
    ids=["every kind", "control only", "one scalar only", "wide map"],
)
def test_text_is_free_of_lint_and_always_the_same(design: Kernel, tmp_path: Path) -> None:
    text = axilite.generate(design)
    assert text == axilite.generate(design)
    path = tmp_path / f"{axilite.module_name(design)}.sv"
    path.write_text(text)
    lint(Design((path,), axilite.module_name(design)))


def test_map_is_that_of_vitis() -> None:
    offsets = {r.name: r.offset for r in axilite.registers(DESIGN)}
    assert [offsets[n] for n in ("CTRL", "GIER", "IER", "ISR")] == [0x00, 0x04, 0x08, 0x0C]
    # An output's control word stands behind its data, words of one scalar stand side by side.
    assert (offsets["status"], offsets["status_ctrl"]) == (0x30, 0x34)
    assert (offsets["big_0"], offsets["big_1"], offsets["big_ctrl"]) == (0x40, 0x44, 0x48)
    assert [offsets[f"wide_{i}"] for i in range(3)] == [0x20, 0x24, 0x28]
    assert GOOD not in offsets


@pytest.mark.parametrize(
    ("last", "bits"), [(0x10, 6), (0x3C, 6), (0x40, 7), (0x7C, 7), (0x80, 8), (0x1000, 13)]
)
def test_address_covers_the_map(last: int, bits: int) -> None:
    assert axilite.address_width(kernel(scalar("x", 32, last))) == bits
    if last > 0x10:  # the control word counts as well
        before = kernel(scalar("x", 32, last - 4, "out"))
        assert axilite.address_width(before) == bits


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (kernel(scalar("a", 8, 0x12)), "offset of a must be a multiple of 4 from 0x10, not 0x12"),
        (kernel(scalar("a", 8, 0x0C)), "offset of a must be a multiple of 4 from 0x10, not 0xc"),
        (kernel(scalar("a", 8, None)), "offset of a must be a multiple of 4 from 0x10, not none"),
        (kernel(scalar("a", 0, 0x10)), "width of a must be 1 bit or more, not 0"),
        (
            kernel(scalar("a", 64, 0x10), scalar("b", 8, 0x14)),
            "register b must have an offset of its own, not 0x14 of a_1; leave offsets out",
        ),
        (kernel(scalar("logic", 8, 0x10)), "name that .* leave free, not logic; rename it"),
        (kernel(scalar("Interrupt", 8, 0x10)), "name that .* leave free, not Interrupt; rename it"),
        (kernel(scalar("reg_x", 8, 0x10)), "not reg_x; rename it"),
        (
            kernel(scalar("a", 8, 0x10, "out"), scalar("a_ap_vld", 8, 0x20)),
            "not a_ap_vld; rename it",
        ),
        (
            kernel(scalar("a", 8, 0x10), replace(scalar("b", 8, 0x18), bundle="other")),
            "k must have one s_axilite bundle, not control, other; give every INTERFACE",
        ),
    ],
)
def test_collisions_are_refused(design: Kernel, message: str) -> None:
    with pytest.raises(HlscError, match=message):
        axilite.generate(design)
