# SPDX-License-Identifier: Apache-2.0
"""Words of the top's streams: structs whose `last` Vitis does not take for TLAST."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hlsc.frontend.lexer import Walk
from hlsc.lint.structure import Finding, matching

__all__ = ["stream_words"]

_SIDE = {"last", "tlast", "keep", "tkeep", "strb", "tstrb"}


def stream_words(walk: Walk, top: str) -> Iterator[Finding]:
    """Arguments hls::stream<S> of the top whose S is a struct of the user's with a member like `last`.

    Vitis HLS makes TLAST and its kin only of hls::axis, ap_axiu and ap_axis; of other structs all
    members become TDATA.
    """
    structs = _structs(walk)
    aliases = _aliases(walk)
    streams = _stream_aliases(walk)
    for function in walk.functions:
        if function.name != top or not function.head:
            continue
        head = [t.text for t in function.head]
        for i, text in enumerate(head):
            word = _word(head[i:]) if text == "stream" else streams.get(text, "")
            if (side := structs.get(aliases.get(word, word))) is not None:
                yield (
                    function.head[i].loc,
                    f"stream word {word} is a struct with '{side}': Vitis makes it part of TDATA, and "
                    "the stream has no TLAST",
                    "use ap_axiu<N, 1, 1, 1> or hls::axis as the stream's word",
                )


def _word(texts: Sequence[str]) -> str:
    """W of `stream<ns::W …`, without what it is qualified with; "" if it is no stream's type."""
    if texts[1:2] != ["<"]:
        return ""
    names = [t for t in texts[2:12] if t not in ("const", "struct")]
    while names[1:2] == ["::"] or names[:1] == ["::"]:
        del names[: 2 if names[1:2] == ["::"] else 1]
    return names[0] if names else ""


def _stream_aliases(walk: Walk) -> dict[str, str]:
    """typedef and using names of hls::stream → the word's type."""
    found = {}
    tokens = walk.tokens
    for i, token in enumerate(tokens):
        if token.text != "stream" or i + 1 >= len(tokens) or tokens[i + 1].text != "<":
            continue
        first = i - 2 if tokens[i - 1].text == "::" else i  # hls::stream
        word = _word([t.text for t in tokens[i : i + 14]])
        if tokens[first - 1].text == "typedef":
            end = matching(tokens, i + 1, "<", ">")
            found[tokens[end].text if end < len(tokens) else ""] = word
        elif tokens[first - 1].text == "=" and tokens[first - 3].text == "using":
            found[tokens[first - 2].text] = word
    return found


def _structs(walk: Walk) -> dict[str, str]:
    """Structs of the user's → their first member that looks like a side channel."""
    found: dict[str, str] = {}
    tokens = walk.tokens
    for i, token in enumerate(tokens):
        if token.text not in ("struct", "class"):
            continue
        if i + 2 >= len(tokens) or tokens[i + 2].text not in ("{", ":"):
            continue
        start = next((k for k in range(i + 2, len(tokens)) if tokens[k].text in "{;"), len(tokens))
        if start == len(tokens) or tokens[start].text != "{":
            continue
        for k in range(start + 1, matching(tokens, start, "{", "}") - 1):
            if tokens[k].text.lower() in _SIDE and tokens[k + 1].text in (";", ",", "[", ":"):
                found[tokens[i + 1].text] = tokens[k].text
                break
    return found


def _aliases(walk: Walk) -> dict[str, str]:
    """typedef and using names of plain types."""
    found = {}
    tokens = walk.tokens
    for i in range(len(tokens)):
        texts = [t.text for t in tokens[i : i + 5]]
        if texts[:1] == ["typedef"] and texts[3:4] == [";"]:
            found[texts[2]] = texts[1]
        elif texts[:1] == ["using"] and texts[2:3] == ["="] and texts[4:5] == [";"]:
            found[texts[1]] = texts[3]
    return found
