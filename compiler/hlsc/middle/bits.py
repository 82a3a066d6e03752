# SPDX-License-Identifier: Apache-2.0
"""Bit vectors as Python integers: two's complement and what each operation computes."""

from __future__ import annotations

__all__ = ["evaluate", "signed"]


def signed(value: int, width: int) -> int:
    """The two's complement reading of a bit vector."""
    return value - (1 << width) if width and value >> (width - 1) else value


def evaluate(op: str, width: int, a: int, b: int) -> int:
    """A BINARY or COMPARE operation on operands of `width` bits; division by zero
    gives all ones (1 for a negative sdiv), its remainder the dividend, as the hardware does."""
    m = (1 << width) - 1
    sa, sb = signed(a, width), signed(b, width)
    match op:
        case "add":
            return a + b & m
        case "sub":
            return a - b & m
        case "mul":
            return a * b & m
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
        case "shl":
            return a << b & m if b < width else 0
        case "lshr":
            return a >> b if b < width else 0
        case "ashr":
            return sa >> min(b, width - 1) & m
        case "udiv":
            return a // b if b else m
        case "urem":
            return a % b if b else a
        case "sdiv":
            if not b:
                return m if sa >= 0 else 1
            return (abs(sa) // abs(sb) * (1 if (sa < 0) == (sb < 0) else -1)) & m
        case "srem":
            return (abs(sa) % abs(sb) * (-1 if sa < 0 else 1)) & m if b else a
        case "eq" | "ne":
            return int((a == b) == (op == "eq"))
    x, y = (sa, sb) if op[0] == "s" else (a, b)
    return int({"lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}[op[1:]])
