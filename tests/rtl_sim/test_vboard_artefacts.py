# SPDX-License-Identifier: Apache-2.0
"""Profiles, .hwh, .bit, and the board's processing system, without a server."""

from __future__ import annotations

import importlib.util
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from convloom.kernels import kernel_names, load_kernel
from vboard import artefacts
from vboard.artefacts import read_binary
from vboard.errors import VboardError
from vboard.hwh import hwh_text, kernel_instance, reached_mhz
from vboard.profile import load_profile, profile_names
from vboard.server import check_address
from vboard.system import Cma, Files, PsRegisters

ZYNQ_ONLY = "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ"


def test_profiles_are_those_of_the_boards():
    assert profile_names() == ("aup-zu3", "kv260", "pynq-z2")
    z2 = load_profile("pynq-z2")
    assert (z2.part, z2.clock_mhz, z2.ddr_bytes_per_cycle) == ("xc7z020clg400-1", 150.0, 12.2)
    assert z2.is_zynq7000 and not load_profile("kv260").is_zynq7000
    for name in profile_names():
        profile = load_profile(name)
        assert profile.port_bytes_per_cycle == 8 and profile.dma_length_bits == 26


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("part", "xc7z020", "part must be as Vivado writes it, like xc7z020clg400-1, not 'xc7z020'"),
        ("family", "versal", "family must be one of zynq, zynquplus, not 'versal'"),
        ("ddr_bytes_per_cycle", 0.0, "ddr_bytes_per_cycle must be 0.1 to 1024, not 0.0"),
        ("port_bytes_per_cycle", 16, "port_bytes_per_cycle must be 8"),
        ("dma_length_bits", 27, "dma_length_bits must be 8 to 26, not 27"),
        ("cma_base", 100, "cma_base must be a page's address"),
        ("ddr_bytes", 0x1000, "ddr_bytes must reach past the CMA region"),
        ("addresses", {"kernel": 0}, "addresses must name"),
        (
            "addresses",
            dict.fromkeys(("kernel", "axi_dma_0", "axi_dma_1", "axi_gpio_led"), 0),
            "different",
        ),
    ],
)
def test_profile_values_are_checked(attribute, value, text):
    with pytest.raises(VboardError, match=f"board pynq-z2: .*{text}"):
        replace(load_profile("pynq-z2"), **{attribute: value})


def test_unknown_board_names_the_known_ones():
    with pytest.raises(VboardError, match="board must be one of aup-zu3, kv260, pynq-z2, not 'zcu102'"):
        load_profile("zcu102")


@pytest.mark.parametrize("board", profile_names())
@pytest.mark.parametrize("kernel", kernel_names())
def test_hwh_holds_every_register_at_its_address(kernel, board):
    spec, profile = load_kernel(kernel), load_profile(board)
    text = hwh_text(spec, next(iter(spec.configs)), profile)
    assert text == hwh_text(spec, next(iter(spec.configs)), profile)
    root = ElementTree.fromstring(text)
    module = root.find(f".//MODULE[@INSTANCE='{kernel_instance(spec)}']")
    assert module is not None
    offsets = {
        r.get("NAME"): int(r.find("PROPERTY[@NAME='ADDRESS_OFFSET']").get("VALUE"), 16)
        for r in module.iter("REGISTER")
    }
    assert offsets == {"CTRL": 0, "GIER": 4, "IP_IER": 8, "IP_ISR": 12} | {
        r.name: r.offset for r in spec.registers
    }
    ranges = {m.get("INSTANCE"): int(m.get("BASEVALUE"), 16) for m in root.iter("MEMRANGE")}
    assert ranges[kernel_instance(spec)] == profile.addresses["kernel"]
    assert len(ranges) == 4 and all(m.get("MEMTYPE") == "REGISTER" for m in root.iter("MEMRANGE"))


def system_info(text: str) -> dict[str, str]:
    return dict(ElementTree.fromstring(text).find("SYSTEMINFO").attrib)


@pytest.mark.parametrize(
    ("board", "words", "said"),
    [
        ("pynq-z2", ("7z020", "clg400", "-1"), "7z020clg400"),
        ("aup-zu3", ("xczu3eg", "sfvc784", "-2"), "xczu3eg-sfvc784-2-e"),
        ("kv260", ("xck26", "sfvc784", "-2LV"), "xck26-sfvc784-2LV-c"),
    ],
)
def test_both_files_name_the_part_as_vivado_does(board, words, said):
    profile = load_profile(board)
    info = system_info(hwh_text(load_kernel("gemm_systolic"), "tiny", profile))
    assert tuple(info[k] for k in ("DEVICE", "PACKAGE", "SPEEDGRADE")) == words
    assert b"b\0" + bytes([len(said) + 1]) + said.encode() + b"\0" in artefacts._bit("k", profile, {})


def test_system_information_is_that_of_a_hwh_from_vivado():
    """pynqmetadata brings two: one of the PYNQ-Z2's part, one of UltraScale+."""
    (package,) = importlib.util.find_spec("pynqmetadata").submodule_search_locations
    zynq, ultrascale = (
        system_info(Path(package, "tests", "hwhs", f"{name}.hwh").read_text())
        for name in ("resizer", "rfsoc_sam")
    )
    spec = load_kernel("gemm_systolic")
    ours = system_info(hwh_text(spec, "tiny", load_profile("pynq-z2")))
    keys = ("ARCH", "DEVICE", "PACKAGE", "SPEEDGRADE")
    assert [ours[k] for k in keys] == [zynq[k] for k in keys]
    theirs = system_info(hwh_text(spec, "tiny", load_profile("aup-zu3")))
    assert set(ours) == set(theirs) == set(ultrascale)
    assert ultrascale["DEVICE"][:4] == theirs["DEVICE"][:4] == "xczu"


def test_the_parameter_for_pynq_4_on_zynq_7000_is_only_there():
    spec = load_kernel("gemm_systolic")

    def parameters(board: str) -> dict[str, str]:
        root = ElementTree.fromstring(hwh_text(spec, "tiny", load_profile(board)))
        ps = next(m for m in root.iter("MODULE") if m.get("IS_PL") == "FALSE")
        return {p.get("NAME"): p.get("VALUE") for p in ps.iter("PARAMETER")}

    zynq, ultrascale = parameters("pynq-z2"), parameters("kv260")
    foreign = [name for name in zynq if name.startswith("PSU")]
    assert foreign == [ZYNQ_ONLY] and zynq[ZYNQ_ONLY] == "142.857143"
    assert ultrascale[ZYNQ_ONLY] == "300.0" and not any(n.startswith("PCW") for n in ultrascale)


def test_clocks_are_what_the_plls_reach():
    assert reached_mhz(load_profile("pynq-z2")) == (142.857143, 7)
    assert reached_mhz(load_profile("kv260")) == (300.0, 5)
    assert reached_mhz(load_profile("aup-zu3")) == (250.0, 6)


def test_bit_header_and_payload():
    payload = {"kernel": "k", "config": "tiny", "board": "b", "digest": "0123"}
    data = artefacts._bit("k_tiny", load_profile("pynq-z2"), payload)
    assert struct.unpack(">H", data[:2]) == (9,) and data[11:13] == b"\0\1"
    at, fields = 13, {}
    while data[at : at + 1] != b"e":
        (length,) = struct.unpack(">H", data[at + 1 : at + 3])
        fields[chr(data[at])] = data[at + 3 : at + 3 + length]
        at += 3 + length
    (length,) = struct.unpack(">I", data[at + 1 : at + 5])
    body = data[at + 5 :]
    assert fields["b"] == b"7z020clg400\0" and list(fields) == ["a", "b", "c", "d"]
    assert length == len(body) and length % 4 == 0
    swapped = b"".join(body[i : i + 4][::-1] for i in range(0, len(body), 4))
    assert read_binary(swapped) == payload == read_binary(body)
    for wrong in (b"", b"\xff" * 64, body[:40], body.replace(b"digest", b"dagest"), bytes(1 << 20)):
        with pytest.raises(VboardError, match="bitstream must be one that `vboard build` wrote"):
            read_binary(wrong)


def test_the_payload_has_the_hash_of_both_hwh_and_rtl(tmp_path, monkeypatch):
    right = artefacts.design("gemm_systolic", "tiny")

    def built(text: str, hwh: str = "") -> tuple[str, dict[str, str]]:
        sv = tmp_path / right.sv.name
        sv.write_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(artefacts, "design", lambda *_: replace(right, sv=sv))
            patch.setattr(artefacts, "hwh_text", lambda *a: hwh_text(*a) + hwh)
            overlay = artefacts.build_overlay("gemm_systolic", "pynq-z2", "tiny", out=tmp_path)
        raw = overlay.bitstream.read_bytes()
        return overlay.digest, read_binary(raw[raw.index(b"convloom virtual") :])

    text = right.sv.read_text()
    first, payload = built(text)
    assert payload["digest"] == first == built(text)[0]
    assert len({first, built(text + "\n")[0], built(text, "<!-- other -->\n")[0]}) == 3


def test_files_have_clean_paths():
    files = Files(load_profile("pynq-z2"))
    assert Files.path("//tmp/../tmp/./x") == "/tmp/x"
    assert files.exists("/proc") and files.exists("/lib/firmware") and not files.exists("/etc")
    files.write("/tmp/x", b"1")
    assert files.read("/tmp/x") == b"1" and files.exists("/tmp/x") and not files.exists("/tmp/x/y")
    assert b"armv7l" in files.read("/proc/version")
    assert b"aarch64" in Files(load_profile("kv260")).read("/proc/version")


def test_firmware_that_was_never_programmed_gives_way():
    files = Files(load_profile("pynq-z2"))
    for i in range(130):
        files.write(f"/lib/firmware/{i}.bin", b"x")
    assert not files.exists("/lib/firmware/0.bin") and files.exists("/lib/firmware/129.bin")


def test_cma_fills_gaps_and_never_uses_a_name_twice():
    cma = Cma(0x1000, 0x4000)
    names = [cma.allocate(4096) for _ in range(4)]
    assert [cma.find(n)[0] for n in names] == [0x1000, 0x2000, 0x3000, 0x4000]
    with pytest.raises(VboardError, match="1 bytes asked, 0 of 16384 free"):
        cma.allocate(1)
    cma.free(names[1])
    again = cma.allocate(100)
    assert cma.find(again) == (0x2000, 100) and again not in names
    assert cma.bounds()[1] == (0x2000, 0x3000) and cma.used == 0x4000
    with pytest.raises(VboardError, match="one that is allocated"):
        cma.find(names[1])


def test_ps_registers_are_memory_inside_their_blocks():
    ps = PsRegisters(load_profile("kv260"))
    assert ps.holds(0xFF5E0000, 0x100) and not ps.holds(0xFF5E0000, 0x2000) and not ps.holds(0, 4)
    assert ps.read(0xFF5E0020) == 0x15A00
    ps.write(0xFD615000, 7)
    assert ps.read(0xFD615000) == 7 and ps.read(0xFD615004) == 0


@pytest.mark.parametrize("good", ["127.0.0.1:7967", "[::1]:80", "localhost:1", "unix:/tmp/x:7967"])
def test_addresses_of_this_machine(good):
    assert check_address(good) == good


@pytest.mark.parametrize("bad", ["10.0.0.1:80", "0.0.0.0:80", "[::]:80"])
def test_other_addresses_only_when_told(bad):
    with pytest.raises(VboardError, match="--allow-remote"):
        check_address(bad)
    assert check_address(bad, allow_remote=True) == bad


@pytest.mark.parametrize(
    "bad", ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "unix:" + 200 * "/x"]
)
def test_wrong_addresses(bad):
    with pytest.raises(VboardError, match="must"):
        check_address(bad)
