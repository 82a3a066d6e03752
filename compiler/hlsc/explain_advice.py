# SPDX-License-Identifier: Apache-2.0
"""What would lift the limit of a loop: pragmas are tried by synthesis; those that help are given."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsc.errors import HlscError
from hlsc.ir import Design, Process, Region
from hlsc.schedule.sdc import Schedule
from hlsc.synth import SynthResult, synthesize

__all__ = ["Advice", "advise"]

_TRIALS = 16  # syntheses for one loop
_DIMENSIONS = 4


@dataclass(frozen=True)
class Advice:
    """`pragmas`, to stand in `function`, bring the loop to `ii`, as synthesis showed."""

    note: str
    pragmas: tuple[str, ...] = ()
    function: str = ""
    ii: int | None = None


@dataclass(frozen=True)
class _Pragma:
    """A pragma as a directive: where it goes, its name and options."""

    place: str
    name: str
    options: str

    def directive(self) -> str:
        return f"syn.directive.{self.name.lower()}={self.place} {self.options}"

    def __str__(self) -> str:
        return f"#pragma HLS {self.name} {self.options}"


@dataclass
class _Trials:
    """Syntheses of one design with more directives."""

    sources: Sequence[Path]
    top: str
    options: Mapping[str, Any]
    left: int = _TRIALS

    def run(self, pragmas: Sequence[_Pragma], process: str, region: Region) -> Schedule | str:
        """The loop's schedule with these pragmas, or why there is none."""
        self.left -= 1
        before = self.options["directives"]
        if self.left < 0:
            return "not tried"
        with tempfile.TemporaryDirectory(prefix="hlsc-explain-") as work:
            path = Path(work, "tried.cfg")
            lines = [before.read_text().rstrip()] if before else []
            path.write_text("\n".join([*lines, *(p.directive() for p in pragmas)]) + "\n")
            try:
                tried = synthesize(self.sources, self.top, **{**self.options, "directives": path})
            except HlscError as error:
                return str(error)
        for p in tried.prepared.processes:
            for r in p.regions:
                same = (r.label, r.loc) == (region.label, region.loc)
                if p.name == process and r.is_loop and same:
                    return tried.schedules[(p.name, r.name)]
        return "the loop is gone"


def advise(
    sources: Sequence[Path],
    top: str,
    options: Mapping[str, Any],
    result: SynthResult,
    process: Process,
    region: Region,
) -> Advice | None:
    """What to write so that a loop reaches a smaller II; None if nothing limits it."""
    s = result.schedules[(process.name, region.name)]
    if s.limit is None or s.ii is None:
        return None
    trials = _Trials(sources, top, options)
    function = re.sub(r"_\d+$", "", process.name) if process.name != top else top
    if s.limit.kind == "port":
        return _ports(trials, function, result.design, process, region, s)
    memory = re.search(r"through memory (\w+)", s.limit.text)
    if s.limit.kind == "recurrence" and memory:
        return _dependence(trials, function, process, region, s, _array(memory.group(1), process))
    if s.limit.kind == "allocation":
        return Advice(_more_operators(s))
    if s.limit.kind == "exit":
        return Advice("decide earlier whether the loop goes on: count iterations beside the data")
    return Advice(
        "no pragma shortens a chain from one iteration to the next: take out of it what does not "
        "depend on the iteration before, narrow its operators, or ask for a longer clock period"
    )


def _more_operators(s: Schedule) -> str:
    """The limits of ALLOCATION that the asked interval takes."""
    asked = s.asked or 1
    needs = [
        f"limit={-(-len(users) // asked)} of {pool.op} instead of {count}"
        for pool in s.problem.pools
        for count, users in pool.levels()
        if len(users) > count * asked
    ]
    return f"II {asked} takes ALLOCATION {', '.join(needs)}"


def _users(s: Schedule) -> tuple[str, int]:
    """The memory of the binding port, and how many accesses it has."""
    worst = max(s.problem.ports, key=lambda p: len(p[1]), default=None)
    if worst is None:
        return "", 0
    by_id = s.problem.region.by_id()
    return by_id[worst[1][0]].ref or "", len(worst[1])


def _array(memory: str, process: Process) -> str:
    """The C++ array of a memory: banks of a partitioned one are numbered."""
    m = next((m for m in process.memories if m.name == memory), None)
    same = [x for x in process.memories if m and x.loc == m.loc and x.loc is not None]
    return re.sub(r"(_\d+)+$", "", memory) if len(same) > 1 else memory


def _declared(design: Design, process: Process, memory: str) -> str:
    """The name in the top function of an array that comes from there; "" for any other."""
    outside = next((m.external for m in process.memories if m.name == memory), None)
    arguments = {p.name: p.part.argument if p.part else p.name for p in design.ports}
    return arguments.get(
        outside or "", next((b.array for b in design.buffers if b.name == outside), "")
    )


def _ports(
    trials: _Trials, function: str, design: Design, process: Process, region: Region, s: Schedule
) -> Advice | None:
    """Partition the array of the binding port, then that of the next, as long as it helps."""
    chosen: list[_Pragma] = []
    present, at = s, process
    while present.limit and present.limit.kind == "port" and trials.left > 0:
        memory, users = _users(present)
        if not memory or not users:
            return _so_far(chosen, function, s, present) or Advice(
                "one end of a stream moves one word per cycle: make the word wider"
            )
        array = _array(memory, at)
        if outside := _declared(design, at, memory):
            array, function = outside, trials.top
        best = _best(trials, chosen, function, array, users, process, region, present)
        if best is None:
            break
        chosen, present = best
    return _so_far(chosen, function, s, present) or Advice(
        "no partition of one dimension lifts it: spread the accesses over several arrays"
    )


def _best(
    trials: _Trials,
    chosen: list[_Pragma],
    function: str,
    array: str,
    users: int,
    process: Process,
    region: Region,
    present: Schedule,
) -> tuple[list[_Pragma], Schedule] | None:
    """The pragma more with which the array's ports bind least."""
    found: list[tuple[tuple[int, int], list[_Pragma], Schedule]] = []
    for dim in range(1, _DIMENSIONS + 1):
        for kind in (f"type=cyclic factor={users}", "type=complete"):
            pragma = _Pragma(function, "ARRAY_PARTITION", f"variable={array} {kind} dim={dim}")
            tried = trials.run([*chosen, pragma], process.name, region)
            if isinstance(tried, str):
                if "factor" in tried:
                    continue  # more than the extent: complete
                break
            left = max((len(g) for _, g in tried.problem.ports), default=0)
            mine = sum(_of(array, n, g, tried) for n, g in tried.problem.ports)
            found.append(((tried.ii or 0, mine + left), [*chosen, pragma], tried))
            break
        if isinstance(tried, str) and "dim" in tried:
            break
    if not found:
        return None
    _, pragmas, tried = min(found, key=lambda x: x[0])
    before = sum(_of(array, n, g, present) for n, g in present.problem.ports)
    after = sum(_of(array, n, g, tried) for n, g in tried.problem.ports)
    return (pragmas, tried) if (tried.ii, after) < (present.ii, before) else None


def _of(array: str, name: str, group: Sequence[int], s: Schedule) -> int:
    """Most accesses of one port, if it is one of this array."""
    ref = s.problem.region.by_id()[group[0]].ref or ""
    return len(group) if re.fullmatch(rf"{re.escape(array)}(_\d+)*", ref) else 0


def _so_far(chosen: list[_Pragma], function: str, s: Schedule, present: Schedule) -> Advice | None:
    if not chosen or present.ii is None or s.ii is None or present.ii >= s.ii:
        return None
    return Advice(
        f"with these the loop has II {present.ii} instead of {s.ii} (tried)"
        + (f"; then {present.limit}" if present.limit else ""),
        tuple(map(str, chosen)),
        function,
        present.ii,
    )


def _dependence(
    trials: _Trials, function: str, process: Process, region: Region, s: Schedule, array: str
) -> Advice:
    """Deny that iterations meet in an array, if that would help and is true."""
    note = (
        f"a value goes through {array} from one iteration to the next: keep what was written last in a "
        "register"
    )
    if not region.label:
        return Advice(note)
    options = f"variable={array} type=inter direction=RAW dependent=false"
    pragma = _Pragma(f"{function}/{region.label}", "DEPENDENCE", options)
    tried = trials.run([pragma], process.name, region)
    if isinstance(tried, str) or tried.ii is None or s.ii is None or tried.ii >= s.ii:
        return Advice(note)
    return Advice(
        f"if no iteration reads an element that one of the last ones wrote, II {tried.ii} instead of "
        f"{s.ii} (tried; hlsc csim checks the promise); else {note}",
        (str(pragma),),
        pragma.place,
        tried.ii,
    )
