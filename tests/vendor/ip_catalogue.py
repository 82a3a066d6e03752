# SPDX-License-Identifier: Apache-2.0
"""What the recorder knows of AMD's IPs: properties, interfaces, pins, address spaces and segments.

Names are those of published block designs and product guides (PG021 AXI DMA, PG144 AXI GPIO, PG164
Processor System Reset, PG247 SmartConnect, PG082 and PG201 for the processing systems).  Only what a
design like ours may use is here: anything else is unknown, and an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Properties = Mapping[str, str]


@dataclass(frozen=True)
class Bus:
    """An interface: kind (aximm, axis, or what it is connected to outside), side, clock pin.

    `space`: the address space that a master has; `segments`: those that a slave offers, name → bytes.
    """

    kind: str
    master: bool
    clock: str = ""
    space: str = ""
    segments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pin:
    """A pin; `needed`: an input that must be connected.  role: clock, reset or data."""

    output: bool
    role: str = "data"
    needed: bool = False
    width: int = 1


@dataclass(frozen=True)
class Ip:
    """An IP of the catalogue: what may be set, and what it has when that is set."""

    properties: Mapping[str, str]
    buses: Callable[[Properties], dict[str, Bus]]
    pins: Callable[[Properties], dict[str, Pin]]


CLOCK_IN, RESET_IN = Pin(False, "clock", True), Pin(False, "reset", True)
CLOCK_OUT, RESET_OUT = Pin(True, "clock"), Pin(True, "reset")
REGISTERS = 1 << 16
DDR_LOW = 1 << 31


def _dma(p: Properties) -> dict[str, Bus]:
    buses = {"S_AXI_LITE": Bus("aximm", False, "s_axi_lite_aclk", segments={"Reg": REGISTERS})}
    if p["c_include_mm2s"] == "1":
        buses["M_AXI_MM2S"] = Bus("aximm", True, "m_axi_mm2s_aclk", "Data_MM2S")
        buses["M_AXIS_MM2S"] = Bus("axis", True, "m_axi_mm2s_aclk")
    if p["c_include_s2mm"] == "1":
        buses["M_AXI_S2MM"] = Bus("aximm", True, "m_axi_s2mm_aclk", "Data_S2MM")
        buses["S_AXIS_S2MM"] = Bus("axis", False, "m_axi_s2mm_aclk")
    if p["c_include_sg"] == "1":
        buses["M_AXI_SG"] = Bus("aximm", True, "m_axi_sg_aclk", "Data_SG")
    return buses


def _dma_pins(p: Properties) -> dict[str, Pin]:
    pins = {"s_axi_lite_aclk": CLOCK_IN, "axi_resetn": RESET_IN}
    for way in ("mm2s", "s2mm"):
        if p[f"c_include_{way}"] == "1":
            pins[f"m_axi_{way}_aclk"] = CLOCK_IN
            pins[f"{way}_introut"] = Pin(True)
    return pins


def _smartconnect(p: Properties) -> dict[str, Bus]:
    buses = {f"S{i:02}_AXI": Bus("aximm", False, "aclk") for i in range(int(p["NUM_SI"]))}
    return buses | {f"M{i:02}_AXI": Bus("aximm", True, "aclk") for i in range(int(p["NUM_MI"]))}


def _ps7(p: Properties) -> dict[str, Bus]:
    buses = {"DDR": Bus("ddrx", True), "FIXED_IO": Bus("fixedio", True)}
    if p["PCW_USE_M_AXI_GP0"] == "1":
        buses["M_AXI_GP0"] = Bus("aximm", True, "M_AXI_GP0_ACLK", "Data")
    for n in range(4):
        if p[f"PCW_USE_S_AXI_HP{n}"] == "1":
            segments = {f"HP{n}_DDR_LOWOCM": 1 << 29}
            buses[f"S_AXI_HP{n}"] = Bus("aximm", False, f"S_AXI_HP{n}_ACLK", segments=segments)
    return buses


def _ps7_pins(p: Properties) -> dict[str, Pin]:
    pins = {"FCLK_CLK0": CLOCK_OUT, "FCLK_RESET0_N": RESET_OUT}
    return pins | {bus.clock: CLOCK_IN for bus in _ps7(p).values() if bus.clock}


_MPSOC_MASTERS = {
    "PSU__USE__M_AXI_GP0": ("M_AXI_HPM0_FPD", "maxihpm0_fpd_aclk"),
    "PSU__USE__M_AXI_GP1": ("M_AXI_HPM1_FPD", "maxihpm1_fpd_aclk"),
    "PSU__USE__M_AXI_GP2": ("M_AXI_HPM0_LPD", "maxihpm0_lpd_aclk"),
}


def _mpsoc(p: Properties) -> dict[str, Bus]:
    buses = {
        name: Bus("aximm", True, clock, "Data")
        for key, (name, clock) in _MPSOC_MASTERS.items()
        if p[key] == "1"
    }
    for n in range(4):
        if p[f"PSU__USE__S_AXI_GP{n + 2}"] == "1":
            segments = {f"HP{n}_DDR_LOW": DDR_LOW, f"HP{n}_LPS_OCM": 1 << 24}
            buses[f"S_AXI_HP{n}_FPD"] = Bus("aximm", False, f"saxihp{n}_fpd_aclk", segments=segments)
    return buses


def _mpsoc_pins(p: Properties) -> dict[str, Pin]:
    pins = {"pl_resetn0": RESET_OUT}
    if p["PSU__FPGA_PL0_ENABLE"] == "1":
        pins["pl_clk0"] = CLOCK_OUT
    return pins | {bus.clock: CLOCK_IN for bus in _mpsoc(p).values() if bus.clock}


def _gpio_pins(p: Properties) -> dict[str, Pin]:
    pins = {"s_axi_aclk": CLOCK_IN, "s_axi_aresetn": RESET_IN}
    if p["C_ALL_OUTPUTS"] == "1":
        pins["gpio_io_o"] = Pin(True, width=int(p["C_GPIO_WIDTH"]))
    return pins


def _reset_pins(p: Properties) -> dict[str, Pin]:
    return {
        "slowest_sync_clk": CLOCK_IN,
        "ext_reset_in": RESET_IN,
        "aux_reset_in": Pin(False, "reset"),
        "dcm_locked": Pin(False),
        "peripheral_aresetn": RESET_OUT,
        "interconnect_aresetn": RESET_OUT,
        "peripheral_reset": Pin(True),
        "bus_struct_reset": Pin(True),
        "mb_reset": Pin(True),
    }


# Defaults are those of the IPs.
_DMA_DEFAULTS = {
    "c_include_sg": "1",
    "c_sg_include_stscntrl_strm": "1",
    "c_micro_dma": "0",
    "c_sg_length_width": "14",
    "c_addr_width": "32",
    "c_include_mm2s": "1",
    "c_include_mm2s_dre": "0",
    "c_m_axi_mm2s_data_width": "32",
    "c_m_axis_mm2s_tdata_width": "32",
    "c_mm2s_burst_size": "16",
    "c_include_s2mm": "1",
    "c_include_s2mm_dre": "0",
    "c_m_axi_s2mm_data_width": "32",
    "c_s_axis_s2mm_tdata_width": "32",
    "c_s2mm_burst_size": "16",
}
_PS7_DEFAULTS = {
    "PCW_USE_M_AXI_GP0": "1",
    **{f"PCW_USE_S_AXI_HP{n}": "0" for n in range(4)},
    **{f"PCW_S_AXI_HP{n}_DATA_WIDTH": "64" for n in range(4)},
    "PCW_FPGA0_PERIPHERAL_FREQMHZ": "50",
    "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": "33.333333",
    "PCW_UIPARAM_DDR_BUS_WIDTH": "32 Bit",
    "PCW_UIPARAM_DDR_PARTNO": "MT41J256M8 HX-15E",
}
_MPSOC_DEFAULTS = {
    **dict.fromkeys(_MPSOC_MASTERS, "1"),
    **{f"PSU__USE__S_AXI_GP{n}": "0" for n in range(2, 6)},
    **{f"PSU__SAXIGP{n}__DATA_WIDTH": "128" for n in range(2, 6)},
    "PSU__FPGA_PL0_ENABLE": "1",
    "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL",
    "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": "100",
}
_GPIO_DEFAULTS = {
    "C_GPIO_WIDTH": "32",
    "C_ALL_OUTPUTS": "0",
    "C_ALL_INPUTS": "0",
    "C_IS_DUAL": "0",
}

CATALOGUE: dict[str, Ip] = {
    "xilinx.com:ip:axi_dma": Ip(_DMA_DEFAULTS, _dma, _dma_pins),
    "xilinx.com:ip:smartconnect": Ip(
        {"NUM_SI": "1", "NUM_MI": "1"},
        _smartconnect,
        lambda p: {"aclk": CLOCK_IN, "aresetn": RESET_IN},
    ),
    "xilinx.com:ip:processing_system7": Ip(_PS7_DEFAULTS, _ps7, _ps7_pins),
    "xilinx.com:ip:zynq_ultra_ps_e": Ip(_MPSOC_DEFAULTS, _mpsoc, _mpsoc_pins),
    "xilinx.com:ip:proc_sys_reset": Ip({}, lambda p: {}, _reset_pins),
    "xilinx.com:ip:axi_gpio": Ip(
        _GPIO_DEFAULTS,
        lambda p: {"S_AXI": Bus("aximm", False, "s_axi_aclk", segments={"Reg": REGISTERS})},
        _gpio_pins,
    ),
}


def kernel_ip(result: str) -> Ip:
    """A kernel as Vitis HLS exports it; `result` is what it calls the output stream."""
    buses = {
        "s_axi_control": Bus("aximm", False, "ap_clk", segments={"Reg": REGISTERS}),
        "in0": Bus("axis", False, "ap_clk"),
        "in1": Bus("axis", False, "ap_clk"),
        result: Bus("axis", True, "ap_clk"),
    }
    pins = {"ap_clk": CLOCK_IN, "ap_rst_n": RESET_IN, "interrupt": Pin(True)}
    return Ip({}, lambda p: buses, lambda p: pins)
