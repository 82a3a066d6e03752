# SPDX-License-Identifier: Apache-2.0
"""The hardware handoff (.hwh) that pynq reads, from the kernel's register table and a board profile.

Vivado writes it as the description of a block design; pynq takes from it the IPs with their addresses,
parameters and registers, and the clocks.  This one holds what pynq 3.1 and 4.0 look at, and no more.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from convloom.kernels import KernelSpec
from vboard.profile import IP_RANGE, Profile

__all__ = [
    "GPIO",
    "KERNEL_VENDOR",
    "dma_parameters",
    "gpio_parameters",
    "hwh_text",
    "kernel_instance",
    "kernel_registers",
    "reached_mhz",
]

KERNEL_VENDOR = "xilinx.com:hls"
"""Vendor and library of what Vitis HLS exports, unless told otherwise."""

GPIO = "axi_gpio_led"

# A field: name, lowest bit, width, access.
Field = tuple[str, int, int, str]
# A register: name, offset, access, description, fields.
RegisterRow = tuple[str, int, str, str, Sequence[Field]]

_RW, _RO, _WO = "read-write", "read-only", "write-only"


def kernel_instance(spec: KernelSpec) -> str:
    """Name of the kernel's IP in the overlay."""
    return f"{spec.top}_0"


def reached_mhz(profile: Profile) -> tuple[float, int]:
    """(frequency, divisor) of PL clock 0: what the I/O PLL of the board reaches next to clock_mhz.

    pynq sets the divisors only, so the PLL stays the one the board boots with: 1000 MHz on Zynq-7000
    PYNQ images, 1500 MHz on UltraScale+.
    """
    pll = 1000.0 if profile.is_zynq7000 else 1500.0
    divisor = min(range(1, 64), key=lambda d: abs(pll / d - profile.clock_mhz))
    return round(pll / divisor, 6), divisor


def hwh_text(spec: KernelSpec, config: str, profile: Profile) -> str:
    """The whole file; the same arguments give the same text."""
    root = Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION="2022.1")
    device, package, speed = profile.part_words
    SubElement(
        root,
        "SYSTEMINFO",
        ARCH=profile.family,
        BOARD=profile.name,
        DEVICE=device,
        NAME=f"{spec.name}_{config}",
        PACKAGE=package,
        SPEEDGRADE=speed,
    )
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    where = profile.addresses
    _add_ps(modules, spec, profile)
    _add_dma(modules, "axi_dma_0", where["axi_dma_0"], profile, s2mm=True)
    _add_dma(modules, "axi_dma_1", where["axi_dma_1"], profile, s2mm=False)
    _add_gpio(modules, where[GPIO])
    _add_kernel(modules, spec, where["kernel"])
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n{text}\n'


# ------------------------------------------------------------------------------------- modules


def _module(modules: Element, instance: str, vlnv: str, **more: str) -> Element:
    attributes = dict(
        FULLNAME=f"/{instance}",
        HWVERSION=vlnv.rpartition(":")[2],
        INSTANCE=instance,
        IPTYPE="PERIPHERAL",
        IS_ENABLE="1",
        MODTYPE=vlnv.split(":")[2],
        VLNV=vlnv,
    )
    return SubElement(modules, "MODULE", attributes | more)


def _parameters(module: Element, values: Mapping[str, object]) -> None:
    box = SubElement(module, "PARAMETERS")
    for name, value in values.items():
        SubElement(box, "PARAMETER", NAME=name, VALUE=str(value))


def _interfaces(module: Element, *rows: tuple[str, str, str, str]) -> None:
    """Rows: name, TYPE, kind of bus, name of the connection."""
    box = SubElement(module, "BUSINTERFACES")
    for name, kind, bus, net in rows:
        SubElement(
            box,
            "BUSINTERFACE",
            BUSNAME=net,
            NAME=name,
            TYPE=kind,
            VLNV=f"xilinx.com:interface:{bus}:1.0",
        )


def _address_range(module: Element, base: int) -> dict[str, object]:
    return {"C_BASEADDR": f"0x{base:08X}", "C_HIGHADDR": f"0x{base + IP_RANGE - 1:08X}"}


def _registers(module: Element, interface: str, rows: Sequence[RegisterRow]) -> None:
    blocks = SubElement(module, "ADDRESSBLOCKS")
    block = SubElement(
        blocks,
        "ADDRESSBLOCK",
        ACCESS=_RW,
        INTERFACE=interface,
        NAME="Reg",
        RANGE=str(IP_RANGE),
        USAGE="register",
    )
    box = SubElement(block, "REGISTERS")
    for name, offset, access, doc, fields in rows:
        register = SubElement(box, "REGISTER", NAME=name)
        _properties(
            register,
            DESCRIPTION=doc,
            ADDRESS_OFFSET=hex(offset),
            SIZE="32",
            ACCESS=access,
            IS_ENABLED="true",
            RESET_VALUE="0",
        )
        inner = SubElement(register, "FIELDS")
        for field, low, width, rights in fields:
            _properties(
                SubElement(inner, "FIELD", NAME=field),
                DESCRIPTION=doc if len(fields) == 1 else field,
                ADDRESS_OFFSET=str(low),
                ACCESS=rights,
                BIT_OFFSET=str(low),
                BIT_WIDTH=str(width),
            )


def _properties(element: Element, **values: str) -> None:
    for name, value in values.items():
        SubElement(element, "PROPERTY", NAME=name, VALUE=value)


def kernel_registers(spec: KernelSpec) -> list[RegisterRow]:
    """Registers of the kernel's AXI4-Lite interface as Vitis HLS lays them out, control first."""
    rows: list[RegisterRow] = [
        (
            "CTRL",
            0x00,
            _RW,
            "Control signals",
            (
                ("AP_START", 0, 1, _RW),
                ("AP_DONE", 1, 1, _RO),
                ("AP_IDLE", 2, 1, _RO),
                ("AP_READY", 3, 1, _RO),
                ("AUTO_RESTART", 7, 1, _RW),
            ),
        ),
        ("GIER", 0x04, _RW, "Global Interrupt Enable Register", (("Enable", 0, 1, _RW),)),
        (
            "IP_IER",
            0x08,
            _RW,
            "IP Interrupt Enable Register",
            (("CHAN0_INT_EN", 0, 1, _RW), ("CHAN1_INT_EN", 1, 1, _RW)),
        ),
        (
            "IP_ISR",
            0x0C,
            _RW,
            "IP Interrupt Status Register",
            (("CHAN0_INT_ST", 0, 1, _RW), ("CHAN1_INT_ST", 1, 1, _RW)),
        ),
    ]
    for r in spec.registers:
        access = _RW if r.direction == "in" else _RO
        rows.append((r.name, r.offset, access, r.doc, ((r.name, 0, 32, access),)))
    return rows


def _add_kernel(modules: Element, spec: KernelSpec, base: int) -> None:
    name = kernel_instance(spec)
    module = _module(modules, name, f"{KERNEL_VENDOR}:{spec.top}:1.0")
    _registers(module, "s_axi_control", kernel_registers(spec))
    _parameters(
        module,
        {
            "C_S_AXI_CONTROL_ADDR_WIDTH": max(r.offset for r in spec.registers).bit_length(),
            "C_S_AXI_CONTROL_DATA_WIDTH": 32,
            "Component_Name": name,
            **_address_range(module, base),
        },
    )
    _interfaces(
        module,
        ("s_axi_control", "SLAVE", "aximm", "control"),
        ("in0", "SLAVE", "axis", "in0"),
        ("in1", "SLAVE", "axis", "in1"),
        ("out_r", "MASTER", "axis", "out"),  # HLS tools rename what VHDL reserves
    )


def gpio_parameters() -> dict[str, object]:
    """Parameters of the LED register, as the IP has them in Vivado."""
    return {"C_GPIO_WIDTH": 4, "C_ALL_OUTPUTS": 1, "C_ALL_INPUTS": 0, "C_IS_DUAL": 0}


def _add_gpio(modules: Element, base: int) -> None:
    module = _module(modules, GPIO, "xilinx.com:ip:axi_gpio:2.0")
    rows: list[RegisterRow] = [
        ("GPIO_DATA", 0x0, _RW, "Channel 1 data", (("Channel_1_GPIO_DATA", 0, 4, _RW),)),
        ("GPIO_TRI", 0x4, _RW, "Channel 1 direction", (("Channel_1_GPIO_TRI", 0, 4, _RW),)),
    ]
    _registers(module, "S_AXI", rows)
    _parameters(module, {**gpio_parameters(), **_address_range(module, base)})
    _interfaces(module, ("S_AXI", "SLAVE", "aximm", "gpio"))


def dma_parameters(profile: Profile, *, s2mm: bool) -> dict[str, object]:
    """Parameters of an AXI DMA in simple mode, as the IP has them in Vivado."""
    return {
        "c_include_sg": 0,
        "c_micro_dma": 0,
        "c_sg_length_width": profile.dma_length_bits,
        "c_addr_width": 32,
        "c_include_mm2s": 1,
        "c_include_mm2s_dre": 0,
        "c_m_axi_mm2s_data_width": 64,
        "c_m_axis_mm2s_tdata_width": 64,
        "c_mm2s_burst_size": 256,
        "c_include_s2mm": int(s2mm),
        "c_include_s2mm_dre": 0,
        "c_m_axi_s2mm_data_width": 64,
        "c_s_axis_s2mm_tdata_width": 64,
        "c_s2mm_burst_size": 256,
    }


def _add_dma(modules: Element, name: str, base: int, profile: Profile, *, s2mm: bool) -> None:
    module = _module(modules, name, "xilinx.com:ip:axi_dma:7.1")
    rows = _dma_channel("MM2S", 0x00, "SA", "Source_Address", profile.dma_length_bits)
    if s2mm:
        rows += _dma_channel("S2MM", 0x30, "DA", "Destination_Address", profile.dma_length_bits)
    _registers(module, "S_AXI_LITE", rows)
    _parameters(module, {**dma_parameters(profile, s2mm=s2mm), **_address_range(module, base)})
    streams = [("M_AXIS_MM2S", "MASTER", "axis", "in0" if s2mm else "in1")]
    streams += [("S_AXIS_S2MM", "SLAVE", "axis", "out")] if s2mm else []
    ports = [("M_AXI_MM2S", "MASTER", "aximm", f"{name}_mm2s")]
    ports += [("M_AXI_S2MM", "MASTER", "aximm", f"{name}_s2mm")] if s2mm else []
    _interfaces(module, ("S_AXI_LITE", "SLAVE", "aximm", name), *ports, *streams)


def _dma_channel(way: str, base: int, short: str, long: str, bits: int) -> list[RegisterRow]:
    """Registers of one channel in simple mode, as AMD's PG021 has them."""
    control: tuple[Field, ...] = (
        ("RS", 0, 1, _RW),
        ("Reset", 2, 1, _RW),
        ("Keyhole", 3, 1, _RW),
        ("IOC_IrqEn", 12, 1, _RW),
        ("Dly_IrqEn", 13, 1, _RW),
        ("Err_IrqEn", 14, 1, _RW),
        ("IRQThreshold", 16, 8, _RW),
        ("IRQDelay", 24, 8, _RW),
    )
    status: tuple[Field, ...] = (
        ("Halted", 0, 1, _RO),
        ("Idle", 1, 1, _RO),
        ("SGIncld", 3, 1, _RO),
        ("DMAIntErr", 4, 1, _RO),
        ("DMASlvErr", 5, 1, _RO),
        ("DMADecErr", 6, 1, _RO),
        ("IOC_Irq", 12, 1, _RW),
        ("Dly_Irq", 13, 1, _RW),
        ("Err_Irq", 14, 1, _RW),
    )
    return [
        (f"{way}_DMACR", base + 0x00, _RW, f"{way} DMA Control Register", control),
        (f"{way}_DMASR", base + 0x04, _RW, f"{way} DMA Status Register", status),
        (f"{way}_{short}", base + 0x18, _RW, f"{way} {long}", ((long, 0, 32, _RW),)),
        (f"{way}_{short}_MSB", base + 0x1C, _RW, f"{way} {long}, upper half", ((long, 0, 32, _RW),)),
        (f"{way}_LENGTH", base + 0x28, _RW, f"{way} DMA Transfer Length", (("Length", 0, bits, _RW),)),
    ]


# --------------------------------------------------------------------------- processing system


def _add_ps(modules: Element, spec: KernelSpec, profile: Profile) -> None:
    mhz, divisor = reached_mhz(profile)
    if profile.is_zynq7000:
        name, vlnv, master = "processing_system7_0", "processing_system7:5.5", "M_AXI_GP0"
        ports = ("S_AXI_HP0", "S_AXI_HP1")
        values = _zynq_clocks(mhz, divisor)
    else:
        name, vlnv, master = "zynq_ultra_ps_e_0", "zynq_ultra_ps_e:3.4", "M_AXI_HPM0_FPD"
        ports = ("S_AXI_HP0_FPD", "S_AXI_HP1_FPD")
        # With these pynq sets the width of the two ports, which a boot image may have at 128 bits.
        values = {"C_SAXIGP2_DATA_WIDTH": 64, "C_SAXIGP3_DATA_WIDTH": 64}
        values |= _ultrascale_clocks(mhz, divisor)
    module = _module(modules, name, f"xilinx.com:ip:{vlnv}", IS_PL="FALSE")
    _parameters(module, values)
    masters = [(master, "MASTER", "aximm", "control")]
    _interfaces(module, *masters, *((p, "SLAVE", "aximm", p.lower()) for p in ports))
    memory = SubElement(module, "MEMORYMAP")
    slaves = {
        "axi_dma_0": ("S_AXI_LITE", "axi_dma_0"),
        "axi_dma_1": ("S_AXI_LITE", "axi_dma_1"),
        GPIO: ("S_AXI", GPIO),
        kernel_instance(spec): ("s_axi_control", "kernel"),
    }
    for instance, (interface, place) in slaves.items():
        base = profile.addresses[place]
        SubElement(
            memory,
            "MEMRANGE",
            ADDRESSBLOCK="Reg",
            BASEVALUE=f"0x{base:08X}",
            HIGHVALUE=f"0x{base + IP_RANGE - 1:08X}",
            INSTANCE=instance,
            MASTERBUSINTERFACE=master,
            MEMTYPE="REGISTER",
            SLAVEBUSINTERFACE=interface,
        )


def _ultrascale_clocks(mhz: float, divisor: int) -> dict[str, object]:
    values: dict[str, object] = {}
    for n in range(4):
        control = f"PSU__CRL_APB__PL{n}_REF_CTRL"
        values[f"PSU__FPGA_PL{n}_ENABLE"] = int(n == 0)
        values[f"{control}__DIVISOR0"] = divisor if n == 0 else 15
        values[f"{control}__DIVISOR1"] = 1
        values[f"{control}__SRCSEL"] = "IOPLL"
        values[f"{control}__ACT_FREQMHZ"] = mhz if n == 0 else 100
    return values


def _zynq_clocks(mhz: float, divisor: int) -> dict[str, object]:
    values: dict[str, object] = {}
    for n in range(4):
        values[f"PCW_FPGA_FCLK{n}_ENABLE"] = int(n == 0)
        values[f"PCW_FCLK{n}_PERIPHERAL_DIVISOR0"] = divisor if n == 0 else 10
        values[f"PCW_FCLK{n}_PERIPHERAL_DIVISOR1"] = 1
        values[f"PCW_FCLK{n}_PERIPHERAL_CLKSRC"] = "IO PLL"
        values[f"PCW_ACT_FPGA{n}_PERIPHERAL_FREQMHZ"] = mhz if n == 0 else 10
    # pynq 4.0.0 looks for the frequency of every PS under UltraScale+'s name and stops at None
    # without it; pynq 3.1 takes the divisors, and ignores this.
    values["PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"] = mhz
    return values
