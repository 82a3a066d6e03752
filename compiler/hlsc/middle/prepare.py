# SPDX-License-Identifier: Apache-2.0
"""Last LLVM passes before parsing: loops into the form that wastes no iteration.

Rotation moves the exit test of a loop to its end (with a guard before it where zero trips are
possible), so that n trips take n iterations and outer loops cost none.  Stream operations are never
duplicated by it, and indices stay hidden (`hlsc.frontend.indices`): this too combines instructions.
"""

from __future__ import annotations

import re

import llvmlite.binding as llvm

from hlsc.frontend.indices import expose_indices, hide_indices
from hlsc.frontend.llvmtext import ModuleText
from hlsc.frontend.program import without_once

__all__ = ["PASSES", "prepare"]

PASSES = "loop_simplify loop_rotate simplify_cfg instruction_combine simplify_cfg".split()


def prepare(text: str) -> str:
    """The module after `PASSES`, as text."""
    llvm.initialize_native_target()
    text = hide_indices(ModuleText(text))
    text = re.sub(
        r"^(declare (?:!dbg !\d+ )?[^@\n]*@hlsc\.[^\n]*\))([^\n]*)$",
        lambda m: (
            m.group(0) if "noduplicate" in m.group(2) else m.group(1) + " noduplicate" + m.group(2)
        ),
        text,
        flags=re.M,
    )
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    machine = llvm.Target.from_triple(
        module.triple or llvm.get_process_triple()
    ).create_target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    manager = llvm.create_new_module_pass_manager()
    for name in PASSES:
        getattr(manager, f"add_{name}_pass")()
    manager.run(module, builder)
    module.verify()
    rotated = ModuleText(str(module))
    expose_indices(rotated)
    return without_once(str(rotated))
