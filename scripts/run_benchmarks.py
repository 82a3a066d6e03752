#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes that each lowering streams for ResNet-18, the speed of C-simulation, hlsc and the board.

Prints a table each; exit code 1 when a byte count is not what its formula says, when outputs differ,
when the gain of C-simulation is below --least, or when hlsc or the virtual board is slower than it must
be.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import bench_board
import bench_bytes
import bench_csim
import bench_hls

from convloom.errors import ConvloomError
from hlsc.errors import HlscError

PARTS = ("bytes", "csim", "hls", "board")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default all")
    parser.add_argument("--edge", type=int, default=32, help="csim: height and width of the map, 32")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of them counts, default 3")
    parser.add_argument("--least", type=float, default=10, help="csim: gain to reach, default 10")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    parts = args.parts or list(PARTS)
    unknown = [p for p in parts if p not in PARTS]
    if unknown:
        parser.error(f"part must be one of {', '.join(PARTS)}, not {unknown[0]!r}")
    wrong: list[str] = []
    found: dict[str, Any] = {}
    try:
        if "bytes" in parts:
            results = bench_bytes.measure()
            wrong += bench_bytes.differences(results)
            found["bytes"] = bench_bytes.as_json(results)
            if not args.json:
                print(bench_bytes.printed(results), flush=True)
        if "csim" in parts:
            speed = bench_csim.measure(args.edge, args.repeats)
            found["csim"] = bench_csim.as_json(speed)
            if not args.json:
                print("\n" * ("bytes" in parts) + bench_csim.printed(speed))
            if not speed.same:
                wrong.append("outputs must be the same with both headers, and differ")
            if speed.gain < args.least:
                wrong.append(f"gain must be at least {args.least:g}, not {speed.gain:.1f}")
        if "hls" in parts:
            times = bench_hls.measure(args.repeats)
            found["hls"] = bench_hls.as_json(times)
            if not args.json:
                print("\n" * (parts[0] != "hls") + bench_hls.printed(times))
            wrong += bench_hls.shortfalls(times)
        if "board" in parts:
            rates = bench_board.measure(bench_board.CASES, args.repeats)
            found["board"] = bench_board.as_json(rates)
            if not args.json:
                print("\n" * (len(parts) > 1) + bench_board.printed(rates))
            wrong += bench_board.shortfalls(rates)
    except (ConvloomError, HlscError) as error:
        wrong.append(str(error))
    if args.json:
        print(json.dumps(found))
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
