# SPDX-License-Identifier: Apache-2.0
"""RTL simulation of hand-written designs: every check shown to fail on a design with that defect."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from hlsc.csim import Kernel, as_signed
from hlsc.csim_wire import compare
from hlsc.errors import HlscError, ToolError
from hlsc.ir import Channel, Design, Port
from hlsc.rtlsim import STALLS, RtlError, RtlKernel
from hlsc.synth import synthesize

SOURCES = Path(__file__).parent / "rtlsim"
AXIS64 = (("data", 64), ("keep", 8), ("strb", 8), ("user", 1), ("last", 1), ("id", 1), ("dest", 1))
DEFECTS = {
    name: i
    for i, name in enumerate(
        "none no_last keep leaves_input reads_more state drops changes never_done needs_keep "
        "uninitialised asserts".split()
    )
}


def scalar(name: str, offset: int, width: int, direction: str = "in", signed: bool = False) -> Port:
    return Port(name, "s_axilite", direction, width, offset, "control", signed)


SCALE_ADD = Design(
    top="scale_add",
    ports=(
        Port("in0", "axis", "in", 84),
        Port("out", "axis", "out", 84),
        scalar("beats", 0x10, 32),
        scalar("addend", 0x18, 12, signed=True),
        scalar("defect", 0x20, 4),
        scalar("status", 0x28, 32, "out", signed=True),
        scalar("count", 0x30, 16, "out"),
    ),
    processes=(),
    channels=(Channel("in0", 84, fields=AXIS64), Channel("out", 84, fields=AXIS64)),
    control_bundle="control",
)
WIRES = Design(
    top="wires",
    ports=(
        Port("bytes_in", "axis", "in", 129),
        Port("sums__out", "axis", "out", 9),
        Port("offset", "ap_none", "in", 100),
        Port("beats", "ap_vld", "in", 3),
        Port("total", "ap_vld", "out", 100),
    ),
    processes=(),
    channels=(
        Channel("bytes_in", 129, fields=(("data", 128), ("last", 1))),
        Channel("sums__out", 9),
    ),
)
FIRST = np.arange(5, dtype=np.uint64)
SECOND = np.array([2**64 - 1, 7, 0], np.uint64)


@functools.cache
def scale_add() -> RtlKernel:
    return RtlKernel([SOURCES / "scale_add.sv"], "scale_add", SCALE_ADD)


def run(defect: str = "none", **options: object):
    scalars = {"beats": 8, "addend": -3, "defect": DEFECTS[defect]}
    options = {"max_idle_cycles": 500, **options}
    return scale_add().run({"in0": [FIRST, SECOND]}, scalars, **options)


@pytest.mark.parametrize("outputs", STALLS)
@pytest.mark.parametrize("inputs", STALLS)
def test_streams_and_scalars_under_stalls(inputs: str, outputs: str) -> None:
    result = run(stall=(inputs, outputs), seed=5)
    first, second = result.streams["out"]
    np.testing.assert_array_equal(first, FIRST - np.uint64(3))
    np.testing.assert_array_equal(second, SECOND - np.uint64(3))
    assert result.scalars == {"status": -8, "count": 8}
    assert result.beats == {"in0": 8, "out": 8}
    assert result.cycles is not None and result.cycles_done is not None
    if inputs == outputs == "none":
        assert result.cycles == 9  # start, then a beat in each cycle, one register behind the input
    else:
        assert result.cycles > 9
    assert result.cycles < result.cycles_done


def test_a_seed_gives_the_same_run_again() -> None:
    one, two, other = (run(stall="random", seed=s).cycles for s in (1, 1, 2))
    assert one == two
    assert other != one


@pytest.mark.parametrize(
    "defect, complaint",
    [
        ("no_last", r"last beat of stream out must carry TLAST, but 3 beats dangle .* last of 1 TLAST"),
        ("keep", r"TKEEP of stream out must be all ones, but is not in 1 of 8 beats, first in beat 2"),
        ("leaves_input", r"input stream in0 must be read to its end, but 3 of 8 beats are left"),
        (
            "state",
            r"answer alike: beat 0 of transfer 0 of stream out is 0xf+d in the first call and 0xf+e",
        ),
        ("drops", r"out must keep TVALID and TDATA until TREADY, but TVALID fell before beat \d"),
        ("changes", r"out must keep TVALID and TDATA until TREADY, but TDATA changed before beat \d"),
        ("asserts", r"(?s)must run to its end.*beat three is one too many"),
    ],
)
def test_defect_is_caught(defect: str, complaint: str) -> None:
    with pytest.raises(RtlError, match=complaint):
        run(defect, stall="random", seed=3)


def test_a_hang_says_who_waits() -> None:
    with pytest.raises(RtlError) as error:
        run("reads_more", expected={"out": 9})
    lines = str(error.value).splitlines()
    assert "must make progress, but nothing moved for 500 cycles" in lines[0]
    assert lines[1:] == [
        "  in0: 8 of 8 beats sent, TVALID=0 TREADY=1: the kernel would take more",
        "  out: 8 of 9 beats received, TVALID=0 TREADY=1: the kernel sends nothing",
        "  ap_ctrl: start=1 done=0 idle=0 ready=0",
    ]
    with pytest.raises(RtlError, match=r"out: 8 beats received, TVALID=0 TREADY=1\n"):
        run("never_done")
    with pytest.raises(RtlError, match=r"in0: 0 of 0 beats sent, TVALID=0 TREADY=1: .* take more"):
        scale_add().run({}, {"beats": 1, "addend": 0, "defect": 0}, max_idle_cycles=100)


def test_the_idle_limit_restarts_on_progress() -> None:
    beats = np.arange(4000, dtype=np.uint64)
    scalars = {"beats": 4000, "addend": 0, "defect": 0}
    result = scale_add().run({"in0": [beats]}, scalars, max_idle_cycles=60, stall="random")
    np.testing.assert_array_equal(result.streams["out"][0], beats)
    assert result.cycles is not None and result.cycles > 4000


def test_registers_start_with_random_values() -> None:
    seen = {int(run("uninitialised", seed=s).streams["out"][0][0]) for s in range(4)}
    assert len(seen) > 1


def test_wires_and_wide_words() -> None:
    kernel = RtlKernel([SOURCES / "wires.sv"], "wires", WIRES)
    data = np.random.default_rng(2).integers(0, 256, (6, 16), np.uint8)
    big = (1 << 100) - 5
    for stall in STALLS:
        streams = {"bytes_in": [data[:2], data[2:]]}
        result = kernel.run(streams, {"offset": big, "beats": 6}, stall=stall, max_idle_cycles=200)
        sums = data.sum(axis=1, dtype=np.int64) % 512
        np.testing.assert_array_equal(result.streams["sums__out"][0], sums)
        assert result.scalars == {"total": (big + int(sums.sum())) % (1 << 100)}
    with pytest.raises(RtlError, match=r"ap_start=1 ap_done=0 ap_idle=0"):
        kernel.run({"bytes_in": [data]}, {"offset": 0, "beats": 7}, max_idle_cycles=200)


def test_wrong_arguments_are_refused() -> None:
    good = {"beats": 8, "addend": 0, "defect": 0}
    kernel = scale_add()
    for streams, scalars, options, complaint in [
        ({"in1": []}, good, {}, "scale_add must have an argument in1; it has in0, out"),
        ({"out": [FIRST]}, good, {}, "argument out must not be given: it is an output"),
        ({}, {"beats": 8}, {}, "argument addend must be given"),
        ({}, {**good, "addend": 2048}, {}, r"addend must be in -2048\.\.2047"),
        ({}, {**good, "status": 1}, {}, "argument status must not be given: it is an output"),
        ({}, good, {"expected": {"in0": 3}}, "argument in0 must be an output to be expected"),
        ({}, good, {"stall": "often"}, "stall must be one of none, periodic, random, not often"),
        ({}, good, {"arrays": {"x": FIRST}}, "must have an argument x"),
    ]:
        with pytest.raises(RtlError, match=complaint):
            kernel.run(streams, scalars, **options)


def test_a_report_describes_the_ports_as_well(tmp_path: Path) -> None:
    sides = {f"T{name.upper()}": width for name, width in AXIS64}
    ports = [
        dict(name=p.name, kind=p.kind, direction=p.direction, width=p.width, offset=p.offset)
        | (dict(signals=sides) if p.kind == "axis" else dict(signed=p.signed))
        for p in SCALE_ADD.ports
    ]
    control = dict(protocol="ap_ctrl_hs", bundle="control")
    report = tmp_path / "report.json"
    report.write_text(json.dumps(dict(ports=ports, control=control)))
    kernel = RtlKernel([SOURCES / "scale_add.sv"], "scale_add", report)
    assert kernel.parameters == scale_add().parameters


def test_wrong_designs_are_refused(tmp_path: Path) -> None:
    source = SOURCES / "wires.sv"
    with pytest.raises(HlscError, match="module wires must have a port s_axi_control_AWADDR"):
        RtlKernel([source], "wires", SCALE_ADD)
    fewer = Design("wires", WIRES.ports[1:], (), WIRES.channels)
    with pytest.raises(HlscError, match="must belong to its description, not bytes_in_TDATA"):
        RtlKernel([source], "wires", fewer)
    with pytest.raises(HlscError, match="must be a file, not"):
        RtlKernel([tmp_path / "none.sv"], "wires", WIRES)
    bad = tmp_path / "bad.sv"
    bad.write_text("module bad (input logic ap_clk);\n  assign nothing = ;\nendmodule\n")
    with pytest.raises(ToolError, match=r"(?s)translating bad: verilator_bin failed.*bad\.sv:2"):
        RtlKernel([bad], "bad", WIRES)


def test_what_hlsc_makes_answers_like_c_simulation(tmp_path: Path) -> None:
    source = SOURCES / "clamp.cpp"
    result = synthesize([source], "clamp", out_dir=tmp_path)
    rng = np.random.default_rng(11)
    values = [rng.integers(-1024, 1024, n) for n in (30, 1, 9)]
    scalars = {"count": 40, "low": -100, "start": (1 << 40) - 500}
    native = Kernel([source], "clamp").run({"values": values}, scalars)
    joined = np.concatenate(values)
    clamped = as_signed(native.streams["clamped"][0], 11)
    np.testing.assert_array_equal(clamped, np.maximum(joined, -100))
    assert native.scalars["return"] == int((joined < -100).sum())
    assert result.report_path is not None
    for design in (result.design, result.report_path):
        rtl = RtlKernel([result.sv_path], "clamp", design)
        for stall in STALLS:
            run = rtl.run({"values": values}, scalars, stall=stall, max_idle_cycles=1000)
            compare("clamp", native, run, "C-simulation", f"RTL, stall {stall}")
            assert run.scalars == native.scalars
