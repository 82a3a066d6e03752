# SPDX-License-Identifier: Apache-2.0
"""`make vendor-…` and `make bit`: what they write, run and say, with tools played or missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "vendor.py"


# A machine of its own: the tools that an installer may have put on this one are not looked for.
RUN = f"""
import runpy, sys
from convloom import vendor_tools
vendor_tools.INSTALL_ROOTS = ()
sys.path.insert(0, {str(SCRIPT.parent)!r})
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""


def vendor(build: Path, *args: str, path: str = "/nonexistent") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *args],
        env={"PATH": path, "CONVLOOM_BUILD": str(build)},
        capture_output=True,
        text=True,
        timeout=120,
    )


GEMM = ("--kernel", "gemm_systolic", "--board", "pynq-z2")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("csim", *GEMM), "looked for vitis-run 2023.2–2026.1, v++ 20"),
        (("ip", *GEMM, "--tool", "vivado"), "looked for vivado_hls 2019.2–2020.1)"),
        (("bit", *GEMM), "looked for vivado 2019.2–2026.1)"),
        (("bit", *GEMM, "--hls", "yosys"), "HLS must be vitis or hlsc, not 'yosys'"),
        (("csim", *GEMM, "--config", "huge"), "config must be one of tiny, z2, not 'huge'"),
        (("csim", "--kernel", "gemm", "--board", "pynq-z2"), "kernel must be one of"),
        (("csim", "--kernel", "gemm_systolic", "--board", "zed"), "board must be one of"),
        (("csim", *GEMM, "--clock-mhz", "0"), "clock_mhz must be 1 to 1000, not 0.0"),
    ],
)
def test_what_is_wrong_or_missing_is_one_line(tmp_path, args, said):
    done = vendor(tmp_path, *args)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "vendor").exists()


def test_prepared_projects_need_no_tool(tmp_path):
    for stage in ("cosim", "bit"):
        done = vendor(tmp_path, stage, *GEMM, "--config", "tiny", "--prepare")
        assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "vendor" / "gemm_systolic_tiny_pynq-z2"
    assert (folder / "hls" / "hls_config.cfg").is_file()
    assert (folder / "bit_vitis" / "bit.tcl").is_file()
    assert f"copy the IP that HLS exports (…/impl/ip) to {folder / 'bit_vitis' / 'ip'}" in done.stdout


def tool(folder: Path, name: str, text: str) -> None:
    answer = f'[ "$1" = -version ] && {{ echo "{name} v2023.1 (64-bit)"; exit; }}'
    (folder / name).write_text(f"#!{shutil.which('sh')}\n{answer}\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """A PATH with two played tools: they write what the real ones would, and how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("mkdir", "cat"):
        (folder / name).symlink_to(shutil.which(name))
    made = "project/solution1/impl/ip"
    report = "project/solution1/syn/report"
    tool(
        folder,
        "vitis_hls",
        f'echo "$@" >> calls; mkdir -p {made} {report}; echo x > {made}/component.xml; echo '
        "'<profile><AreaEstimates><Resources><LUT>77</LUT></Resources></AreaEstimates></profile>'"
        f" > {report}/csynth.xml",
    )
    cells = '{"lut": 5, "ff": 5, "bram36": 5, "dsp": 5}'
    tool(folder, "vivado", f"echo \"$@\" >> calls; echo '{cells}' > utilization.json")
    return folder


def test_a_bitstream_from_start_to_end(tmp_path, machine):
    args = ("bit", *GEMM, "--config", "tiny")
    done = vendor(tmp_path, *args, path=str(machine))
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "vendor" / "gemm_systolic_tiny_pynq-z2"
    assert (folder / "hls" / "calls").read_text() == "-f run_hls.tcl\n"
    assert (folder / "bit_vitis" / "calls").read_text() == "-mode batch -nojournal -source bit.tcl\n"
    assert (folder / "bit_vitis" / "ip" / "component.xml").is_file()
    assert "HLS estimate, kernel" in done.stdout and "implemented, overlay (vitis)   " in done.stdout
    done = vendor(tmp_path, "figures", *args[1:])
    assert "77" in done.stdout and done.returncode == 0
    # A second run that fails leaves nothing of the first to be taken for its own.
    tool(machine, "vivado", "exit 1")
    assert vendor(tmp_path, *args, path=str(machine)).returncode == 1
    assert not (folder / "bit_vitis" / "utilization.json").exists()


def test_a_tool_that_fails_ends_the_command(tmp_path, machine):
    tool(machine, "vitis_hls", "exit 3")
    done = vendor(tmp_path, "bit", *GEMM, "--config", "tiny", path=str(machine))
    assert done.returncode == 1 and "not end with exit code 3" in done.stderr
    tool(machine, "vitis_hls", "exit 0")
    done = vendor(tmp_path, "bit", *GEMM, "--config", "tiny", path=str(machine))
    assert done.returncode == 1 and "must have exported an IP" in done.stderr


def test_make_passes_its_variables_on():
    """What `make` would run, without running it."""
    argv = ["make", "-n", "bit", "KERNEL=conv_winograd", "BOARD=kv260", "HLS=hlsc", "CONFIG=tiny"]
    env = {"PATH": os.environ["PATH"]}
    printed = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60).stdout
    assert "scripts/vendor.py bit --kernel conv_winograd --board kv260 --config tiny" in printed
    assert "--tool auto --hls hlsc" in printed
    argv = ["make", "-n", "vendor-cosim", "TOOL=vivado", "CLOCK_MHZ=100"]
    printed = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60).stdout
    assert "vendor.py cosim " in printed and "--tool vivado" in printed
    assert "--clock-mhz 100" in printed
