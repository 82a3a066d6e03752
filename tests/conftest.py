# SPDX-License-Identifier: Apache-2.0
"""What every test shares: one logged seed, no silent skips in CI, and an end to every hang.

- `CONVLOOM_SEED`: seed of all random tests. Without it one is drawn; it is printed at the end of each
  run and with each failure, and set in the environment, so that workers and collection agree on it.
- `CONVLOOM_CI`: when set to anything but 0, a skipped test or module counts as failed.
- `CONVLOOM_TEST_SECONDS`: time limit of one test, 300 unless set (nightly tests: 15 times that).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import zlib
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

SEED_VARIABLE = "CONVLOOM_SEED"
# The alarm can not interrupt native code: this many seconds later the process ends.
NATIVE_GRACE = 30


def _in_ci() -> bool:
    return os.environ.get("CONVLOOM_CI", "") not in ("", "0")


def pytest_configure(config: pytest.Config) -> None:
    text = os.environ.setdefault(SEED_VARIABLE, str(int.from_bytes(os.urandom(4), "little")))
    if not text.isdecimal():
        raise pytest.UsageError(f"{SEED_VARIABLE} must be a non-negative integer, not {text!r}")


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run."""
    return int(os.environ[SEED_VARIABLE])


@pytest.fixture
def rng(seed: int, request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of this test alone: it depends on the seed and the test's name, not on test order."""
    return np.random.default_rng([seed, zlib.crc32(request.node.nodeid.encode())])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    report: pytest.TestReport = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail") and _in_ci():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped, which CONVLOOM_CI forbids: {_reason(report)}"
    if report.failed:
        report.sections.append(("seed", f"{SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, None]:
    report: pytest.CollectReport = (yield).get_result()
    if report.skipped and _in_ci():
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: skipped, which CONVLOOM_CI forbids: {_reason(report)}"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"{SEED_VARIABLE}={os.environ[SEED_VARIABLE]}")


@pytest.fixture(autouse=True)
def _time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    limit = int(os.environ.get("CONVLOOM_TEST_SECONDS", "300"))
    if request.node.get_closest_marker("nightly"):
        limit *= 15

    def expire(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{request.node.nodeid} ran longer than {limit} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(limit)
    faulthandler.dump_traceback_later(limit + NATIVE_GRACE, exit=True, file=2)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
