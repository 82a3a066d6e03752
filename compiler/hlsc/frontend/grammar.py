# SPDX-License-Identifier: Apache-2.0
"""Names, options and places of the HLS pragmas: one table, and the parser that holds text against it.

Nothing is ignored: a name, an option, a value or a place that the table does not know is an error, and
what is known but not supported yet is an error that says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hlsc.errors import SourceError
from hlsc.ir import Loc

__all__ = ["SPECS", "Option", "Pragma", "Spec", "parse_pragma", "split_options"]


@dataclass(frozen=True)
class Option:
    """An option.  `kind`: int (constant expression), word, name, object (lvalue), flag, refused."""

    kind: str
    words: tuple[str, ...] = ()
    low: int = 0
    remedy: str = ""


@dataclass(frozen=True)
class Spec:
    """A pragma: where it may stand, its options; `bare` words give their option without `key=`."""

    places: tuple[str, ...] = ("loop", "function", "block")
    options: Mapping[str, Option] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    refused: str = ""  # why the whole pragma is not taken, and what to do instead


@dataclass(frozen=True)
class Pragma:
    """One `#pragma HLS`, parsed: canonical upper-case name; option values as text."""

    name: str
    options: Mapping[str, str]
    loc: Loc
    place: str = ""
    label: str = ""  # of the loop it stands in
    directive: bool = False  # came from a directive file

    def __str__(self) -> str:
        options = "".join(f" {k}={v}" if v else f" {k}" for k, v in sorted(self.options.items()))
        return f"{self.name}{options}"

    @property
    def integers(self) -> list[str]:
        """Names of the options whose values clang has to evaluate, sorted."""
        kinds = SPECS[self.name].options
        return sorted(k for k in self.options if kinds[k].kind == "int")


_ARRAY = {
    "variable": Option("object"),
    "type": Option("word", ("complete", "cyclic", "block")),
    "factor": Option("int", low=1),
    "dim": Option("int"),
    "off": Option("refused", remedy="delete the pragma"),
}
_LATER = "is not supported yet"

SPECS: dict[str, Spec] = {
    "PIPELINE": Spec(
        ("loop", "function"),
        {
            "ii": Option("int", low=1),
            "off": Option("flag"),
            "style": Option("word", ("stp", "flp", "frp")),
            "enable_flush": Option("flag"),
            "rewind": Option("refused", remedy="delete it, or write one loop over all calls"),
        },
    ),
    "UNROLL": Spec(
        ("loop",),
        {
            "factor": Option("int", low=1),
            "skip_exit_check": Option("flag"),
            "off": Option("flag"),
            "region": Option("refused", remedy="put UNROLL into each loop"),
        },
    ),
    "LOOP_FLATTEN": Spec(("loop",), {"off": Option("flag")}),
    "LOOP_TRIPCOUNT": Spec(
        ("loop",), {"min": Option("int"), "max": Option("int"), "avg": Option("int")}
    ),
    "DEPENDENCE": Spec(
        ("loop", "function"),
        {
            "variable": Option("object"),
            "class": Option("word", ("array", "pointer")),
            "type": Option("word", ("inter", "intra")),
            "direction": Option("word", ("raw", "war", "waw")),
            "distance": Option("int", low=1),
            "dependent": Option("word", ("true", "false")),
        },
    ),
    "ARRAY_PARTITION": Spec(options=_ARRAY, required=("variable",)),
    "ARRAY_RESHAPE": Spec(
        options={**_ARRAY, "object": Option("refused", remedy="reshape a dimension")},
        required=("variable",),
    ),
    "BIND_STORAGE": Spec(
        options={
            "variable": Option("object"),
            "type": Option(
                "word",
                tuple("ram_1p ram_1wnr ram_2p ram_s2p ram_t2p rom_1p rom_2p rom_np".split()),
            ),
            "impl": Option("word", ("auto", "bram", "lutram")),
            "latency": Option("refused", remedy="delete it: a memory has a latency of 1"),
        },
        required=("variable",),
    ),
    "STREAM": Spec(
        options={
            "variable": Option("object"),
            "depth": Option("int", low=1),
            "type": Option("word", ("fifo",)),
            "dim": Option("refused", remedy="write one STREAM for the whole array of streams"),
            "off": Option("refused", remedy="delete the pragma"),
        },
        required=("variable",),
    ),
    "DATAFLOW": Spec(("function", "loop")),
    "INLINE": Spec(
        ("function",),
        {
            "off": Option("flag"),
            "on": Option("flag"),
            "recursive": Option("flag"),
            "region": Option("refused", remedy="put INLINE into each function"),
        },
    ),
    "INTERFACE": Spec(
        ("function",),
        {
            "mode": Option(
                "word",
                tuple(
                    "axis s_axilite ap_none ap_vld ap_ctrl_hs ap_ctrl_none ap_ctrl_chain m_axi "
                    "ap_memory bram ap_fifo ap_hs ap_ovld ap_ack ap_stable".split()
                ),
            ),
            "port": Option("name"),
            "bundle": Option("name"),
            "offset": Option("int"),
            "register": Option("flag"),
            "register_mode": Option("word", ("both", "forward", "reverse", "off")),
            "name": Option("refused", remedy="rename the argument"),
            "depth": Option("refused", remedy="delete it: co-simulation records its own depths"),
            "clock": Option("refused", remedy="delete it: there is one clock"),
            "latency": Option("refused", remedy="delete it"),
        },
    ),
    "BIND_OP": Spec(
        options={
            "variable": Option("object"),
            "op": Option("word", ("mul", "add", "sub")),
            "impl": Option("word", ("fabric", "dsp")),
            "latency": Option("refused", remedy="delete it: depths are chosen for the clock"),
        },
        required=("variable", "op"),
    ),
    "ALLOCATION": Spec(
        ("function",),
        {
            "type": Option("word", ("operation", "function")),
            "instances": Option("name"),
            "limit": Option("int", low=1),
        },
        required=("instances", "limit"),
    ),
    "RESOURCE": Spec(
        refused="is a Vivado HLS pragma that Vitis dropped: write BIND_STORAGE variable=x type=ram_2p "
        "impl=bram for a memory, BIND_OP for an operator"
    ),
    "AGGREGATE": Spec(refused=_LATER + ": delete it; stream words are packed without padding anyway"),
    "DATA_PACK": Spec(refused="is not needed: stream words are packed without padding; delete it"),
    "DISAGGREGATE": Spec(refused=_LATER + ": declare the members as separate variables"),
    "LATENCY": Spec(refused=_LATER + ": delete it; depths are chosen for the clock"),
    "LOOP_MERGE": Spec(refused=_LATER + ": write the loops as one"),
    "FUNCTION_INSTANTIATE": Spec(refused=_LATER + ": make the argument a template parameter"),
    "PERFORMANCE": Spec(refused=_LATER + ": write PIPELINE II=n"),
    "OCCURRENCE": Spec(refused=_LATER + ": delete it"),
    "PROTOCOL": Spec(refused=_LATER + ": move the code into a process of its own"),
    "RESET": Spec(
        refused=_LATER + ": a static variable has its first value at power-on; set it in the code"
    ),
    "STABLE": Spec(refused=_LATER + ": delete it; scalar arguments are stable during a run"),
    "TOP": Spec(refused="is not needed: name the top function on the command line"),
    "EXPRESSION_BALANCE": Spec(refused=_LATER + ": delete it; sums are balanced"),
    "CACHE": Spec(refused=_LATER + ": write the cache as an array"),
}

# Words that may stand without `key=`, and the option that they give.
_BARE: dict[str, dict[str, str]] = {
    name: {w: key for key, o in spec.options.items() if o.kind == "word" for w in o.words}
    for name, spec in SPECS.items()
}

_KEY = re.compile(r"\s*([A-Za-z_]\w*)\s*(=(?!=))?\s*")
_CONTINUES = re.compile(r"\s*(?:[-+*/%<>&|^?!]|==|::|:)")


def split_options(text: str) -> list[tuple[str, str | None]]:
    """`a = x * 2 b c=f(1, 2)` → [(a, "x * 2"), (b, None), (c, "f(1, 2)")]; raises ValueError."""
    result: list[tuple[str, str | None]] = []
    at = 0
    while text[at:].strip():
        m = _KEY.match(text, at)
        if not m:
            raise ValueError(text[at:].split()[0])
        at = m.end()
        if not m.group(2):
            result.append((m.group(1), None))
            continue
        end = _value_end(text, at)
        if not text[at:end].strip():
            raise ValueError(f"{m.group(1)}=")
        result.append((m.group(1), " ".join(text[at:end].split())))
        at = end
    return result


def _value_end(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        c = text[at]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c.isspace() and depth == 0:
            rest = text[at:]
            if not _CONTINUES.match(rest) and not re.search(r"[-+*/%<>&|^?:(,]$", text[:at]):
                return at
        at += 1
    return at


def parse_pragma(text: str, loc: Loc) -> Pragma:
    """The text behind `#pragma HLS`, held against `SPECS`; raises SourceError."""
    words = text.split(None, 1)
    if not words:
        raise SourceError("#pragma HLS must name a pragma", loc, "write e.g. #pragma HLS PIPELINE II=1")
    name = words[0].upper()
    spec = SPECS.get(name)
    if spec is None:
        near = difflib.get_close_matches(name, [n for n in SPECS if not SPECS[n].refused], 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(_supported())}"
        raise SourceError(f"#pragma HLS {words[0]} must be a known pragma", loc, remedy)
    if spec.refused:
        raise SourceError(f"#pragma HLS {name} {spec.refused}", loc)
    try:
        pairs = split_options(words[1] if len(words) > 1 else "")
    except ValueError as error:
        raise SourceError(
            f"#pragma HLS {name} must consist of option=value and words, not '{error}'", loc
        ) from None
    options: dict[str, str] = {}
    for key, value in pairs:
        key, value = _option(name, spec, key, value, loc)
        if key in options:
            raise SourceError(f"#pragma HLS {name} must give '{key}' once, not twice", loc)
        options[key] = value
    for key in spec.required:
        if key not in options:
            raise SourceError(f"#pragma HLS {name} must say {key}=…", loc)
    return Pragma(name, options, loc)


def _supported() -> list[str]:
    return sorted(n for n, s in SPECS.items() if not s.refused)


def _option(name: str, spec: Spec, key: str, value: str | None, loc: Loc) -> tuple[str, str]:
    low = key.lower()
    option = spec.options.get(low)
    if option is None and value is None and low in _BARE[name]:
        return _BARE[name][low], low
    if option is None:
        known = [*spec.options, *(_BARE[name] if value is None else ())]
        near = difflib.get_close_matches(low, known, 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known) or 'no options'}"
        raise SourceError(f"#pragma HLS {name} must not have the option '{key}'", loc, remedy)
    if option.kind == "refused":
        raise SourceError(f"#pragma HLS {name}: option '{key}' is not supported", loc, option.remedy)
    if option.kind == "flag":
        if value is not None and value.lower() not in {"true", "1"}:
            raise SourceError(f"#pragma HLS {name}: '{key}' must have no value, not '{value}'", loc)
        return low, ""
    if value is None:
        raise SourceError(f"#pragma HLS {name}: '{key}' must have a value: {key}=…", loc)
    if option.kind == "word":
        if value.lower() not in option.words:
            near = difflib.get_close_matches(value.lower(), option.words, 1, 0.5)
            remedy = f"did you mean {near[0]}?" if near else ""
            raise SourceError(
                f"#pragma HLS {name}: '{key}' must be one of {', '.join(option.words)}, not '{value}'",
                loc,
                remedy,
            )
        return low, value.lower()
    return low, value
