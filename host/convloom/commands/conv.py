# SPDX-License-Identifier: Apache-2.0
"""Compute one int8 convolution layer, by the numpy reference or on a kernel.

Maps are NHWC, weights OHWI (filters, filter height, filter width, channels / groups). The output is
int32, or int8 with --requant, a JSON file:
  {"multiplier": [per filter], "shift": [per filter], "zero_point": 0, "clamp": [-128, 127]}
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from convloom.commands.board_level import SETTINGS
from convloom.commands.files import check_writable, read_array, read_requant, write_array
from convloom.commands.levels import LEVELS
from convloom.commands.ways import KERNELS, REFERENCE, choose, compute
from convloom.errors import LayerError
from convloom.kernels import config_names
from convloom.layer import ConvLayer
from convloom.lowering import lowering_names

__all__ = ["HELP", "NAME", "configure", "run"]

NAME = "conv"
HELP = "compute one layer from .npy files"


def _add_choice(
    parser: argparse.ArgumentParser, option: str, names: tuple[str, ...], default: str, text: str
) -> None:
    """An option that takes one of `names`, and refuses any other word with the nearest of them."""

    def name(word: str) -> str:
        if word not in names:
            near = get_close_matches(word, names, n=1, cutoff=0)[0]
            known = ", ".join(names)
            raise argparse.ArgumentTypeError(
                f"must be one of {known}, not {word!r}; the nearest is {near}"
            )
        return word

    metavar = "{" + ",".join(names) + "}"
    parser.add_argument(option, type=name, default=default, metavar=metavar, help=text)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--input", type=Path, required=True, metavar="X.npy", help="map: int8 or uint8, NHWC")
    add("--weights", type=Path, required=True, metavar="W.npy", help="filters: int8, OHWI")
    add("--bias", type=Path, metavar="B.npy", help="int32, one per filter")
    add("--stride", type=int, nargs=2, default=(1, 1), metavar=("H", "W"))
    add("--pads", type=int, nargs=4, default=(0, 0, 0, 0), metavar=("T", "L", "B", "R"))
    add("--dilation", type=int, nargs=2, default=(1, 1), metavar=("H", "W"))
    add("--groups", type=int, default=1, metavar="G")
    add(
        "--x-zero-point",
        type=int,
        default=0,
        metavar="Z",
        help="value of the map that means 0, in the map's own type; padding holds it",
    )
    add("--requant", type=Path, metavar="Q.json", help="requantise to int8")
    add("--kernel", choices=("auto", *KERNELS), default="auto")
    lowerings = ("auto", *lowering_names())
    _add_choice(parser, "--lowering", lowerings, "auto", "default: %(default)s")
    add("--on", choices=(REFERENCE, *LEVELS), default=REFERENCE, help="default: %(default)s")
    size = "size of the kernel, which must have it, default: %(default)s"
    _add_choice(parser, "--config", config_names(), "tiny", size)
    add("--bitstream", type=Path, metavar="X.bit", help="overlay of the board, with --on board")
    add("--board", default="pynq-z2", metavar="PROFILE", help="virtual board, default: %(default)s")
    add(
        "--time-limit",
        type=float,
        metavar="S",
        help="seconds without progress after which a board is given up",
    )
    add("--output", type=Path, required=True, metavar="Y.npy")
    add("--json", action="store_true", help="print what was done as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compute the layer and write it; returns 0."""
    check_writable("output", args.output)
    if args.time_limit is not None and not 0 < args.time_limit <= 86400:
        raise LayerError(f"--time-limit must be above 0 and at most 86400, not {args.time_limit}")
    SETTINGS.bitstream, SETTINGS.profile = args.bitstream, args.board
    SETTINGS.limit = args.time_limit
    x = read_array("input", args.input, "NHWC", ("int8", "uint8"))
    w = read_array("weights", args.weights, "OHWI", ("int8",))
    bias = None if args.bias is None else read_array("bias", args.bias, "K", ("int32", "int64"))
    layer = _layer(args, x.shape, w.shape, str(x.dtype))
    x, w, bias = layer.check_tensors(x, w, bias)
    if layer.x_unsigned:  # check_tensors has made the map int8
        layer = replace(layer, x_unsigned=False)
    way = choose(layer, args.on, args.kernel, args.lowering, args.config)
    answer = compute(way, layer, x, w, bias)
    write_array("output", args.output, answer.y)
    done: dict[str, Any] = {
        "layer": layer.name,
        "on": way.level,
        "algorithm": way.lowering if way.level == REFERENCE else way.kernel,
        "lowering": None if way.level == REFERENCE else way.lowering,
        "config": way.config or None,
        "macs": layer.macs,
        "bytes_in": answer.bytes_in,
        "bytes_out": answer.bytes_out,
        "extra_bytes": answer.extra_bytes,
        "seconds": round(answer.seconds, 6),
        "cycles": answer.cycles,
        "output": str(args.output),
        "shape": list(answer.y.shape),
        "dtype": str(answer.y.dtype),
    }
    if answer.report is not None:
        done["board"] = answer.report.as_json()
    if args.json:
        print(json.dumps(done))
        return 0
    streamed = ""
    if way.level != REFERENCE:
        streamed = f", {answer.bytes_in:,} bytes in, {answer.bytes_out:,} out"
    print(
        f"{layer.name} by {way}: {layer.macs:,} MACs{streamed}, {answer.seconds:.3f} s; "
        f"{answer.y.dtype} {answer.y.shape} in {args.output}"
    )
    if answer.report is not None:
        print(answer.report)
    return 0


def _layer(args: argparse.Namespace, x: tuple[int, ...], w: tuple[int, ...], dtype: str) -> ConvLayer:
    """The layer that the tensors and options describe."""
    if args.groups < 1:
        raise LayerError(f"--groups must be at least 1, not {args.groups}")
    if w[3] * args.groups != x[3]:
        raise LayerError(
            f"weights must have channels / groups = {x[3]} / {args.groups} as last axis, not {w[3]}"
        )
    make = ConvLayer.for_uint8 if dtype == "uint8" else ConvLayer
    sizes: dict[str, Any] = dict(zip("nhwckrs", (*x, *w[:3]), strict=True))
    return make(
        **sizes,
        stride=tuple(args.stride),
        pads=tuple(args.pads),
        dilation=tuple(args.dilation),
        groups=args.groups,
        x_zero_point=args.x_zero_point,
        requant=None if args.requant is None else read_requant(args.requant),
    )
