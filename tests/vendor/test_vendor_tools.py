# SPDX-License-Identifier: Apache-2.0
"""Which of the vendor's tools runs what, on machines that are made up; the releases are one table."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from vitis.tools import PREPARED, TOOLS, find_hls, find_vivado

from convloom import vendor_tools
from convloom.errors import ConvloomError
from convloom.vendor_tools import HLS_TOOLS, RELEASES
from hlsc.lint import ALL


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Installs programs below a root that is looked into like the installer's own; PATH is empty."""
    monkeypatch.setattr(vendor_tools, "INSTALL_ROOTS", (tmp_path,))
    for variable in ("XILINX_HLS", "XILINX_VITIS", "XILINX_VIVADO"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", "")

    def install(*places: str) -> Path:
        for place in places:
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
        return tmp_path

    return install


V, H = "Vitis/2023.2/bin", "Vitis_HLS"
CONFIG = "--config hls_config.cfg --work_dir work"


@pytest.mark.parametrize(
    ("there", "asked", "call"),
    [
        ((f"{V}/vitis-run", f"{V}/v++", f"{H}/2023.2/bin/vitis_hls"), "auto",
         f"{V}/v++ -c --mode hls {CONFIG}"),
        ((f"{V}/vitis-run",), "vitis", f"{V}/vitis-run --mode hls --tcl run_hls.tcl"),
        # 2022.1 has v++ too, whose HLS is vitis_hls.
        (("Vitis/2022.1/bin/v++", f"{H}/2022.1/bin/vitis_hls"), "auto",
         f"{H}/2022.1/bin/vitis_hls -f run_hls.tcl"),
        # v++ and vitis-run of two installations are not one flow.
        (("Vitis/2024.1/bin/v++", f"{V}/vitis-run"), "auto",
         f"{V}/vitis-run --mode hls --tcl run_hls.tcl"),
        (("2025.1/Vitis/bin/v++", "2025.1/Vitis/bin/vitis-run", f"{V}/v++", f"{V}/vitis-run"), "vitis",
         f"2025.1/Vitis/bin/v++ -c --mode hls {CONFIG}"),
        (("Vivado/2019.2/bin/vivado_hls", f"{H}/2020.2/bin/vitis_hls"), "vivado",
         "Vivado/2019.2/bin/vivado_hls -f run_hls.tcl"),
        (("Vivado/2020.1/bin/vivado_hls",), "auto", "Vivado/2020.1/bin/vivado_hls -f run_hls.tcl"),
    ],
)  # fmt: skip
def test_which_tool_runs(machine, there, asked, call):
    root = machine(*there)
    tool = find_hls(asked)
    (argv,) = tool.argv(("csynth",))
    assert " ".join(argv) == f"{root}/{call}"
    assert tool.dialect == ("vivado" if "vivado_hls" in call else "vitis")


def test_the_shell_chooses_first(machine, tmp_path, monkeypatch):
    machine("Vivado/2024.1/bin/vivado", "mine/bin/vivado")
    assert find_vivado() == tmp_path / "Vivado/2024.1/bin/vivado"
    monkeypatch.setenv("PATH", str(tmp_path / "mine/bin"))
    assert find_vivado() == tmp_path / "mine/bin/vivado"  # it names no release: taken as it is
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setenv("PATH", "bin")
    assert find_vivado() == tmp_path / "mine/bin/vivado"


def test_what_a_settings_script_set_up_goes_before_what_is_newer(machine, tmp_path, monkeypatch):
    machine("2025.1/Vitis/bin/v++", "2025.1/Vitis/bin/vitis-run", "Vitis_HLS/2022.1/bin/vitis_hls")
    monkeypatch.setenv("XILINX_HLS", str(tmp_path / "Vitis_HLS/2022.1"))
    assert find_hls("auto").path == tmp_path / "Vitis_HLS/2022.1/bin/vitis_hls"


def test_a_release_newer_than_any_known_is_tried(machine, tmp_path):
    machine("2027.2/Vivado/bin/vivado", "2027.2/Vitis/bin/vitis-run")
    assert find_vivado() == tmp_path / "2027.2/Vivado/bin/vivado"
    assert find_hls("auto").path.name == "vitis-run"


def test_calls_of_the_config_flow():
    assert [" ".join(a) for a in PREPARED.argv(("csim", "csynth", "cosim", "ip"))] == [
        f"vitis-run --mode hls --csim {CONFIG}",
        f"v++ -c --mode hls {CONFIG}",
        f"vitis-run --mode hls --cosim {CONFIG}",
        f"vitis-run --mode hls --package {CONFIG}",
    ]


def test_what_is_missing_is_said(machine):
    machine("Vitis/2022.1/bin/v++", "Vivado/2018.3/bin/vivado", "Vivado/2018.3/bin/vivado_hls")
    for asked, said in (
        ("auto", ", not v++ 2022.1, vivado_hls 2018.3 (looked for vitis-run 2023.2–2026.1, v++ "),
        ("vivado", ", not vivado_hls 2018.3 (looked for vivado_hls 2019.2–2020.1)"),
        ("ise", "TOOL must be one of auto, vitis, vivado, not 'ise'"),
    ):
        with pytest.raises(ConvloomError) as caught:
            find_hls(asked)
        assert said in str(caught.value)
    with pytest.raises(ConvloomError, match=r"Vivado must be .* not vivado 2018.3 \(looked for vivado"):
        find_vivado()


def test_releases_are_those_of_the_lint():
    """The compiler can not import convloom: its list of releases is held equal to the table."""

    def between(first: str, last: str) -> list[tuple[int, int]]:
        (low, _), (_, high) = RELEASES[first], RELEASES[last]
        every = itertools.product(range(low[0], high[0] + 1), (1, 2))
        return [r for r in every if low <= r <= high]

    by_dialect = {d: [(r.year, r.number) for r in ALL if r.dialect == d] for d in TOOLS}
    assert by_dialect["vivado"] == between("vivado_hls", "vivado_hls")
    assert by_dialect["vitis"] == between("vitis_hls", "vitis-run")
    assert sorted(HLS_TOOLS) == sorted(name for names in TOOLS.values() for name in names)


def test_synthesis_alone_is_no_flow(machine):
    machine("2025.1/Vitis/bin/v++")
    with pytest.raises(ConvloomError, match=r"not v\+\+ 2025.1 \(looked for"):
        find_hls("auto")
