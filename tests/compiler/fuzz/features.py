# SPDX-License-Identifier: Apache-2.0
"""What random programs are made of: each feature by the text that shows it in a program."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fuzz.programs import Sample
from fuzz.statements import PRELUDE, Program

__all__ = ["FEATURES", "covering", "features"]

FEATURES = {
    "odd widths": r"ap_u?int<(?:3|7|11|13|23|37)>",
    "more than 32 bits": r"ap_u?int<(?:3[3-9]|[45]\d|6\d)>",
    "C integers": r"\bu?int(?:8|16|64)_t \w+ =",
    "mixed signs": r"ap_int<\d+>\([^()]*\) [-+*&|<>]+ ap_uint<\d+>\(",
    "shift by a variable": r"(?:<<|>>) ap_u?int<\d+>\([a-z]",
    "range": r"\.range\(",
    "variable position": r"\.range\((?:clamp|\w+ [-+])",
    "bit": r"bool\(\S+\[",
    "concatenation": r"ap_u?int<\d+>\(\([\w.]+, ",
    "reduction": r"_reduce\(\)",
    "division": r" / ",
    "modulo": r" % ",
    "select": r" \? ",
    "array": r"ap_u?int<\d+> a\d+\[\d+\] =",
    "two dimensions": r"ap_u?int<\d+> a\d+\[\d+\]\[\d+\] =",
    "static variable": r"static \S+ v\d+ =",
    "static array": r"static ap_u?int<\d+> a\d+\[",
    "static structure": r"static S\d+ s\d+",
    "table": r"static const ap_u?int<\d+> t\d+\[",
    "partition complete": r"ARRAY_PARTITION variable=a\d+ complete",
    "partition cyclic": r"ARRAY_PARTITION variable=a\d+ cyclic",
    "partition block": r"ARRAY_PARTITION variable=a\d+ block",
    "reshape complete": r"ARRAY_RESHAPE variable=a\d+ complete",
    "reshape cyclic": r"ARRAY_RESHAPE variable=a\d+ cyclic",
    "reshape block": r"ARRAY_RESHAPE variable=a\d+ block",
    "block RAM": r"impl=bram",
    "LUT RAM": r"impl=lutram",
    "structure": r"S\d+ s\d+ = ",
    "array of structures": r"S\d+ s\d+\[\d+\] = ",
    "structure with arrays": r"struct S\d+ \{.* m\d\[",
    "partition of structures": r"ARRAY_PARTITION variable=s\d+",
    "copy of a structure": r"s\d+\[[^=]*\] = s\d+\[[^.]*\];",
    "template function": r"template <int K, class",
    "INLINE": r"#pragma HLS INLINE\n",
    "INLINE off": r"#pragma HLS INLINE off",
    "pipelined function": r"#pragma HLS INLINE off\n#pragma HLS PIPELINE",
    "pipelined loop": r"PIPELINE II=1",
    "II above 1": r"PIPELINE II=[23]",
    "nested loop": r"\n    (?:for \(|loop)",
    "loop with variable bound": r"for \(.*; \w+ < n",
    "loop downwards": r"; --i",
    "loop with a step": r"\+= [23]\)",
    "exit on data": r"for \([^;]*; \w+ < \d+ && ",
    "break": r"\) break;",
    "continue": r"\) continue;",
    "return": r"\) return;",
    "UNROLL": r"#pragma HLS UNROLL\n",
    "UNROLL factor": r"UNROLL factor",
    "LOOP_FLATTEN off": r"LOOP_FLATTEN off",
    "LOOP_TRIPCOUNT": r"LOOP_TRIPCOUNT",
    "AXI4-Stream words": r"packed<",
    "dataflow": r"#pragma HLS DATAFLOW",
    "dataflow loop": r"for \(int32_t t = 0; .*\{\n *#pragma HLS DATAFLOW",
    "array between processes": r"process\d+\((?:\w+, )*a\d+, t\);",
    "stream depth": r"#pragma HLS STREAM",
    "array of streams": r"hls::stream<[^;]*> fork\[",
    "scalar input": r", \S+ arg\d",
    "scalar output": r"\* res\d",
    "ap_none": r"INTERFACE ap_none port=arg",
    "ap_none output": r"INTERFACE ap_none port=res",
    "ap_vld": r"INTERFACE ap_vld",
    "s_axilite": r"INTERFACE s_axilite port=(?:arg|n)",
    "s_axilite output": r"INTERFACE s_axilite port=res",
    "s_axilite control": r"INTERFACE s_axilite port=return",
    "array argument": r", ap_u?int<\d+> mem\d+\[\d+\][,)]",
    "array argument of two dimensions": r" mem\d+\[\d+\]\[\d+\][,)]",
    "constant array argument": r"const ap_u?int<\d+> mem\d+\[",
    "array argument of a process": r"process\d+\((?:\w+, )*mem0",
    "limit of products": r"ALLOCATION operation instances=mul",
    "limit of sums": r"ALLOCATION operation instances=(?:add|sub)",
    "limit of shifts": r"ALLOCATION operation instances=shl",
    "limit of divisions": r"ALLOCATION operation instances=[us](?:div|rem)",
}


def features(program: Program) -> set[str]:
    """The features that a program has."""
    source = str(program).removeprefix(PRELUDE)
    return {name for name, text in FEATURES.items() if re.search(text, source)}


def covering(samples: Iterable[Sample]) -> list[Sample]:
    """A few of them that have every feature that one of them has: always the one with most new ones."""
    left = [(s, features(s.program)) for s in samples]
    missing = set().union(*(found for _, found in left))
    chosen = []
    while missing:
        best, found = max(left, key=lambda x: len(x[1] & missing))
        chosen.append(best)
        missing -= found
    return chosen
