# SPDX-License-Identifier: Apache-2.0
"""The folder in which Vivado makes one overlay: scripts, `settings.tcl`, and what they read.

All that the Tcl scripts know of kernel, board and address map is in settings.tcl and comes from the
same places as the virtual board's .hwh.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitis.hls_project import IP_VERSION
from vitis.tclwords import assignments
from vivado.wrapper import wrapper_text

from convloom.errors import ConvloomError
from convloom.kernels import KernelSpec
from vboard.hwh import (
    GPIO,
    KERNEL_VENDOR,
    dma_parameters,
    gpio_parameters,
    kernel_instance,
    kernel_registers,
    reached_mhz,
)
from vboard.profile import IP_RANGE, Profile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["BitProject", "write_bit_project"]

HERE = Path(__file__).parent
SCRIPTS = ("bit.tcl", "package_ip.tcl", "block_design.tcl", "reports.tcl")

PYNQ_CLOCK = "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"
"""Parameter of the PS in the .hwh without which pynq 4 does not load an overlay for Zynq-7000."""

_PS: dict[str, dict[str, Any]] = {
    "zynq": {
        "ps": "processing_system7_0",
        "ps_vlnv": "xilinx.com:ip:processing_system7:*",
        "ps_master": "M_AXI_GP0",
        "ps_memories": [
            "S_AXI_HP0", "S_AXI_HP0/HP0_DDR_LOWOCM", "S_AXI_HP1", "S_AXI_HP1/HP1_DDR_LOWOCM",
        ],
        "ps_clock": "FCLK_CLK0",
        "ps_reset": "FCLK_RESET0_N",
        "ps_clock_sinks": ["M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK", "S_AXI_HP1_ACLK"],
        "ps_externals": [
            "DDR", "xilinx.com:interface:ddrx_rtl:1.0",
            "FIXED_IO", "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
        ],
    },
    "zynquplus": {
        "ps": "zynq_ultra_ps_e_0",
        "ps_vlnv": "xilinx.com:ip:zynq_ultra_ps_e:*",
        "ps_master": "M_AXI_HPM0_FPD",
        "ps_memories": ["S_AXI_HP0_FPD", "SAXIGP2/HP0_DDR_LOW", "S_AXI_HP1_FPD", "SAXIGP3/HP1_DDR_LOW"],
        "ps_clock": "pl_clk0",
        "ps_reset": "pl_resetn0",
        "ps_clock_sinks": ["maxihpm0_fpd_aclk", "saxihp0_fpd_aclk", "saxihp1_fpd_aclk"],
        "ps_externals": [],
    },
}  # fmt: skip
"""Names of the processing systems' ports; segments are named within the instance."""


def _board(profile: Profile) -> dict[str, Any]:
    """What boards.toml has of a board; ConvloomError if it has nothing."""
    boards = tomllib.loads((HERE / "boards.toml").read_text(encoding="utf-8"))
    if profile.name not in boards:
        known = ", ".join(boards)
        raise ConvloomError(f"board must be one of {known} for make bit, not {profile.name}")
    found: dict[str, Any] = boards[profile.name]
    return found


def _ps_properties(profile: Profile, board: dict[str, Any]) -> list[str]:
    mhz, _ = reached_mhz(profile)
    if profile.is_zynq7000:
        values = {
            "PCW_USE_M_AXI_GP0": "1",
            "PCW_USE_S_AXI_HP0": "1",
            "PCW_USE_S_AXI_HP1": "1",
            "PCW_S_AXI_HP0_DATA_WIDTH": "64",
            "PCW_S_AXI_HP1_DATA_WIDTH": "64",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{mhz:g}",
        }
    else:
        values = {
            "PSU__USE__M_AXI_GP0": "1",
            "PSU__USE__M_AXI_GP1": "0",
            "PSU__USE__M_AXI_GP2": "0",
            "PSU__USE__S_AXI_GP2": "1",
            "PSU__USE__S_AXI_GP3": "1",
            "PSU__SAXIGP2__DATA_WIDTH": "64",
            "PSU__SAXIGP3__DATA_WIDTH": "64",
            "PSU__FPGA_PL0_ENABLE": "1",
            "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{mhz:g}",
        }
    return [text for item in (values | board.get("ps", {})).items() for text in item]


@dataclass(frozen=True)
class BitProject:
    """One overlay.  hls: `vitis` (an IP that the HLS project exported) or `hlsc` (RTL in `rtl/`)."""

    spec: KernelSpec
    config: str
    profile: Profile
    hls: str
    jobs: int = 2

    @property
    def stem(self) -> str:
        """Name of .bit and .hwh; block design too, so that pynq sees one overlay."""
        return f"{self.spec.name}_{self.config}"

    def settings(self, ip_folder: str) -> str:
        """settings.tcl; ip_folder: where the kernel's IP is, or is to be packaged."""
        board = _board(self.profile)
        family = _PS[self.profile.family]
        kernel, where = kernel_instance(self.spec), self.profile.addresses
        segments = {
            f"{kernel}/s_axi_control/Reg": where["kernel"],
            "axi_dma_0/S_AXI_LITE/Reg": where["axi_dma_0"],
            "axi_dma_1/S_AXI_LITE/Reg": where["axi_dma_1"],
            f"{GPIO}/S_AXI/Reg": where[GPIO],
        }
        mhz, _ = reached_mhz(self.profile)
        (vendor, _, library), top = KERNEL_VENDOR.partition(":"), self.spec.top
        registers: list[Any] = []
        for name, offset, access, doc, fields in kernel_registers(self.spec):
            flat = [str(part) for field in fields for part in field]
            registers += [name, f"0x{offset:02X}", access, doc, flat]
        return assignments(
            {
                "hls": self.hls,
                "part": self.profile.part,
                "design": self.stem,
                "out_stem": self.stem,
                "jobs": self.jobs,
                "period": f"{1000 / mhz:.3f}",
                "title": self.spec.title,
                "kernel": kernel,
                "kernel_vlnv": f"{vendor}:{library}:{top}:{IP_VERSION}",
                "ip": [vendor, library, top, IP_VERSION],
                "ip_folder": ip_folder,
                "ip_top": f"{top}_ip",
                "rtl": [f"rtl/{top}.sv", f"rtl/{top}_ip.v"],
                "registers": registers,
                **family,
                "ps_properties": _ps_properties(self.profile, board),
                "ps_modtype": family["ps_vlnv"].split(":")[2],
                "pynq_clock": [PYNQ_CLOCK, f"{mhz:.6f}"] if self.profile.is_zynq7000 else [],
                "dma_0": _flat(dma_parameters(self.profile, s2mm=True)),
                # A channel that is left out has no parameters to set.
                "dma_1": _flat(_without_s2mm(dma_parameters(self.profile, s2mm=False))),
                "gpio": _flat(gpio_parameters()),
                "addresses": [t for s, base in segments.items() for t in (s, f"0x{base:08X}")],
                "ip_range": f"0x{IP_RANGE:08X}",
                "ddr_bytes": f"0x{self.profile.ddr_bytes:08X}",
                "leds": len(board["leds"]),
                "led_constraints": "leds.xdc" if board["leds"] else "",
            }
        )

    def constraints(self) -> str:
        """leds.xdc, empty for a board without LEDs on the logic."""
        board = _board(self.profile)
        return "".join(
            f"set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD {board['led_standard']}}} "
            f"[get_ports {{leds[{i}]}}]\n"
            for i, pin in enumerate(board["leds"])
        )


def _without_s2mm(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if "s2mm" not in k or k == "c_include_s2mm"}


def _flat(values: dict[str, Any]) -> list[str]:
    return [str(t) for item in values.items() for t in item]


def write_bit_project(
    project: BitProject, folder: Path, *, rtl: Path | None = None, ip: Path | None = None
) -> None:
    """Write the folder.  rtl: hlsc's `<top>.sv`; ip: the folder of the exported IP (component.xml)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        shutil.copyfile(HERE / name, folder / name)
    top = project.spec.top
    if rtl is not None:
        (folder / "rtl").mkdir(exist_ok=True)
        shutil.copyfile(rtl, folder / "rtl" / f"{top}.sv")
        (folder / "rtl" / f"{top}_ip.v").write_text(wrapper_text(rtl.read_text(encoding="utf-8"), top))
    if ip is not None:
        shutil.copytree(ip, folder / "ip", dirs_exist_ok=True)
    (folder / "settings.tcl").write_text(project.settings("ip"), encoding="utf-8")
    constraints = project.constraints()
    if constraints:
        (folder / "leds.xdc").write_text(constraints, encoding="utf-8")
