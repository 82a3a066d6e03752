# SPDX-License-Identifier: Apache-2.0
"""Native against RTL for a batch of cases: two builds, one verdict per case."""

from __future__ import annotations

import concurrent.futures
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fuzz import native, rtl
from fuzz.case import Case
from fuzz.native import Expected
from fuzz.rtl import Made
from hlsc.csim import CsimError, Kernel
from hlsc.errors import HlscError, ToolError
from hlsc.interp import interpret

__all__ = ["LEVELS", "Verdict", "check"]

LEVELS = ("rtl", "design", "accepted")
"""What is compared with the native program: the RTL; what the middle end made, interpreted; nothing."""

T = TypeVar("T")
B = TypeVar("B")


@dataclass(frozen=True)
class Verdict:
    """`kind`: same; different; refused (by hlsc); crash (of hlsc, or RTL that Verilator refuses);
    invalid (the program itself: a fault of the generator)."""

    kind: str
    text: str = ""

    @property
    def failed(self) -> bool:
        return self.kind in ("different", "crash", "invalid")

    @property
    def essence(self) -> str:
        """What two verdicts of the same fault have in common, as far as one can say."""
        if self.kind == "different":
            return self.kind
        first = self.text.partition("\n")[0]
        return self.kind + re.sub(r"^\S*:\d+: |'[^']*'|[\w.%]*\d[\w.]*", "", first)


def check(cases: Sequence[Case], *, level: str = "rtl", seed: int = 1, jobs: int = 1) -> list[Verdict]:
    """Run every case both ways.

    `jobs`: processes that synthesise; 1 keeps to this one, for tests that change the compiler.
    """
    if jobs > 1 and len(cases) > 1:
        with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
            made = list(pool.map(_synthesis, cases, [level] * len(cases)))
    else:
        made = [_synthesis(c, level) for c in cases]
    verdicts = {c.name: m for c, m in zip(cases, made, strict=True) if isinstance(m, Verdict)}
    if level == "accepted":
        return [verdicts.get(c.name, Verdict("same")) for c in cases]
    accepted = [(c, m) for c, m in zip(cases, made, strict=True) if not isinstance(m, Verdict)]
    ready: list[tuple[Case, Made, list[Expected]]] = []
    answers = _expectations([c for c, _ in accepted])
    for (case, result), answer in zip(accepted, answers, strict=True):
        if isinstance(answer, Verdict):
            verdicts[case.name] = answer
        else:
            ready.append((case, result, answer))
    if level == "design":
        for case, result, answer in ready:
            verdicts[case.name] = _against_design(case, result, answer)
        return [verdicts[c.name] for c in cases]
    models = _together(ready, lambda some: rtl.build([m for _, m, _ in some]), "crash")
    for (case, result, answer), model in zip(ready, models, strict=True):
        verdicts[case.name] = (
            model if isinstance(model, Verdict) else _against_rtl(model[0], case, result, answer, seed)
        )
    return [verdicts[c.name] for c in cases]


def _synthesis(case: Case, level: str) -> Made | Verdict:
    try:
        return rtl.synthesised(case, back_end=level == "rtl")
    except ToolError as error:
        return Verdict("invalid", str(error))
    except HlscError as error:
        return Verdict("refused", str(error))
    except TimeoutError:  # the time limit of a test
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {Path(where.filename).name} {where.name}"
        return Verdict("crash", f"{what}: {error}\n{traceback.format_exc()}")


def _expectations(cases: Sequence[Case]) -> list[list[Expected] | Verdict]:
    """Answers of the native program per case, or why there are none."""
    answers: list[list[Expected] | Verdict] = []
    kernels = _together(cases, native.build, "invalid")
    for case, built in zip(cases, kernels, strict=True):
        if isinstance(built, Verdict):
            answers.append(built)
            continue
        kernel, which = built
        assert isinstance(kernel, Kernel)
        try:
            answers.append(native.run(kernel, which, case))
        except (CsimError, ToolError) as error:
            answers.append(Verdict("invalid", str(error)))
    return answers


def _together(
    items: Sequence[T], build: Callable[[Sequence[T]], B], kind: str
) -> list[tuple[B, int] | Verdict]:
    """Build all of `items` together; if that fails, halves of them, down to the one at fault."""
    if not items:
        return []
    try:
        made = build(items)
        return [(made, i) for i in range(len(items))]
    except ToolError as error:
        if len(items) == 1:
            return [Verdict(kind, str(error))]
    half = len(items) // 2
    return _together(items[:half], build, kind) + _together(items[half:], build, kind)


def _against_rtl(
    model: Path, case: Case, result: Made, answer: Sequence[Expected], seed: int
) -> Verdict:
    found = rtl.run(model, case, result.design, answer, seed)
    if not found:
        return Verdict("same")
    design = _against_design(case, result, answer)
    where = "; the design before the back end is right" if design.kind == "same" else ""
    return Verdict("different", f"{found}{where or '; so is the design before the back end'}")


def _against_design(case: Case, result: Made, answer: Sequence[Expected]) -> Verdict:
    kept: dict = {}
    for i, (s, e) in enumerate(zip(case.stimuli, answer, strict=True)):
        streams = rtl.inputs(case, result.design, s, e)
        try:
            got = interpret(
                result.design, streams, s.scalars, arrays=s.arrays, kept=kept, limit=200_000
            )
        except HlscError as error:
            return Verdict("different", f"the design does not end (stimulus {i}): {error}")
        if any(got.left.values()):
            return Verdict("different", f"the design leaves words in {got.left} (stimulus {i})")
        found = rtl.difference(case, result.design, e, got.streams, got.scalars, got.arrays)
        if found:
            return Verdict("different", f"{found} in the design (stimulus {i})")
    return Verdict("same")
