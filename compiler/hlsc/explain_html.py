# SPDX-License-Identifier: Apache-2.0
"""An explanation (hlsc.explain) as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from hlsc.explain import Explanation, Fill, LoopView
from hlsc.explain_text import blocks, columns, headline, operations, slots
from hlsc.ir import Loc

__all__ = ["html"]

_CYCLES = 200  # columns of a schedule that are shown

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h2 { font-size: 1.05rem; border-top: 1px solid #ccc; padding-top: 1rem; margin-top: 2rem; }
code, pre, td.source { font: 13px/1.4 ui-monospace, monospace; }
pre { background: #f3f5f7; padding: .6rem .8rem; overflow-x: auto; }
.limit { border-left: 4px solid #c2410c; padding-left: .8rem; }
.advice { border-left: 4px solid #15803d; padding-left: .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; }
th, td { border: 1px solid #d8dde2; padding: .15rem .45rem; text-align: left; vertical-align: top; }
th { font-weight: 600; background: #f3f5f7; }
td.source { white-space: pre; }
td.busy { background: #dbeafe; font-size: 12px; }
td.port { background: #fde8d8; }
svg { background: #f3f5f7; display: block; }
"""


def html(found: Explanation) -> str:
    """The page."""
    r = found.report
    title = escape(f"{found.top} on {r['part']}, clock {r['clock_ns']:g} ns")
    body = [part for loop in found.loops for part in _loop(found, loop)]
    if found.report["blocks"]:
        body.append("<h2>Outside loops</h2>")
        body += [f"<p>{escape(line)}</p>" for line in blocks(found)]
    if found.fifos:
        body.append("<h2>FIFOs in co-simulation</h2>")
        body += [_fill(f) for f in found.fifos]
    body += [f'<p class="limit">cosim: {escape(p)}</p>' for p in found.problems]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _quoted(found: Explanation, loc: Loc | None) -> str:
    return f"{escape(str(loc or ''))}  {escape(found.source(loc))}"


def _loop(found: Explanation, loop: LoopView) -> Iterator[str]:
    yield f"<h2>{escape(headline(loop))}</h2>"
    if loop.limit:
        lines = "\n".join(_quoted(found, x) for x in loop.limit.lines)
        text = escape(f"Limited by {loop.limit.article} {loop.limit.kind}: {loop.limit.text}")
        yield f'<div class="limit"><p>{text}</p>' + (f"<pre>{lines}</pre>" if lines else "") + "</div>"
    if loop.advice:
        pragmas = "\n".join(f"{p}   // in {loop.advice.function}" for p in loop.advice.pragmas)
        code = f"<pre>{escape(pragmas)}</pre>" if pragmas else ""
        yield f'<div class="advice"><p>{escape(loop.advice.note)}</p>{code}</div>'
    yield from _ports(loop)
    yield from _schedule(found, loop)


def _ports(loop: LoopView) -> Iterator[str]:
    if not loop.ports:
        return
    yield "<table><tr><th>shared</th><th>taken</th><th>users</th></tr>"
    for port in loop.ports:
        full = ' class="port"' if loop.ii and len(port.uses) >= loop.ii else ""
        yield (
            f"<tr><td>{escape(port.name)}</td><td{full}>{escape(slots(loop, port))}</td>"
            f"<td>{escape(port.users)}</td></tr>"
        )
    yield "</table>"


def _schedule(found: Explanation, loop: LoopView) -> Iterator[str]:
    """Source lines downwards, cycles of an iteration to the right."""
    cycles = min(loop.depth, _CYCLES)
    cells = {(r.loc, r.cycle): operations(r) for r in loop.rows}
    places = list(dict.fromkeys(r.loc for r in loop.rows))
    places.sort(key=lambda x: (x.file, x.line) if x else ("", 0))
    head = "".join(f"<th>{c}</th>" for c in range(cycles))
    yield f'<div class="scroll"><table><tr><th>line</th><th>cycle</th>{head}</tr>'
    for loc in places:
        row = "".join(
            f'<td class="busy">{escape(cells[(loc, c)])}</td>' if (loc, c) in cells else "<td></td>"
            for c in range(cycles)
        )
        at = f"{loc.file}:{loc.line}" if loc else "(several lines)"
        yield (
            f'<tr><td>{escape(at)}</td><td class="source">{escape(found.source(loc))}</td>{row}</tr>'
        )
    yield "</table></div>"
    if loop.depth > cycles:
        yield f"<p>The first {cycles} of {loop.depth} cycles.</p>"


def _fill(fill: Fill) -> str:
    t = fill.trace
    points = columns(t.samples, 600)
    top = max([fill.depth, t.high_water, 1])
    width, height = 720, 90
    step = width / max(1, len(points))
    path = f"M0,{height}" + "".join(
        f"V{height - x * (height - 4) / top:.1f}H{(i + 1) * step:.1f}" for i, x in enumerate(points)
    )
    depth = height - fill.depth * (height - 4) / top
    cycles = len(t.samples) * t.span
    text = (
        f"{t.name}: depth {fill.depth}, {t.pushed} words, most at once {t.high_water}, a word waited "
        f"in {t.blocked} of {cycles} cycles"
    )
    return (
        f"<p>{escape(text)}</p>"
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(text)}</title>"
        f'<path d="{path}V{height}Z" fill="#93c5fd"/>'
        f'<path d="M0,{depth:.1f}H{width}" stroke="#c2410c" stroke-dasharray="4 3"/></svg>'
    )
