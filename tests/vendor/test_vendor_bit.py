# SPDX-License-Identifier: Apache-2.0
"""Bitstreams without Vivado: the scripts in real Tcl against a strict recorder, and the address map."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ip_catalogue import kernel_ip
from tclrun import Run, run_script
from vivado.bit_project import PYNQ_CLOCK, BitProject, write_bit_project
from vivado.figures import vendor_figures
from vivado.wrapper import RESERVED, Port, ports_of, vendor_name, wrapper_text
from vivado_tool import VivadoTool

from bench.verilate import Design, lint
from convloom.errors import ConvloomError
from convloom.kernels import kernel_names, load_kernel
from vboard.hwh import hwh_text, kernel_instance, kernel_registers, reached_mhz
from vboard.library import design
from vboard.profile import load_profile, profile_names


def make(folder: Path, kernel: str, board: str, hls: str) -> BitProject:
    """A bit project as `scripts/vendor.py bit` writes it; an IP of Vitis HLS is played by its VLNV."""
    project = BitProject(load_kernel(kernel), "tiny", load_profile(board), hls)
    if hls == "hlsc":
        write_bit_project(project, folder, rtl=design(kernel, "tiny").sv)
    else:
        exported = folder / "exported"
        exported.mkdir(parents=True)
        (exported / "component.xml").write_text(f"xilinx.com:hls:{project.spec.top}:1.0\n")
        write_bit_project(project, folder, ip=exported)
    return project


def play(folder: Path, **options: str) -> tuple[Run, VivadoTool]:
    tool = VivadoTool(folder, **options)
    return run_script("bit.tcl", folder, tool), tool


ALL = list(itertools.product(kernel_names(), profile_names(), ("vitis", "hlsc")))


@pytest.mark.parametrize(("kernel", "board", "hls"), ALL)
def test_every_bitstream_script_runs(tmp_path, kernel, board, hls):
    project = make(tmp_path, kernel, board, hls)
    run, tool = play(tmp_path)
    assert (run.code, run.stderr) == (0, "")
    assert (tmp_path / f"{kernel}_tiny.bit").is_file() and (tmp_path / f"{kernel}_tiny.hwh").is_file()
    assert tool.runs == ["synth_1", "impl_1"] and tool.part == project.profile.part
    virtual = hwh_text(project.spec, "tiny", project.profile)
    assert agrees_with_hwh(tool, virtual, project)
    if project.profile.is_zynq7000:  # on UltraScale+ it is Vivado's own parameter
        written = pynq_clocks((tmp_path / f"{kernel}_tiny.hwh").read_text())
        assert written == pynq_clocks(virtual) != {}
    if hls == "hlsc":
        core = tool.packager.saved[tmp_path / "ip"]
        assert core.vlnv == f"xilinx.com:hls:{project.spec.top}:1.0"
        wanted = {name: offset for name, offset, *_ in kernel_registers(project.spec)}
        assert {n: int(r["address_offset"], 16) for n, r in core.registers.items()} == wanted
        exported = kernel_ip("out_r")  # both IPs look the same from outside
        assert set(core.buses) == set(exported.buses({})) and set(core.pins) == set(exported.pins({}))
        assert core.registers["CTRL"]["fields"]["AP_DONE"]["bit_offset"] == "1"


def pynq_clocks(text: str) -> dict[str, float]:
    """Instance → the clock that pynq 4 looks for."""
    return {
        module.get("INSTANCE"): float(parameter.get("VALUE"))
        for module in ElementTree.fromstring(text).iter("MODULE")
        for parameter in module.iter("PARAMETER")
        if parameter.get("NAME") == PYNQ_CLOCK
    }


def agrees_with_hwh(tool: VivadoTool, text: str, project: BitProject) -> bool:
    """Addresses, instances, parameters, streams and clock of the virtual board's .hwh: all as built."""
    root = ElementTree.fromstring(text)
    modules = {m.get("INSTANCE"): m for m in root.iter("MODULE")}
    block = tool.block
    ps = next(m for m in root.iter("MODULE") if m.find("MEMORYMAP") is not None)
    ranges = {}
    for found in ps.iter("MEMRANGE"):
        place = f"{found.get('INSTANCE')}/{found.get('SLAVEBUSINTERFACE')}/{found.get('ADDRESSBLOCK')}"
        base, high = int(found.get("BASEVALUE"), 16), int(found.get("HIGHVALUE"), 16)
        ranges[f"{ps.get('INSTANCE')}/Data", place] = (base, high - base + 1)
        assert found.get("MASTERBUSINTERFACE") in block.cells[ps.get("INSTANCE")].buses
    data = f"{ps.get('INSTANCE')}/Data"
    assert ranges == {key: at for key, at in block.mapped.items() if key[0] == data}
    assert set(modules) == set(block.cells) - {"reset", "control", "memory_0", "memory_1"}
    for name, module in modules.items():
        cell = block.cells[name]
        assert module.get("VLNV").rpartition(":")[0] == cell.vlnv.rpartition(":")[0]
        given = {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")}
        for key in set(given) & set(cell.properties):
            # A DMA without a channel leaves that channel's parameters at their defaults.
            if given.get("c_include_s2mm") != "0" or "s2mm" not in key:
                assert given[key] == cell.properties[key], (name, key)
        for bus in module.iter("BUSINTERFACE"):
            assert bus.get("NAME") in cell.buses, (name, bus.get("NAME"))
    nets = {}
    for name, module in modules.items():
        for bus in module.iter("BUSINTERFACE"):
            if ":axis:" in bus.get("VLNV"):
                nets.setdefault(bus.get("BUSNAME"), set()).add(f"{name}/{bus.get('NAME')}")
    for ends in nets.values():
        a, b = ends
        assert block.links[a] == b
    mhz = reached_mhz(project.profile)[0]
    zynq = project.profile.is_zynq7000
    key = "PCW_FPGA0_PERIPHERAL_FREQMHZ" if zynq else "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"
    return abs(float(block.cells[ps.get("INSTANCE")].properties[key]) - mhz) < 0.001


def test_a_hwh_that_differs_is_found(tmp_path):
    project = make(tmp_path, "gemm_systolic", "pynq-z2", "vitis")
    _, tool = play(tmp_path)
    text = hwh_text(project.spec, "tiny", project.profile)
    assert agrees_with_hwh(tool, text, project)
    for old, new in (
        ('BASEVALUE="0x40410000"', 'BASEVALUE="0x40420000"'),
        ('INSTANCE="axi_dma_1"', 'INSTANCE="axi_dma_2"'),
        ('NAME="out_r"', 'NAME="out"'),
        ('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="23"'),
        ('BUSNAME="in1" NAME="M_AXIS_MM2S"', 'BUSNAME="in0" NAME="M_AXIS_MM2S"'),
    ):
        assert old in text
        with pytest.raises((AssertionError, ValueError)):
            agrees_with_hwh(tool, text.replace(old, new), project)


def test_older_releases_and_names(tmp_path):
    """2019.2 puts the handoff elsewhere; a stream that is called `out` after all is taken too."""
    make(tmp_path, "conv_winograd", "pynq-z2", "vitis")
    run, tool = play(tmp_path, generated="srcs", vitis_result="out")
    assert run.code == 0 and tool.block.links["conv_winograd_0/out"] == "axi_dma_0/S_AXIS_S2MM"
    assert (tmp_path / "conv_winograd_tiny.hwh").is_file()
    make(tmp_path / "third", "conv_winograd", "pynq-z2", "vitis")
    run, _ = play(tmp_path / "third", vitis_result="result")
    assert run.code == 1 and "must have a stream out_r or out" in run.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slack": "-0.042"}, "worst setup slack must be at least 0 ns, not -0.042 ns"),
        ({"slack": ""}, "timing must be constrained"),
        ({"progress": "47%"}, "synth_1 must reach 100%, not 47%"),
    ],
)
def test_what_did_not_work_leaves_no_bitstream(tmp_path, options, said):
    make(tmp_path, "gemm_systolic", "kv260", "vitis")
    run, _ = play(tmp_path, **options)
    assert run.code == 1 and said in run.stderr and run.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.bit"))


# (file, what is there, what a slip of the pen makes of it)
MUTANTS = [
    ("bit.tcl", "create_project -force", "create_project -farce"),
    ("bit.tcl", "settings.tcl package_ip.tcl", "settings.tcl pack_ip.tcl"),
    ("bit.tcl", "  update_ip_catalog\n", ""),
    ("bit.tcl", "  set_property ip_repo_paths [file normalize $ip_folder] [current_project]\n", ""),
    ("bit.tcl", "  generate_target all $source\n", ""),
    ("bit.tcl", "_wrapper [current_fileset]", "_wraper [current_fileset]"),
    ("bit.tcl", "-fileset constrs_1", "-fileset constr_1"),
    ("bit.tcl", "add_files -fileset constrs_1 -norecurse $led_constraints", "list"),
    ("bit.tcl", "  run_step synth_1 $jobs\n", ""),
    ("bit.tcl", "  open_run impl_1\n", ""),
    ("bit.tcl", "get_property PROGRESS", "get_property PROGRES"),
    ("bit.tcl", "hw_handoff", "hwhandoff"),
    ("bit.tcl", "MODTYPE=", "MODETYPE="),
    ("settings.tcl", "set ps_modtype processing_system7", "set ps_modtype processing_system"),
    ("bit.tcl", "make_block_design\n", "make_blockdesign\n"),
    ("bit.tcl", "if {$hls eq", "if {$hsl eq"),
    ("block_design.tcl", "CONFIG.$property", "CONFIGS.$property"),
    ("block_design.tcl", "axi_dma:*", "axidma:*"),
    ("block_design.tcl", "join_interfaces axi_dma_0/M_AXIS_MM2S $kernel/in0\n", ""),
    ("block_design.tcl", "axi_dma_1/M_AXIS_MM2S $kernel/in1", "axi_dma_1/M_AXIS_MM2S $kernel/in2"),
    ("block_design.tcl", "join_interfaces control/M02_AXI axi_dma_1/S_AXI_LITE\n", ""),
    ("block_design.tcl", "control/M03_AXI", "control/M04_AXI"),
    ("block_design.tcl", "NUM_SI 2 NUM_MI 1", "NUM_SI 1 NUM_MI 1"),
    ("block_design.tcl", "NUM_SI 1 NUM_MI 4", "NUM_SI 1 NUM_MI 5"),
    ("block_design.tcl", "axi_dma_0/M_AXI_S2MM memory_0", "axi_dma_0/M_AXI_S2M memory_0"),
    ("block_design.tcl", "axi_dma_0/m_axi_s2mm_aclk ", ""),
    ("block_design.tcl", " memory_1/aclk ", " "),
    ("block_design.tcl", " $kernel/ap_clk]", "]"),
    ("block_design.tcl", " $kernel/ap_rst_n]", "]"),
    ("block_design.tcl", "axi_gpio_led/s_axi_aresetn ", ""),
    ("block_design.tcl", "  join_pins $ps/$ps_reset reset/ext_reset_in\n", ""),
    ("block_design.tcl", "join_pins reset/peripheral_aresetn", "join_pins reset/peripheral_reset"),
    ("block_design.tcl", "reset/slowest_sync_clk control/aclk", "control/aclk"),
    ("block_design.tcl", "    lappend clocked $ps/$pin\n", ""),
    ("block_design.tcl", "axi_gpio_led/gpio_io_o", "axi_gpio_led/gpio_io_i"),
    ("block_design.tcl", "$leds - 1", "$leds"),
    ("block_design.tcl", "map_address $ps/Data $offset", "map_address $ps/data $offset"),
    ("block_design.tcl", "axi_dma_0/Data_MM2S axi_dma_0/Data_S2MM", "axi_dma_0/Data_MM2S"),
    ("block_design.tcl", "$ddr_bytes $ps/$segment", "$ip_range0 $ps/$segment"),
    ("block_design.tcl", "  validate_bd_design\n", ""),
    ("package_ip.tcl", "ipx::add_memory_map s_axi_control", "ipx::add_memory_map s_axi"),
    ("package_ip.tcl", "  ipx::remove_all_memory_map $core\n", ""),
    ("package_ip.tcl", "set_property address_offset", "set_property address_ofset"),
    ("package_ip.tcl", "    set_property size 32 $register\n", ""),
    ("package_ip.tcl", "ipx::add_field $field $register", "ipx::add_field $field $block"),
    ("package_ip.tcl", "-import_files", "-import_file"),
    ("package_ip.tcl", "  set_property name $name $core\n", ""),
    ("package_ip.tcl", "ipx::add_address_block Reg", "ipx::add_address_block reg0"),
    ("package_ip.tcl", "  ipx::save_core $core\n", ""),
    ("package_ip.tcl", "  close_project\n", ""),
    ("package_ip.tcl", "set_property top $ip_top", "set_property top $top"),
    ("reports.tcl", "get_property SLACK", "get_property SLAK"),
    ("reports.tcl", "-max_paths 1", "-max_path 1"),
    ("reports.tcl", "Slice LUTs", "Slice LUT"),
    ("reports.tcl", "Block RAM Tile", "Block RAM Tiles"),
    ("reports.tcl", "[read_text utilization.rpt]", "[read_text utilisation.rpt]"),
    ("settings.tcl", "xc7z020clg400-1", "xc7z020clg484-1"),
    ("settings.tcl", "PCW_USE_S_AXI_HP1 1", "PCW_USE_S_AXI_HP1 0"),
    ("settings.tcl", "PCW_USE_S_AXI_HP0", "PCW_USE_S_AXI_HPO"),
    ("settings.tcl", "c_sg_length_width", "c_sg_lenght_width"),
    ("settings.tcl", "c_include_sg 0", "c_include_sg 1"),
    ("settings.tcl", "0x40400000", "0x40410000"),
    ("settings.tcl", "0x40400000", "0x40400100"),
    ("settings.tcl", "rtl/gemm_systolic.sv", "rtl/gemm.sv"),
    ("settings.tcl", "leds.xdc", "led.xdc"),
    ("settings.tcl", "FCLK_RESET0_N", "FCLK_RESET_N"),
    ("settings.tcl", "FIXED_IO", "FIXEDIO"),
    ("rtl/gemm_systolic_ip.v", "ASSOCIATED_BUSIF s_axi_control:", "ASSOCIATED_BUSIF "),
    ("rtl/gemm_systolic_ip.v", "PROTOCOL AXI4LITE", "PROTOCOL AXI4"),
    ("rtl/gemm_systolic_ip.v", "ACTIVE_LOW", "ACTIVE_HIGH"),
    ("rtl/gemm_systolic_ip.v", 'axis:1.0 in0 TVALID" *)', 'axis:1.0 in1 TVALID" *)'),
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A project without a slip, which runs."""
    folder = tmp_path_factory.mktemp("bit") / "sound"
    make(folder, "gemm_systolic", "pynq-z2", "hlsc")
    return folder


def play_slip(sound: Path, folder: Path, file: str, old: str, new: str) -> tuple[Run, VivadoTool]:
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    return play(folder)


@pytest.mark.parametrize(("file", "old", "new"), MUTANTS, ids=lambda text: str(text).strip()[:40])
def test_every_slip_is_found(sound, tmp_path, file, old, new):
    """A misspelt name, a dropped connection, a wrong path: an error, and no overlay."""
    run, _ = play_slip(sound, tmp_path, file, old, new)
    assert run.code != 0 and run.stderr
    assert not list(tmp_path.glob("*.hwh"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("bit.tcl", "update_ip_catalog", "update_ip_catalogue",
         "invalid command name 'update_ip_catalogue' (meant: update_ip_catalog?)"),
        ("bit.tcl", "-norecurse [make_wrapper", "-recurse [make_wrapper", "unknown option -recurse"),
        ("settings.tcl", "rtl/gemm_systolic.sv", "rtl/gemm.sv", "no file rtl/gemm.sv"),
        ("settings.tcl", "c_sg_length_width", "c_sg_lenght_width",
         "axi_dma_0 has no property CONFIG.c_sg_lenght_width"),
        ("block_design.tcl", " $kernel/ap_rst_n]", "]", "gemm_systolic_0/ap_rst_n is not connected"),
        ("block_design.tcl", "join_interfaces control/M02_AXI axi_dma_1/S_AXI_LITE\n", "",
         "interface axi_dma_1/S_AXI_LITE is not connected"),
    ],
)  # fmt: skip
def test_the_recorder_says_which_error_it_is(sound, tmp_path, file, old, new, said):
    """Unknown command or option, missing file, unknown property, unconnected pin: each by its name."""
    run, tool = play_slip(sound, tmp_path, file, old, new)
    assert run.code == 1 and said in tool.refused
    assert run.stderr == f"bit.tcl: {tool.refused}\n"


def test_figures_of_a_run_are_read_back(tmp_path):
    folder = tmp_path / "bit_vitis"
    project = make(folder, "gemm_systolic", "aup-zu3", "vitis")
    assert play(folder)[0].code == 0
    (figures,) = vendor_figures(tmp_path)
    assert (figures.lut, figures.ff, figures.bram36, figures.dsp) == (1234, 2345, 12.5, 40)
    period = round(1000 / reached_mhz(project.profile)[0], 3)
    assert figures.clock_ns == period and figures.reached_ns == round(period - 0.123, 3)
    timing = json.loads((folder / "timing.json").read_text())
    assert timing["worst_hold_slack_ns"] == 0.123


def test_projects_are_the_same_every_time_and_name_no_place(tmp_path):
    for name in ("one", "two"):
        make(tmp_path / name, "conv_linebuffer", "kv260", "hlsc")
    files = [p for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert len(files) == 7  # four scripts, settings, RTL and its wrapper; kv260 has no LED pins
    for path in files:
        data = path.read_bytes()
        assert data == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
        assert str(tmp_path).encode() not in data


# ------------------------------------------------------------------------------------- wrapper


@pytest.mark.parametrize("kernel", kernel_names())
def test_the_wrapper_is_verilog_that_fits_the_rtl(tmp_path, kernel):
    """Verilator takes wrapper and RTL together, every port connected at its width."""
    made = design(kernel, "tiny")
    top = made.spec.top
    path = tmp_path / f"{top}_ip.v"
    path.write_text(wrapper_text(made.sv.read_text(), top))
    waived = ("DECLFILENAME", "UNUSEDSIGNAL")
    lint(Design((path, made.sv), f"{top}_ip", options=tuple(f"-Wno-{w}" for w in waived)))
    text = path.read_text()
    assert "out_r_TDATA" in text and " out_TDATA" not in text and kernel_instance(made.spec)


def test_ports_and_names():
    text = "module f(\n  input  a,\n   b,\n  input  [7:0]  c_TDATA,\n  output  d\n);\n"
    assert ports_of(text, "f") == [
        Port("a", "input", 1), Port("b", "input", 1),
        Port("c_TDATA", "input", 8), Port("d", "output", 1),
    ]  # fmt: skip
    assert vendor_name("out") == "out_r" and vendor_name("in0") == "in0" and vendor_name("IN") == "IN_r"
    with pytest.raises(ValueError, match="must hold a module g"):
        ports_of(text, "g")
    with pytest.raises(ValueError, match="a direction, a range and a name"):
        ports_of("module f(\n  input [1:0][3:0] a\n);", "f")


def test_no_register_is_renamed_by_the_vendor():
    """Driver and register map use the names of the arguments: none may be reserved."""
    for name in kernel_names():
        spec = load_kernel(name)
        assert not {r.name.lower() for r in spec.registers} & RESERVED
        assert [s for s in spec.streams if s in RESERVED] == ["out"]


def test_a_board_without_pins_is_refused():
    profile = dataclasses.replace(load_profile("pynq-z2"), name="zed")
    with pytest.raises(ConvloomError, match="one of pynq-z2, aup-zu3, kv260 for make bit, not zed"):
        BitProject(load_kernel("gemm_systolic"), "z2", profile, "hlsc").settings("ip")


def test_another_clock_is_that_of_the_whole_project():
    profile = dataclasses.replace(load_profile("pynq-z2"), clock_mhz=100.0)
    text = BitProject(load_kernel("gemm_systolic"), "z2", profile, "hlsc").settings("ip")
    assert "set period 10.000\n" in text and "PCW_FPGA0_PERIPHERAL_FREQMHZ 100 " in text
