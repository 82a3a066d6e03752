# SPDX-License-Identifier: Apache-2.0
"""LLVM's own passes, as an explicit list, through llvmlite.

Neither -O1 nor -O2: those bring memory idioms, widened induction variables, rotation and peeling,
which hide what the source said.  A fresh context for every parse; `verify` before every run, because a
broken module aborts the process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

import llvmlite.binding as llvm

from hlsc.errors import HlscError

__all__ = [
    "CLEAN",
    "COMBINE",
    "INLINE",
    "PROMOTE",
    "UNROLL",
    "link",
    "run_passes",
    "target_machine",
    "until",
]

INLINE = ("always_inliner", "sroa", "always_inliner", "global_dead_code_eliminate", "sroa")
"""Every function that is called goes into its process; twice, for calls through pointers."""

UNROLL = ("sccp", "loop_unroll", "sccp")
"""Repeated until no loop that must unroll is left.  simplify_cfg before it would merge two exits of a
loop into one whose trip count nobody can tell."""

COMBINE = ("instruction_combine", "sroa")
"""As CLEAN, only with indices hidden (`indices.py`)."""

PROMOTE = ("simplify_cfg", "sroa", "sccp", "simplify_cfg", "sroa")
"""What needs no canonical form, and brings none about."""

CLEAN = tuple(
    "instruction_combine new_gvn aggressive_dce sccp "
    "instruction_combine jump_threading simplify_cfg loop_deletion instruction_combine simplify_cfg "
    "global_dead_code_eliminate".split()
)
"""With noduplicate on stream accesses, or jump_threading copies reads."""

_OPTIONS = (
    "-pragma-unroll-threshold=100000000",
    "-unroll-max-upperbound=0",
    "-unroll-runtime=false",
    "-unroll-allow-peeling=false",
    "-unroll-allow-remainder=false",
)


@functools.cache
def target_machine() -> llvm.TargetMachine:
    """The native target, with the unroller's options set."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for option in _OPTIONS:
        llvm.set_option("hlsc", option)
    return llvm.Target.from_default_triple().create_target_machine()


def run_passes(text: str, passes: Sequence[str]) -> str:
    """Run module passes by llvmlite's names (`add_<name>_pass`) over a module; gives its text."""
    machine = target_machine()
    module = _parse(text)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    manager = llvm.create_new_module_pass_manager()
    for name in passes:
        getattr(manager, f"add_{name}_pass")()
    manager.run(module, builder)
    return str(module)


def _parse(text: str) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(text, context=llvm.create_context())
        module.verify()
    except RuntimeError as error:
        raise HlscError(f"bug in hlsc's front end: invalid LLVM IR: {error}") from None
    return module


def link(texts: Iterable[str]) -> str:
    """One module from the modules of several sources."""
    target_machine()
    context = llvm.create_context()
    first, *rest = [llvm.parse_assembly(t, context=context) for t in texts]
    for other in rest:
        try:
            first.link_in(other)
        except RuntimeError as error:
            raise HlscError(f"the sources must define every function once: {error}") from None
    return str(first)


def until(
    text: str, rounds: Sequence[Callable[[str], str]], left: Callable[[str], int], limit: int = 16
) -> str:
    """Repeat the first round until nothing is `left`; the next when that gains nothing."""
    before = left(text)
    kind = 0
    for _ in range(limit):
        if not before or kind == len(rounds):
            break
        text = rounds[kind](text)
        now = left(text)
        kind = kind + 1 if now == before else 0
        before = now
    return text
