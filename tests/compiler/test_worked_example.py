# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/hlsc.md: it computes what it says, and the page shows what hlsc prints.

Quoted blocks of the page stand between `<!-- NAME -->` and `<!-- /NAME -->`; `HLSC_GOLDEN=write` before
pytest rewrites them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hlsc.cli import main
from hlsc.csim import Kernel
from hlsc.flow import rtl_kernel
from hlsc.rtlsim import STALLS
from hlsc.synth import STAGES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hlsc.md"
FOLDER = ROOT / "examples" / "moving_average"
SOURCE, TOP = FOLDER / "moving_average.cpp", "moving_average"
TAPS, CLOCK = 8, 4.0


def averages(samples: np.ndarray, bias: int) -> list[int]:
    """The definition: (bias + the last TAPS samples) / TAPS rounded down, silence before the frame."""
    padded = np.concatenate([np.zeros(TAPS - 1, np.int64), samples])
    return [int(bias + padded[i : i + TAPS].sum()) >> 3 for i in range(len(samples))]


def beats(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.int64) & 0xFFFFFFFF


@pytest.fixture(scope="module")
def rtl():
    return rtl_kernel([SOURCE], TOP, clock_ns=CLOCK)


@pytest.mark.parametrize("stall", STALLS)
def test_rtl_is_exact(rtl, rng: np.random.Generator, stall: str) -> None:
    kernel = Kernel([SOURCE], TOP)
    for samples, bias in (
        (rng.integers(-(1 << 15), 1 << 15, 300), 4),
        (np.full(20, -(1 << 15)), -128),
        (np.full(20, (1 << 15) - 1), 127),
        (np.array([-3]), 0),
    ):
        frames = {"in": [beats(samples)]}
        run = rtl.run(frames, {"bias": bias}, stall=stall, seed=int(rng.integers(1 << 30)))
        wanted = averages(samples, bias)
        assert run.streams["out"][0].astype(np.uint32).view(np.int32).tolist() == wanted
        assert run.scalars["count"] == len(samples)
        native = kernel.run(frames, {"bias": bias})
        assert np.array_equal(native.streams["out"][0], run.streams["out"][0])


def test_one_word_per_cycle(rtl) -> None:
    cycles = [
        rtl.run({"in": [beats(np.arange(n))]}, {"bias": 0}, stall="none").cycles for n in (100, 400)
    ]
    assert cycles[1] - cycles[0] == 300


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What the page quotes: the source, what the command prints and cuttings of the dumps."""
    out = tmp_path_factory.mktemp("example") / "out"
    before = Path.cwd()
    argv = ["synth", SOURCE.name, "--top", TOP, "--clock", f"{CLOCK:g}", "--out", str(out)]
    try:
        os.chdir(FOLDER)
        with pytest.MonkeyPatch.context() as patch:
            printed: list[str] = []
            patch.setattr("builtins.print", lambda *a, **k: printed.append(str(a[0]) if a else ""))
            assert main([*argv, "--dump", "all"]) == 0
    finally:
        os.chdir(before)
    dump = {s: (out / f"{TOP}.{s}.txt").read_text() for s in STAGES}
    source = SOURCE.read_text().split("\n", 2)[2]
    return {
        "source": f"```cpp\n{source}```",
        "table": f"```\n{printed[0]}```",
        "pragmas": f"```\n{dump['pragmas']}```",
        "llvm": "```llvm\n" + plain(dump["llvm"]) + "```",
        "regions": "```\n" + cut(dump["regions"], r"loop average", r"add\.i\d+\.6$") + "```",
        "cdfg": "```\n" + cut(dump["cdfg"], r"loop average", r"^  -> ") + "```",
        "schedule": "```\n" + cut(dump["schedule"], r"\S+\.average:", r"    end") + "```",
        "sv": "```systemverilog\n" + process(dump["sv"]) + "```",
    }


def cut(text: str, first: str, last: str) -> str:
    """Lines from the one that starts with `first` to the next that holds `last`."""
    lines = text.splitlines()
    start = next(i for i, x in enumerate(lines) if re.match(first, x))
    end = next(i for i in range(start, len(lines)) if re.search(last, lines[i]))
    return "\n".join(lines[start : end + 1]) + "\n"


def plain(module: str) -> str:
    """The loop's body in LLVM IR, arithmetic of the sum, without debug numbers."""
    body = cut(module, r"  %v\.i = call", r"  br label")
    return re.sub(r",? !(?:dbg|llvm\.loop) !\d+", "", body)


def process(text: str) -> str:
    """Of the process: the last sum, what stalls, and the first registers of the tree."""
    body = text.split(f"module {TOP}_{TOP}(", 1)[1].split("endmodule", 1)[0]
    body = re.sub(r"\t// @\S+", "", body)
    last = cut(body, r"  wire .* add\w* =", ";")
    stalls = cut(body, r"  wire +_GEN =", r"wire +_GEN_0 =")
    registers = cut(body, r"    if \(~_GEN_0\) begin", "    end")
    return f"{last}  …\n{stalls}  …\n{registers}"


def test_the_page_quotes_what_hlsc_prints(blocks: Mapping[str, str]) -> None:
    page = PAGE.read_text()
    for name, text in blocks.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert len(pattern.findall(page)) == 1, f"block {name} must stand once in {PAGE.name}"
        page = pattern.sub(lambda m, text=text: f"{m.group(1)}{text}\n{m.group(2)}", page)
    if os.environ.get("HLSC_GOLDEN") == "write":
        PAGE.write_text(page)
    diff = list(
        difflib.unified_diff(PAGE.read_text().splitlines(), page.splitlines(), n=1, lineterm="")
    )
    if diff:
        shown = "\n".join(diff[:60])
        pytest.fail(f"{shown}\nif this is meant: HLSC_GOLDEN=write pytest {Path(__file__).name}")


def test_example_reaches_one_word_per_cycle_by_the_report(blocks: Mapping[str, str]) -> None:
    row = next(x for x in blocks["table"].splitlines() if x.startswith("moving_average.average"))
    assert row.split()[2:4] == ["1", "1"]
