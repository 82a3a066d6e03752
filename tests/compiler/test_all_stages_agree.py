# SPDX-License-Identifier: Apache-2.0
"""The compiler's first regression: IR before all passes, final CDFG and RTL give the same beats."""

from __future__ import annotations

from bench.layers import CompiledKernel
from convloom.kernels import load_kernel
from convloom.lowering import lower
from convloom.random_layers import random_layers
from hlsc.frontend.driver import compile_program
from hlsc.frontend.execute import Runner
from hlsc.interp import interpret
from hlsc.middle import lower as middle

SPEC = load_kernel("gemm_systolic")
KEEP, LAST = 0xFFFF << 64, 1 << 81  # TKEEP and TSTRB all ones; TLAST


def test_gemm_systolic_before_all_passes_in_the_interpreter_and_in_rtl(seed):
    stages: dict[str, str] = {}
    program = compile_program(
        SPEC.sources,
        SPEC.top,
        include_dirs=SPEC.include_dirs,
        defines=SPEC.defines("tiny"),
        dump=stages.__setitem__,
    )
    raw, design = Runner.of_raw(stages["llvm-raw"], program), middle(program)
    rtl = CompiledKernel(SPEC.name, "tiny").rtl
    for layer, x, w, bias in random_layers(5, seed, max_macs=4000, max_size=6):
        job = lower(layer, x, w, bias, kernel=SPEC, config="tiny")
        streams = {
            name: [
                int(beat) | KEEP | (i == len(transfer) - 1) * LAST
                for transfer in transfers
                for i, beat in enumerate(transfer)
            ]
            for name, transfers in job.streams.items()
        }
        before = raw.run(streams, job.registers)
        after = interpret(design, streams, {k: int(v) for k, v in job.registers.items()})
        assert after.streams["out"] == before.streams["out"], layer.name
        assert after.scalars["status"] == before.scalars["status"] == 0, layer.name
        run = rtl.run(job.streams, job.registers, stall="random", seed=seed)
        beats = [word & (1 << 64) - 1 for word in before.streams["out"]]
        assert [int(b) for t in run.streams["out"] for b in t] == beats, layer.name
        assert [len(t) for t in run.streams["out"]] == [len(beats)], layer.name
        assert run.scalars["status"] == 0, layer.name
