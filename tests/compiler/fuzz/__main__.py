# SPDX-License-Identifier: Apache-2.0
"""The command: fuzz, report, shrink what fails and write it out.

Exit code 0 if hlsc takes every program and all answer as the native ones do, else 1: programs are of
the subset, so that a refusal is a gap.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fuzz.case import Case
from fuzz.check import LEVELS, Verdict, check
from fuzz.programs import Sample, sample
from fuzz.shrink import shrunk
from hlsc import toolchain

log = logging.getLogger("fuzz")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Random C++ natively against its RTL.")
    parser.add_argument("-n", type=int, default=300, help="programs (%(default)s)")
    parser.add_argument("--seed", type=int, help="drawn if not given, and printed")
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--batch", type=int, default=25, help="programs per build (%(default)s)")
    parser.add_argument("--level", choices=LEVELS, default="rtl", help="what is compared (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that synthesise (%(default)s)")
    parser.add_argument("--shrink", type=int, default=300, metavar="S", help="seconds per failure")
    parser.add_argument("--out", type=Path, default=toolchain.build_root() / "fuzz" / "found")
    parser.add_argument("files", nargs="*", type=Path, help="cases to run again instead")
    o = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    seed = int.from_bytes(os.urandom(3), "little") if o.seed is None else o.seed
    if o.files:
        cases = [Case.load(p) for p in o.files]
        verdicts = check(cases, level=o.level, seed=seed, jobs=o.jobs)
        for p, v in zip(o.files, verdicts, strict=True):
            print(f"{p.name}: {v.kind} {v.text}")
        return any(v.kind != "same" for v in verdicts)
    return _fuzz(o, seed)


def _fuzz(o: argparse.Namespace, seed: int) -> int:
    print(f"fuzz: seed {seed}, {o.n} programs from number {o.first}", flush=True)
    seen: set[str] = set()  # one of each refusal and crash is shrunk
    start, total = time.monotonic(), Counter[str]()
    for first in range(o.first, o.first + o.n, o.batch):
        samples = [sample(seed, k) for k in range(first, min(first + o.batch, o.first + o.n))]
        verdicts = check([s.case for s in samples], level=o.level, seed=seed + 1, jobs=o.jobs)
        total.update(v.kind for v in verdicts)
        for s, v in zip(samples, verdicts, strict=True):
            if v.kind == "same":
                continue
            print(f"{s.program.name} {v.kind}: {v.text}", flush=True)
            _write(o.out, s.case, v)
            if o.shrink and (v.essence not in seen or v.kind == "different"):
                _shrink(o, s, v)
            seen.add(v.essence)
        done = sum(total.values())
        print(f"{done} programs, {time.monotonic() - start:.0f} s: {_counts(total)}", flush=True)
    return total["same"] < o.n


def _counts(total: Counter[str]) -> str:
    return ", ".join(f"{n} {k}" for k, n in sorted(total.items()))


def _shrink(o: argparse.Namespace, s: Sample, v: Verdict) -> None:
    level = o.level
    for cheaper in ("accepted", "design"):  # where the fault shows as early as that
        if check([s.case], level=cheaper)[0].essence == v.essence:
            level = cheaper
            break

    def fails(cases: Sequence[Case]) -> list[bool]:
        return [x.essence == v.essence for x in check(cases, level=level, seed=2, jobs=o.jobs)]

    small = shrunk(s, fails, seconds=o.shrink)
    case = replace(small.case, name=small.program.name)
    verdict = check([case], level=level, seed=2)[0]
    print(f"  shrunk: {_write(o.out, case, verdict, '.small')}: {verdict.text.splitlines()[0]}")


def _write(folder: Path, case: Case, v: Verdict, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.name}.{v.kind}{more}.cpp"
    path.write_text(case.file_text())
    return path


if __name__ == "__main__":
    sys.exit(main())
