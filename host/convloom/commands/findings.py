# SPDX-License-Identifier: Apache-2.0
"""One thing that `convloom doctor` looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["STATES", "Finding"]

STATES = ("ok", "absent", "warning", "error")
"""absent: not there, and only what needs it is out of reach; error: what is there can not work."""


@dataclass(frozen=True)
class Finding:
    """name: what was looked at; found: what is there; works: what that allows; advice: what to do."""

    name: str
    state: str
    found: str
    works: str = ""
    advice: str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"a finding's state must be one of {', '.join(STATES)}, not {self.state}")
        if self.state in ("warning", "error") and not self.advice:
            raise ValueError(f"the {self.state} {self.name} must say what to do")

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)
