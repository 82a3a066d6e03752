# SPDX-License-Identifier: Apache-2.0
"""For `Plan.explain`: a job's note lists what each output beat holds (cocotb imports this: light)."""

from __future__ import annotations

import json

from bench.kernel import Job

__all__ = ["explain", "note"]


def note(places: list[str]) -> str:
    """The text for `Job.note`: what each beat of the one output transfer holds."""
    return json.dumps(places)


def explain(job: Job, stream: str, transfer: int, beat: int) -> str:
    """What an output beat holds, by the job's note."""
    places = json.loads(job.note)
    known = stream == "out" and transfer == 0 and beat < len(places)
    return str(places[beat]) if known else f"{stream} beat {beat}"
