# SPDX-License-Identifier: Apache-2.0
"""From a kernel to vendor tools: HLS projects and bitstreams; behind `make vendor-csim` … `make bit`.

Everything is made below build/vendor/; `--prepare` stops before a tool is needed.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

from vendor_places import BIT_HLS, bit_folder, project_folder
from vitis.hls_project import STAGES, HlsProject, write_project
from vitis.tools import PREPARED, HlsTool, find_hls, find_vivado, run_tool
from vivado.bit_project import BitProject, write_bit_project
from vivado.figures import figures_table, vendor_figures

from convloom.errors import ConvloomError
from convloom.kernels import load_kernel
from hlsc.errors import HlscError
from vboard.errors import VboardError
from vboard.profile import load_profile

ROOT = Path(__file__).resolve().parents[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("stage", choices=[*STAGES, "bit", "figures"], help="what to do")
    parser.add_argument("--kernel", required=True, metavar="NAME")
    parser.add_argument("--board", required=True, metavar="NAME")
    parser.add_argument("--config", default="z2", metavar="NAME", help="sizes (%(default)s)")
    parser.add_argument("--tool", default="auto", metavar="NAME", help="auto, vitis or vivado")
    parser.add_argument("--hls", default="vitis", metavar="NAME", help="bit: vitis or hlsc")
    parser.add_argument("--clock-mhz", type=float, metavar="MHZ", help="instead of the board's clock")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="bit: Vivado's processes")
    parser.add_argument("--prepare", action="store_true", help="write the project, run no tool")
    return parser


def _hls(project: HlsProject, folder: Path, stage: str, tool: HlsTool, *, run: bool) -> None:
    steps = STAGES[stage]
    if run:  # what an earlier run left must not pass for this one's
        shutil.rmtree(folder, ignore_errors=True)
    write_project(project, folder, tool.dialect, steps)
    print(f"HLS project: {folder}")
    for argv in tool.argv(steps) if run else []:
        print("running", *argv, flush=True)
        run_tool(argv, folder)


def _exported_ip(folder: Path) -> Path:
    """Where the HLS tool left the IP: the folder that holds component.xml."""
    found = sorted(folder.glob("**/impl/ip/component.xml"))
    if not found:
        raise ConvloomError(f"the HLS tool must have exported an IP below {folder}, not nothing")
    return found[0].parent


def _hlsc_rtl(project: HlsProject) -> Path:
    """The RTL of every other level, so that what is built is what was simulated.

    A clock that it can not reach fails the timing check; CLOCK_MHZ asks for a slower one.
    """
    from hlsc.flow import synthesized  # imports the compiler's engines, which takes seconds

    spec = project.spec
    made = synthesized(
        spec.sources,
        spec.top,
        include_dirs=spec.include_dirs,
        defines=spec.defines(project.config),
    )
    return made / f"{spec.top}.sv"


def _bit(args: argparse.Namespace, project: HlsProject, root: Path) -> None:
    if args.hls not in BIT_HLS:
        raise ConvloomError(f"HLS must be {' or '.join(BIT_HLS)}, not {args.hls!r}")
    # What is missing is said before hours of work.
    vivado = None if args.prepare else find_vivado()
    folder = bit_folder(args.kernel, args.config, args.board, args.hls)
    rtl = ip = None
    if args.hls == "hlsc":
        rtl = _hlsc_rtl(project)
    elif args.prepare:
        _hls(project, root / "hls", "ip", PREPARED, run=False)
    else:
        _hls(project, root / "hls", "ip", find_hls(args.tool), run=True)
        ip = _exported_ip(root / "hls")
    if vivado is not None:
        shutil.rmtree(folder, ignore_errors=True)
    bit = BitProject(project.spec, project.config, project.profile, args.hls, args.jobs)
    write_bit_project(bit, folder, rtl=rtl, ip=ip)
    print(f"Vivado project: {folder}")
    if rtl is None and ip is None:
        print(f"before bit.tcl: copy the IP that HLS exports (…/impl/ip) to {folder / 'ip'}")
    if vivado is not None:
        run_tool([vivado, "-mode", "batch", "-nojournal", "-source", "bit.tcl"], folder)
        print(f"wrote {folder / bit.stem}.bit and .hwh")
        print(figures_table(vendor_figures(root)), end="")


def _run(args: argparse.Namespace) -> None:
    profile = load_profile(args.board)
    if args.clock_mhz is not None:
        profile = dataclasses.replace(profile, clock_mhz=args.clock_mhz)
    project = HlsProject(load_kernel(args.kernel), args.config, profile)
    root = project_folder(args.kernel, args.config, args.board)
    if args.stage == "bit":
        _bit(args, project, root)
    elif args.stage == "figures":
        print(figures_table(vendor_figures(root)), end="")
    else:
        tool = PREPARED if args.prepare else find_hls(args.tool)
        _hls(project, root / "hls", args.stage, tool, run=not args.prepare)
        if not args.prepare:
            print(figures_table(vendor_figures(root)), end="")


def main() -> int:
    args = _parser().parse_args()
    try:
        _run(args)
    except (ConvloomError, HlscError, VboardError) as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
