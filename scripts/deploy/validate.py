#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the bundle's layers on the board and compares every output with the expected one, to the bit.

Needs what a PYNQ image has (numpy, pynq) and the convloom wheel of this bundle. Exit code 0: all exact.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

try:
    import numpy as np

    from convloom.commands.text import size, table
    from convloom.driver import ConvOverlay
    from convloom.errors import ConvloomError
    from convloom.layer import ConvLayer, Requant
except ImportError as error:
    sys.exit(f"validate: {error.name} must be installed for {sys.executable}: sudo sh install.sh")

HERE = Path(__file__).resolve().parent


def read_layer(path: Path) -> tuple[ConvLayer, dict[str, Any]]:
    """The layer of one file, and its tensors x, w, bias and y (expected)."""
    try:
        with np.load(path) as file:
            tensors = {name: file[name] for name in ("x", "w", "bias", "y")}
            fields = json.loads(str(file["layer"]))
        if fields["requant"] is not None:
            fields["requant"] = Requant.from_json(fields["requant"])
        return ConvLayer(**fields), tensors
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConvloomError(
            f"{path.name} must be a layer of the bundle ({error}); unpack it again"
        ) from None


def overlay_of(folder: Path) -> Path:
    """The one .bit of the bundle."""
    found = sorted(folder.glob("*.bit"))
    if len(found) != 1:
        raise ConvloomError(f"{folder} must hold one .bit, not {len(found)}; name it with --overlay")
    return found[0]


def check(overlay: ConvOverlay, layer: ConvLayer, tensors: dict[str, Any]) -> tuple[str, str]:
    """(result, cycles) of one layer; cycles only where the board counts them."""
    try:
        y = overlay.run(layer, tensors["x"], tensors["w"], tensors["bias"])
    except ConvloomError as error:
        return " ".join(str(error).split()), ""
    cycles = overlay.report.cycles
    counted = "" if cycles is None else f"{cycles:,}"
    wrong = int((y != tensors["y"]).sum())
    return (f"{wrong} of {y.size} differ" if wrong else "exact"), counted


def main() -> int:
    """Print a table of all layers; 1 if one is not exact."""
    parser = argparse.ArgumentParser(description="check an overlay with the layers of this bundle")
    parser.add_argument(
        "--overlay", type=Path, metavar="FILE.bit", help="another overlay than the one beside this file"
    )
    args = parser.parse_args()
    rows = []
    try:
        bitstream = args.overlay or overlay_of(HERE)
        layers = [read_layer(path) for path in sorted((HERE / "data").glob("*.npz"))]
        if not layers:
            raise ConvloomError(f"{HERE / 'data'} must hold layers; unpack the bundle again")
        with ConvOverlay(bitstream) as overlay:
            for layer, tensors in layers:
                result, cycles = check(overlay, layer, tensors)
                rows.append([layer.name, size(layer.macs), cycles, result])
    except ConvloomError as error:
        print(f"validate: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(table(["layer", "MACs", "cycles", "result"], rows, right=["MACs", "cycles"]))
    exact = sum(row[-1] == "exact" for row in rows)
    print(f"{exact} of {len(rows)} layers exact on {bitstream.name}")
    return int(exact != len(rows))


if __name__ == "__main__":
    sys.exit(main())
