# SPDX-License-Identifier: Apache-2.0
"""Write the files that follow from `hls/*/kernel.toml`; `--check` only says which are out of date.

Generated: `hls/<kernel>/contract.h` (sizes of the configurations, status codes) and `docs/streams.md`
(registers, status codes, beat orders).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from convloom.kernels import KernelSpec, kernel_names, load_kernel

ROOT = Path(__file__).parents[1]
NOTE = "Generated from kernel.toml by scripts/generate.py; do not edit."


def header(spec: KernelSpec) -> str:
    """The C++ side of a kernel's contract."""
    guard = f"CONVLOOM_{spec.name.upper()}_CONTRACT_H_"
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// {NOTE}",
        "// clang-format off",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "namespace convloom {",
        f"namespace {spec.name}_contract {{",
        "",
    ]
    for name, sizes in spec.configs.items():
        lines.append(f"struct {name} {{")
        lines += [f"  static const int {key} = {value};" for key, value in sizes.items()]
        lines += ["};", ""]
    lines.append("enum Status {")
    for name, code in spec.status.items():
        lines += [f"  /// {spec.status_doc[name]}", f"  {name} = {code},"]
    lines += [
        "};",
        "",
        f"}}  // namespace {spec.name}_contract",
        "}  // namespace convloom",
        "",
        f"#endif  // {guard}",
        "",
    ]
    return "\n".join(lines)


def streams_page(specs: list[KernelSpec]) -> str:
    """Registers, status codes and beat orders of all kernels as one page."""
    lines = [
        "# Registers and streams",
        "",
        f"<!-- {NOTE} -->",
        "",
        "Streams are AXI4-Stream, 8 bytes a beat, TKEEP all ones, TLAST on the last beat of each",
        "transfer and nowhere else. Registers are 32 bits wide on the AXI4-Lite bundle `control`; 0x00",
        "CTRL, 0x04 GIER, 0x08 IER and 0x0C ISR are those of Vitis HLS.",
        "",
    ]
    for spec in specs:
        lines += [f"## {spec.name}", "", f"{spec.title}.", ""]
        lines += ["| offset | register | access | meaning |", "| --- | --- | --- | --- |"]
        for r in spec.registers:
            access = "read, write" if r.direction == "in" else "read"
            sign = " (signed)" if r.signed else ""
            lines.append(f"| 0x{r.offset:02X} | `{r.name}` | {access} | {r.doc}{sign} |")
        lines += ["", "| status | name | meaning |", "| --- | --- | --- |"]
        for name, code in spec.status.items():
            lines.append(f"| 0x{code:02X} | `{name}` | {spec.status_doc[name]} |")
        keys = list(next(iter(spec.configs.values())))
        lines += ["", "| size | " + " | ".join(spec.configs) + " |"]
        lines.append("| --- |" + " --- |" * len(spec.configs))
        for key in keys:
            row = " | ".join(str(c[key]) for c in spec.configs.values())
            lines.append(f"| `{key}` | {row} |")
        for stream, text in spec.streams.items():
            lines += ["", f"**{stream}.** " + " ".join(text.split())]
        lines.append("")
    return "\n".join(lines)


def generated() -> dict[Path, str]:
    """Every generated file with the text it must have."""
    specs = [load_kernel(n) for n in kernel_names()]
    files = {ROOT / "hls" / s.name / "contract.h": header(s) for s in specs}
    files[ROOT / "docs" / "streams.md"] = streams_page(specs)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check = parser.parse_args().check
    stale = [p for p, t in generated().items() if not p.exists() or p.read_text("utf-8") != t]
    for path in stale:
        print(f"{'out of date' if check else 'wrote'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(generated()[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
