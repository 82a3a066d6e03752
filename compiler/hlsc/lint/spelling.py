# SPDX-License-Identifier: Apache-2.0
"""Names, options and places of pragmas by release: what a tool would refuse or, worse, pass over.

Sources: UG902 (2019.2) for Vivado HLS; UG1391 and UG1399 for Vitis HLS, its migration chapter for what
was dropped. Where the books only say that an option exists from some release on, the first release
whose book has it is taken.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hlsc.lint.releases import Release

__all__ = ["PRAGMAS", "Place", "Rule", "breaches"]

Place = str  # loop, function, block; "" outside functions
Taken = Callable[[Release], bool]


def _always(release: Release) -> bool:
    return True


def _vivado(release: Release) -> bool:
    return release.dialect == "vivado"


def _vitis(release: Release) -> bool:
    return release.dialect == "vitis"


def _since(year: int, number: int) -> Taken:
    return lambda release: _vitis(release) and release.at_least(year, number)


@dataclass(frozen=True)
class Option:
    """taken: the releases that know it; instead: what serves in the others."""

    taken: Taken = _always
    instead: str = ""


@dataclass(frozen=True)
class Rule:
    """A pragma: releases that know it, what to write instead, where it stands, options and words."""

    taken: Taken = _always
    instead: str = ""
    places: tuple[Place, ...] = ("loop", "function", "block")
    options: Mapping[str, Option] = field(default_factory=dict)
    words: Mapping[str, Option] = field(default_factory=dict)


def _known(text: str) -> dict[str, Option]:
    return {word: Option() for word in text.split()}


# A word may be given as key=word in Vitis only; the bare word is what every release takes.
_KEYED = Option(_since(2021, 1), "write the bare word, which all releases take")
_BODY = ("loop", "function")
_PARTITION = Rule(
    options={**_known("variable factor dim"), "type": _KEYED},
    words=_known("complete cyclic block"),
)
_MODES = "axis s_axilite m_axi ap_none ap_vld ap_ovld ap_ack ap_hs ap_stable ap_memory ap_fifo bram"

PRAGMAS: dict[str, Rule] = {
    "PIPELINE": Rule(
        places=_BODY,
        options={
            "ii": Option(),
            "style": Option(_since(2020, 2), "delete it; Vivado HLS has enable_flush for flp"),
            "enable_flush": Option(_vivado, "write style=flp"),
        },
        words={**_known("rewind off"), "enable_flush": Option(_vivado, "write style=flp")},
    ),
    "UNROLL": Rule(
        places=("loop",),
        options=_known("factor off"),
        words={
            **_known("skip_exit_check off"),
            "region": Option(_vivado, "put UNROLL into each inner loop"),
        },
    ),
    "LOOP_FLATTEN": Rule(places=("loop",), words=_known("off")),
    "LOOP_MERGE": Rule(places=("loop", "function", "block"), words=_known("force")),
    "LOOP_TRIPCOUNT": Rule(places=("loop",), options=_known("min max avg")),
    "DEPENDENCE": Rule(
        options={
            **_known("variable distance"),
            "class": _KEYED, "type": _KEYED, "direction": _KEYED, "dependent": _KEYED,
        },
        words=_known("array pointer inter intra raw war waw true false"),
    ),
    "ARRAY_PARTITION": _PARTITION,
    "ARRAY_RESHAPE": Rule(options=_PARTITION.options, words={**_PARTITION.words, "object": Option()}),
    "ARRAY_MAP": Rule(
        _vivado, "Vitis has none: put the arrays into one yourself",
        options=_known("variable instance offset"), words=_known("horizontal vertical"),
    ),
    "RESOURCE": Rule(
        _vivado, "write BIND_STORAGE or BIND_OP, in a directive file if both tools are meant",
        options=_known("variable core latency metadata memory_style port_map"),
    ),
    "BIND_STORAGE": Rule(_vitis, "write RESOURCE core=…", options=_known("variable type impl latency")),
    "BIND_OP": Rule(_vitis, "write RESOURCE core=…", options=_known("variable op impl latency")),
    "DATA_PACK": Rule(
        _vivado, "write AGGREGATE", options=_known("variable instance"),
        words=_known("struct_level field_level"),
    ),
    "AGGREGATE": Rule(_vitis, "write DATA_PACK", options=_known("variable compact")),
    "DISAGGREGATE": Rule(_vitis, "declare the members apart", options=_known("variable")),
    "STREAM": Rule(
        options={
            **_known("variable depth"),
            "dim": Option(_vivado, "Vitis has none: write one pragma for the whole array"),
            "type": Option(_vitis, "delete it: a FIFO is the default"),
            "off": Option(_vivado, "write type=pipo"),
        },
        words={"off": Option(_vivado, "write type=pipo")},
    ),
    "DATAFLOW": Rule(places=_BODY, words=_known("disable_start_propagation")),
    "INLINE": Rule(
        places=("function",),
        words={
            **_known("off recursive on"),
            "region": Option(_vivado, "put INLINE into each function"),
        },
    ),
    "INTERFACE": Rule(
        places=("function",),
        options={
            **_known("port bundle offset depth register register_mode name latency clock"),
            **_known("num_read_outstanding num_write_outstanding max_read_burst_length"),
            **_known("max_write_burst_length"),
            "mode": _KEYED,
            "storage_type": Option(_vitis, "bind the memory with RESOURCE"),
            "storage_impl": Option(_vitis, "bind the memory with RESOURCE"),
            "max_widen_bitwidth": Option(_vitis, "delete it"),
            "channel": Option(_vitis, "delete it"),
        },
        words=_known(f"{_MODES} ap_ctrl_hs ap_ctrl_chain ap_ctrl_none register"),
    ),
    "ALLOCATION": Rule(
        places=("function", "loop", "block"),
        options=_known("instances limit"),
        words={**_known("function operation"), "core": Option(_vivado, "write operation")},
    ),
    "LATENCY": Rule(options=_known("min max")),
    "FUNCTION_INSTANTIATE": Rule(places=("function",), options=_known("variable")),
    "EXPRESSION_BALANCE": Rule(words=_known("off")),
    "OCCURRENCE": Rule(options=_known("cycle")),
    "PROTOCOL": Rule(options={"mode": _KEYED}, words=_known("fixed floating")),
    "RESET": Rule(options=_known("variable"), words=_known("off")),
    "STABLE": Rule(options=_known("variable")),
    "TOP": Rule(places=("function",), options=_known("name")),
    "PERFORMANCE": Rule(
        _since(2022, 1), "write PIPELINE II=n",
        options=_known("target_ti target_tl assume_ti assume_tl unit"),
    ),
    "ALIAS": Rule(_since(2022, 1), "delete it", options=_known("ports distance offset")),
    "CACHE": Rule(
        _since(2022, 2), "write the cache as an array", options=_known("port lines depth ways users")
    ),
}  # fmt: skip


def breaches(
    name: str, pairs: list[tuple[str, str | None]], place: Place, releases: list[Release]
) -> Iterator[tuple[str, str, list[Release]]]:
    """(what is wrong, remedy, the releases in which it is) for one pragma."""
    rule = PRAGMAS.get(name)
    if rule is None:
        near = difflib.get_close_matches(name, PRAGMAS, 1, 0.5)
        yield (
            "is no known pragma and is passed over",
            f"did you mean {near[0]}?" if near else "",
            releases,
        )
        return
    unknown = [r for r in releases if not rule.taken(r)]
    if unknown:
        yield "is not known there and is passed over", rule.instead, unknown
    if place not in rule.places:
        where = {"": "outside functions", "block": "in other braces"}.get(place, f"in a {place}")
        wanted = " or ".join(f"a {p}" for p in rule.places if p != "block")
        yield (
            f"stands {where} and has no effect",
            f"put it directly into the body of {wanted}",
            releases,
        )
    known = [r for r in releases if rule.taken(r)]
    for key, value in pairs:
        low = key.lower()
        option = (
            rule.options.get(low) if value is not None else rule.words.get(low, rule.options.get(low))
        )
        if option is None:
            near = difflib.get_close_matches(low, [*rule.options, *rule.words], 1, 0.5)
            remedy = f"did you mean {near[0]}?" if near else f"{name} has no such option"
            yield f"has the unknown option '{key}'", remedy, known
        elif missing := [r for r in known if not option.taken(r)]:
            shown = key if value is None else f"{key}={value}"
            yield f"has '{shown}', which is not known there", option.instead, missing
