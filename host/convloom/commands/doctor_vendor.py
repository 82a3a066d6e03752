# SPDX-License-Identifier: Apache-2.0
"""What `convloom doctor` says of AMD's tools: what each found one can do here, and known traps.

The traps are from the vendor's answer records and release notes and from users' reports; no vendor
tool has been run by this project.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from convloom.commands.findings import Finding
from convloom.vendor_tools import HLS_TOOLS, LAST, RELEASES, TOOLS, VendorTool, release_text

__all__ = ["vendor_findings"]

_USES = {
    "vitis-run": "C-simulation, co-simulation and packaging of HLS C++",
    "v++": "synthesis of HLS C++ from hls_config.cfg (`v++ -c --mode hls`)",
    "vitis_hls": "all steps of HLS C++ from run_hls.tcl",
    "vivado_hls": "all steps of HLS C++ from run_hls.tcl",
    "vivado": "block design and bitstream: make bit",
}

FIXED_DATE = (2022, 1)
_DATED = ("vitis_hls", "vivado_hls")
WINDOWS_ONLY_FREE = (2026, 1)
LAST_VITIS_HLS = RELEASES["vitis_hls"][1]


def vendor_findings(
    tools: Sequence[VendorTool], environ: Mapping[str, str], home: Path, platform: str = sys.platform
) -> list[Finding]:
    """Findings on the tools and on each trap; a trap that needs a tool that is not here is ok."""
    hls = [t for t in tools if t.name in HLS_TOOLS]
    found = [_tool(name, [t for t in tools if t.name == name], hls) for name in TOOLS]
    return [
        *found,
        _date(hls),
        _tlast(hls),
        _vitis_hls(hls),
        _licence([t for t in tools if t.name == "vivado"], environ, home, platform),
    ]


def _tool(name: str, found: Sequence[VendorTool], hls: Sequence[VendorTool]) -> Finding:
    others = [t for t in hls if t.serves and name in HLS_TOOLS]
    if not found:
        if name == "vivado":
            return Finding(
                name, "absent", "not found", "all but the bitstream", "install Vivado for make bit"
            )
        if others:
            return Finding(name, "absent", "not found", f"{others[0]} serves instead", "")
        advice = "nothing to do: hlsc needs no vendor tool; for Vitis's own RTL install Vitis"
        return Finding(name, "absent", "not found", "hlsc synthesises", advice)
    first = found[0]
    said = f"{first} at {first.path}"
    if len(found) > 1:
        said += f"; also {', '.join(release_text(t.version) if t.version else '?' for t in found[1:])}"
    if first.version is None:
        return Finding(name, "warning", said, _USES[name], "source the settings script of the release")
    if first.is_known:
        return Finding(name, "ok", said, _USES[name], "")
    span = f"releases {' to '.join(map(release_text, RELEASES[name]))}"
    if first.version > LAST:
        return Finding(name, "warning", said, f"untried: {span} are known", f"take one of {span}")
    # v++ of 2022.1, say, is no tool of HLS yet: vitis_hls beside it is.
    works = f"{others[0]} serves instead" if others else "not taken by make"
    return Finding(name, "absent" if others else "warning", said, works, f"take one of {span}")


def _date(hls: Sequence[VendorTool]) -> Finding:
    """AR 76960: the revision YYMMDDhhmm of an exported IP exceeds 32 bits since 2022."""
    name = "trap: export fails since 2022"
    old = [t for t in hls if t.name in _DATED and t.version and t.version < FIXED_DATE]
    bad = [t for t in old if not any(t.root.glob("common/scripts/automg_patch*.tcl"))]
    if not bad:
        state = "patched" if old else "does not apply"
        return Finding(name, "ok", state, "export_design makes the IP", "")
    return Finding(
        name,
        "warning",
        ", ".join(map(str, bad)),
        "C-simulation, synthesis and co-simulation; export_design (make ip) ends with "
        '"invalid argument" or "bad lexical cast"',
        "apply AMD's y2k22_patch (answer record 76960), or take 2022.1 or newer",
    )


def _tlast(hls: Sequence[VendorTool]) -> Finding:
    name = "trap: TLAST of custom structs"
    vitis = [t for t in hls if t.name != "vivado_hls"]
    if not vitis:
        return Finding(name, "ok", "does not apply", "", "")
    return Finding(
        name,
        "ok",
        str(vitis[0]),
        "streams of hls::axis or ap_axiu carry TLAST and TKEEP, as in convloom's kernels; a field "
        "`last` in a struct of your own becomes data without a warning",
        "check your own sources with hlsc lint",
    )


def _vitis_hls(hls: Sequence[VendorTool]) -> Finding:
    name = "trap: vitis_hls is removed"
    newer = [t for t in hls if t.version and t.version > LAST_VITIS_HLS]
    names = {t.name for t in newer}
    if not newer:
        return Finding(name, "ok", "does not apply", "", "")
    works = "vitis-run and v++ take hls_config.cfg and Tcl (`vitis-run --mode hls --tcl`)"
    if {"vitis-run", "v++"} <= names:
        return Finding(name, "ok", str(newer[0]), works, "scripts that call vitis_hls need these")
    missing = ", ".join(sorted({"vitis-run", "v++"} - names))
    return Finding(
        name, "warning", f"{newer[0]}, but no {missing}", "", "source settings64.sh of Vitis itself"
    )


def _licence(
    vivado: Sequence[VendorTool], environ: Mapping[str, str], home: Path, platform: str
) -> Finding:
    name = "trap: free Vivado on Linux"
    if not vivado or vivado[0].version is None or platform != "linux":
        return Finding(name, "ok", "does not apply", "", "")
    if vivado[0].version < WINDOWS_ONLY_FREE:
        works = "small parts, those of PYNQ boards among them, need no licence"
        return Finding(name, "ok", str(vivado[0]), works, "keep this release")
    given = [v for v in ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE") if environ.get(v)]
    if given or any((home / ".Xilinx").glob("*.lic")):
        where = given[0] if given else "~/.Xilinx"
        return Finding(
            name, "ok", f"{vivado[0]}; licence in {where}", "bitstreams, if it covers the part", ""
        )
    return Finding(
        name,
        "warning",
        f"{vivado[0]} without a licence",
        "nothing is synthesised: from 2026.1 on the free tier runs on Windows only",
        "install 2025.2 beside it, or set XILINXD_LICENSE_FILE",
    )
