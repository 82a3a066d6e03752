# SPDX-License-Identifier: Apache-2.0
"""Contracts: consistent with themselves, with the C++ arguments and with the register rule of Vitis."""

from __future__ import annotations

import re

import pytest

from convloom.errors import ConvloomError
from convloom.kernels import kernel_names, load_kernel


@pytest.mark.parametrize("name", kernel_names())
def test_registers_follow_the_arguments_and_the_vitis_rule(name):
    spec = load_kernel(name)
    header = (spec.directory / f"{spec.top}.h").read_text()
    arguments = re.search(rf"{spec.top}\((.*?)\);", header, re.S).group(1)
    scalars = [a.split()[-1] for a in arguments.split(",") if "stream" not in a]
    assert scalars == [r.name for r in spec.registers]
    offset = 0x10
    for register in spec.registers:
        assert register.offset == offset, register.name
        offset += 8 if register.direction == "in" else 16
    signed = {a.split()[-1] for a in arguments.split(",") if re.search(r"\bap_int<", a)}
    assert signed == {r.name for r in spec.registers if r.signed}


def included_text(spec) -> str:
    """The sources and every header of ours that they include, each once."""
    found, left = {}, [p.name for p in spec.sources]
    while left:
        name = left.pop()
        path = next((d / name for d in spec.include_dirs if (d / name).is_file()), None)
        if path is not None and path not in found:
            found[path] = path.read_text()
            left += re.findall(r'#include "([^"]+)"', found[path])
    return "".join(found.values())


@pytest.mark.parametrize("name", kernel_names())
def test_hot_loops_are_labels_of_pipelined_loops(name):
    spec = load_kernel(name)
    text = included_text(spec)
    for label in spec.hot_loops:
        assert re.search(rf"\b{label}:\s+for [^\n]*\n\s*#pragma HLS PIPELINE II = 1", text), label
    assert len(spec.hot_loops) == text.count("#pragma HLS PIPELINE")


@pytest.mark.parametrize("name", kernel_names())
def test_configurations_have_the_same_sizes_and_status_codes_are_documented(name):
    spec = load_kernel(name)
    assert len({tuple(c) for c in spec.configs.values()}) == 1
    assert spec.status.keys() == spec.status_doc.keys()
    assert len(set(spec.status.values())) == len(spec.status)
    for path in (*spec.sources, spec.testbench):
        assert path.is_file()


def test_status_is_explained():
    spec = load_kernel("gemm_systolic")
    assert "row_tiles" in spec.explain_status(1)
    both = spec.explain_status(0x30)
    assert "in0" in both and "in1" in both
    assert "unknown" in spec.explain_status(0x0F)


def test_unknown_kernel_is_refused():
    with pytest.raises(ConvloomError, match=r"must be one of .*gemm_systolic.*, not 'gemm'"):
        load_kernel("gemm")
