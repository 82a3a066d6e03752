# SPDX-License-Identifier: Apache-2.0
"""Names, options and places of pragmas by release: what a tool would refuse or, worse, pass over.

Sources: UG902 (2019.2) for Vivado HLS; UG1391 and UG1399 for Vitis HLS, its migration chapter for what
was dropped. Where the books only say that an option exists from some release on, the first release
whose book has it is taken. What Vitis deprecates it still heeds, with a warning (HLS 207-5510 for
RESOURCE in 2020.2, hlslib issue 36; hls4ml issue 252 for INLINE region).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hlsc.lint.releases import Release

__all__ = ["CONDITION", "PRAGMAS", "Breach", "Pairs", "Place", "Rule", "breaches"]

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


def _never(release: Release) -> bool:
    return False


@dataclass(frozen=True)
class Option:
    """taken: the releases that know it; instead: what serves in the others.

    legacy: the releases, of those, that deprecate it. values: what it may be; empty for anything.
    keyed: whether a directive has it as an option in every release.
    """

    taken: Taken = _always
    instead: str = ""
    legacy: Taken = _never
    values: frozenset[str] = frozenset()
    keyed: bool = False


@dataclass(frozen=True)
class Rule:
    """A pragma: releases that know it, what to write instead, where it stands, options and words.

    needs: options that it can not do without.
    """

    taken: Taken = _always
    instead: str = ""
    legacy: Taken = _never
    needs: tuple[str, ...] = ()
    places: tuple[Place, ...] = ("loop", "function", "block")
    options: Mapping[str, Option] = field(default_factory=dict)
    words: Mapping[str, Option] = field(default_factory=dict)


def _known(text: str) -> dict[str, Option]:
    return {word: Option() for word in text.split()}


def _keyed(values: str) -> Option:
    """A word may be given as key=word in Vitis only; the bare word is what every release takes."""
    bare = "write the bare word, which all releases take"
    return Option(_since(2021, 1), bare, values=frozenset(values.split()), keyed=True)


def _one_of(values: str) -> Option:
    return Option(values=frozenset(values.split()))


CONDITION = Option(_since(2025, 2), "put #if around the pragma")
"""`#pragma HLS if (…) PIPELINE …`: in AMD's introductory examples from 2025.2 on."""

_BODY = ("loop", "function")
_PARTITION = Rule(
    options={**_known("variable factor dim"), "type": _keyed("complete cyclic block")},
    words=_known("complete cyclic block"),
    needs=("variable",),
)
_MODES = "axis s_axilite m_axi ap_none ap_vld ap_ovld ap_ack ap_hs ap_stable ap_memory ap_fifo bram"
_CONTROL = "ap_ctrl_hs ap_ctrl_chain ap_ctrl_none"
_STORAGE = "fifo ram_1p ram_1wnr ram_2p ram_s2p ram_t2p rom_1p rom_2p rom_np"
_MEMORIES = "bram bram_ecc lutram uram uram_ecc srl memory auto"

PRAGMAS: dict[str, Rule] = {
    "PIPELINE": Rule(
        places=_BODY,
        options={
            "ii": Option(),
            "style": Option(
                _since(2020, 2), "delete it; Vivado HLS has enable_flush for flp",
                values=frozenset(("stp", "frp", "flp")),
            ),
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
            "class": _keyed("array pointer"), "type": _keyed("inter intra"),
            "direction": _keyed("raw war waw"), "dependent": _keyed("true false"),
        },
        words=_known("array pointer inter intra raw war waw true false"),
    ),
    "ARRAY_PARTITION": _PARTITION,
    "ARRAY_RESHAPE": Rule(
        options=_PARTITION.options, words={**_PARTITION.words, "object": Option()}, needs=("variable",)
    ),
    "ARRAY_STENCIL": Rule(
        _since(2024, 1), "write the window buffer yourself", places=("loop",),
        options=_known("variable"), words=_known("off"), needs=("variable",),
    ),
    "ARRAY_MAP": Rule(
        _vivado, "Vitis has none: put the arrays into one yourself",
        options=_known("variable instance offset"), words=_known("horizontal vertical"),
        needs=("variable", "instance"),
    ),
    "RESOURCE": Rule(
        instead="write BIND_STORAGE or BIND_OP, in a directive file if both tools are meant",
        legacy=_vitis, options=_known("variable core latency metadata memory_style port_map"),
        needs=("variable",),
    ),
    "BIND_STORAGE": Rule(
        _vitis, "write RESOURCE core=…", needs=("variable", "type"),
        options={
            **_known("variable latency"), "type": _one_of(_STORAGE), "impl": _one_of(_MEMORIES),
        },
    ),
    "BIND_OP": Rule(
        _vitis, "write RESOURCE core=…", options=_known("variable op impl latency"),
        needs=("variable", "op"),
    ),
    "DATA_PACK": Rule(
        _vivado, "write AGGREGATE", options=_known("variable instance"),
        words=_known("struct_level field_level"), needs=("variable",),
    ),
    "AGGREGATE": Rule(
        _vitis, "write DATA_PACK", needs=("variable",),
        options={**_known("variable"), "compact": _one_of("bit byte none auto")},
    ),
    "DISAGGREGATE": Rule(
        _vitis, "declare the members apart", options=_known("variable"), needs=("variable",)
    ),
    "STREAM": Rule(
        needs=("variable",),
        options={
            **_known("variable depth"),
            "dim": Option(_vivado, "Vitis has none: write one pragma for the whole array"),
            "type": Option(
                _vitis, "delete it: a FIFO is the default",
                values=frozenset(("fifo", "pipo", "shared", "unsync")),
            ),
            "off": Option(_vivado, "write type=pipo"),
        },
        words={"off": Option(_vivado, "write type=pipo")},
    ),
    "DATAFLOW": Rule(places=_BODY, words=_known("disable_start_propagation")),
    "INLINE": Rule(
        places=("function",),
        words={
            **_known("off recursive on"),
            "region": Option(instead="put INLINE into each function", legacy=_vitis),
        },
    ),
    "INTERFACE": Rule(
        places=("function",),
        options={
            **_known("port bundle offset depth register register_mode name latency clock"),
            **_known("num_read_outstanding num_write_outstanding max_read_burst_length"),
            **_known("max_write_burst_length"),
            "mode": _keyed(f"{_MODES} {_CONTROL}"),
            "storage_type": Option(_vitis, "bind the memory with RESOURCE"),
            "storage_impl": Option(_vitis, "bind the memory with RESOURCE"),
            "max_widen_bitwidth": Option(_vitis, "delete it"),
            "channel": Option(_vitis, "delete it"),
            "autorestart": Option(_since(2025, 1), "delete it, and set AUTO_RESTART by the driver"),
        },
        words={
            **_known(f"{_MODES} {_CONTROL} register"),
            "ap_bus": Option(_vivado, "write m_axi"),
        },
        needs=("port",),
    ),
    "ALLOCATION": Rule(
        places=("function", "loop", "block"),
        options={
            **_known("instances limit"),
            "type": Option(_never, "write the bare word", keyed=True),
        },
        words={**_known("function operation"), "core": Option(_vivado, "write operation")},
    ),
    "LATENCY": Rule(options=_known("min max")),
    "FUNCTION_INSTANTIATE": Rule(places=("function",), options=_known("variable")),
    "EXPRESSION_BALANCE": Rule(words=_known("off")),
    "OCCURRENCE": Rule(options=_known("cycle")),
    "PROTOCOL": Rule(options={"mode": _keyed("fixed floating")}, words=_known("fixed floating")),
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


class Breach(NamedTuple):
    """What is wrong, what to write instead, the releases concerned; rule: as of `hlsc.lint.Finding`."""

    what: str
    remedy: str
    releases: list[Release]
    rule: str = "option"


Pairs = Sequence[tuple[str, "str | None"]]


def breaches(
    name: str, pairs: Pairs, place: Place, releases: list[Release], *, directive: bool = False
) -> Iterator[Breach]:
    """What is wrong with one pragma, or one directive."""
    rule = PRAGMAS.get(name)
    if rule is None:
        near = difflib.get_close_matches(name, PRAGMAS, 1, 0.5)
        yield Breach("is no known pragma", f"did you mean {near[0]}?" if near else "", releases)
        return
    unknown = [r for r in releases if not rule.taken(r)]
    if unknown:
        yield Breach("is not known there", rule.instead, unknown)
    if place not in rule.places:
        where = {"": "outside functions", "block": "in other braces"}.get(place, f"in a {place}")
        wanted = " or ".join(f"a {p}" for p in rule.places if p != "block")
        yield Breach(
            f"stands {where} and has no effect",
            f"put it directly into the body of {wanted}",
            releases,
            "placement",
        )
    known = [r for r in releases if rule.taken(r)]
    if legacy := [r for r in releases if rule.legacy(r)]:
        yield Breach("is deprecated there", rule.instead, legacy)
    given = {key.lower() for key, _ in pairs}
    for need in rule.needs:
        if need not in given and known:
            yield Breach(f"lacks {need}=…, and has no effect", "", known)
    for key, value in pairs:
        yield from _option_breaches(name, rule, key, value, known, directive)


def _option_breaches(
    name: str, rule: Rule, key: str, value: str | None, known: list[Release], directive: bool
) -> Iterator[Breach]:
    """The same for one of its options (`key=value`) or words (value None)."""
    low = key.lower()
    option = rule.options.get(low) if value is not None else rule.words.get(low, rule.options.get(low))
    if option is None:
        near = difflib.get_close_matches(low, [*rule.options, *rule.words], 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else f"{name} has no such option"
        yield Breach(f"has the unknown option '{key}'", remedy, known)
        return
    shown = key if value is None else f"{key}={value}"
    if option.values and value and value.isidentifier() and value.lower() not in option.values:
        near = difflib.get_close_matches(value.lower(), sorted(option.values), 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else f"write {', '.join(sorted(option.values))}"
        yield Breach(f"has '{shown}', which no release knows", remedy, known)
    elif missing := [r for r in known if not option.taken(r) and not (directive and option.keyed)]:
        yield Breach(f"has '{shown}', which is not known there", option.instead, missing)
    elif old := [r for r in known if option.legacy(r)]:
        yield Breach(f"has '{shown}', which is deprecated there", option.instead, old)
