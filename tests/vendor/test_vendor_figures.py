# SPDX-License-Identifier: Apache-2.0
"""What vendor tools left behind is read back, or refused in one line.  The samples are made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from vivado.figures import Figures, figures_table, vendor_figures

from convloom.errors import ConvloomError


def csynth(dsp: str = "DSP", lut: str = "4321") -> str:
    return (
        "<profile><ReportVersion><Version>2023.2</Version></ReportVersion>"
        "<UserAssignments><TargetClockPeriod>6.67</TargetClockPeriod></UserAssignments>"
        "<PerformanceEstimates><SummaryOfTimingAnalysis>"
        "<EstimatedClockPeriod>5.821</EstimatedClockPeriod>"
        "</SummaryOfTimingAnalysis></PerformanceEstimates>"
        f"<AreaEstimates><Resources><BRAM_18K>31</BRAM_18K><{dsp}>216</{dsp}>"
        f"<FF>9876</FF><LUT>{lut}</LUT><URAM>0</URAM></Resources></AreaEstimates></profile>\n"
    )


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


TCL = "hls/project/solution1/syn/report/csynth.xml"
CFG = "hls/work/hls/syn/report/csynth.xml"


@pytest.mark.parametrize("place", [TCL, CFG])
@pytest.mark.parametrize("dsp", ["DSP", "DSP48E"])
def test_estimates_of_all_releases(tmp_path, place, dsp):
    write(tmp_path, place, csynth(dsp))
    assert vendor_figures(tmp_path) == [
        Figures("HLS estimate, kernel (2023.2)", 4321, 9876, 15.5, 216, 6.67, 5.821)
    ]


CELLS = '{"lut": 1234, "ff": 2345, "bram36": 12.5, "dsp": 40}'


def test_implementation(tmp_path):
    write(tmp_path, "bit_hlsc/utilization.json", CELLS)
    expected = Figures("implemented, overlay (hlsc)", 1234, 2345, 12.5, 40)
    assert vendor_figures(tmp_path) == [expected]
    write(tmp_path, "bit_hlsc/timing.json", '{"worst_setup_slack_ns": -0.5, "period_ns": 7.0}')
    (figures,) = vendor_figures(tmp_path)
    assert (figures.clock_ns, figures.reached_ns) == (7.0, 7.5)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (TCL, "<profile>", "must be XML"),
        (TCL, "<profile/>", "must hold AreaEstimates and SummaryOfTimingAnalysis"),
        (TCL, csynth(lut="many"), "a figure must be a number, not 'many'"),
        ("bit_vitis/utilization.json", "nothing\n", "must hold the numbers lut, ff, bram36, dsp"),
        ("bit_vitis/utilization.json", '{"lut": 1, "ff": 2, "dsp": 3}', "must hold the numbers lut"),
        ("bit_vitis/utilization.json", CELLS.replace("40", '"many"'), "must hold the numbers lut"),
    ],
)
def test_a_damaged_report_is_refused(tmp_path, name, text, said):
    write(tmp_path, name, text)
    with pytest.raises(ConvloomError, match=said):
        vendor_figures(tmp_path)


def test_damaged_timing_is_refused(tmp_path):
    write(tmp_path, "bit_vitis/utilization.json", CELLS)
    for text in ("{", "[]", '{"period_ns": 7}', '{"period_ns": 7, "worst_setup_slack_ns": null}'):
        write(tmp_path, "bit_vitis/timing.json", text)
        with pytest.raises(ConvloomError, match="numbers period_ns, worst_setup_slack_ns"):
            vendor_figures(tmp_path)


def test_the_table(tmp_path):
    assert vendor_figures(tmp_path) == [] and figures_table([]) == ""
    write(tmp_path, TCL, csynth())
    write(tmp_path, "bit_vitis/utilization.json", CELLS)
    assert figures_table(vendor_figures(tmp_path)) == (
        "source                         lut   ff    bram36  dsp  clock_ns  reached_ns\n"
        "HLS estimate, kernel (2023.2)  4321  9876  15.5    216  6.67      5.821\n"
        "implemented, overlay (vitis)   1234  2345  12.5    40   -         -\n"
    )
