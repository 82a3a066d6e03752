# SPDX-License-Identifier: Apache-2.0
"""Bytes that the lowerings of `gemm_systolic` move, in closed form: no tensor is made or read.

`gemm_cost` takes a layer and its tiling and gives the bytes of each stream, as the formulas of
docs/algorithms.md have them; tests hold them against the beats that the lowerings really make.  The
image size in the tiling is not used: how many pieces a tile stores (`operands`) is worked out here.

**Derivation.**  A row tile is a run of consecutive output pixels.  It is cut at the ends of images, as
images share nothing, and what is left of one image lies in output rows p0..p1: a part of the first row
(columns from q0), whole rows, a part of the last (columns before q1).  With dilation 1 the output
rows that read an input row are neighbours, and likewise for columns, so everything is intervals:

- outputs a..b-1 along an axis cover the inputs [a·s, (b-1)·s + T) for stride s and T taps if s <= T,
  else b-a runs of T inputs, s apart; clipped to the map (`covered`);
- an input row that any whole row reads is needed over its whole width; one that only the first row
  reads, over the columns of the first part; one that only the last row reads, over those of the last;
- an input row that the first *and* the last row read lies between them, so that all rows in between
  read it as well: without any in between, it is needed over the union of the two parts.

Sums of (number of such input rows) · (number of columns) are the pieces of `indirect`.  `mec` lowers
the width beforehand: its pieces are (input row, output column), the same sum with output columns for
columns.  In both, the padding is one more piece if any window of the tile reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from convloom.errors import ConvloomError, UnsupportedError
from convloom.layer import ConvLayer
from convloom.lowering.gemm import GemmTiling
from convloom.lowering.job import Job
from convloom.lowering.operands import OPERANDS
from convloom.lowering.sizes import BEAT, divide_up

__all__ = [
    "Axis",
    "GemmCost",
    "gemm_cost",
    "im2col_bytes",
    "map_bytes",
    "mec_bytes",
    "pieces_stored",
    "tiling_of",
]


def map_bytes(layer: ConvLayer) -> int:
    """The raw map: N·H·W·C bytes."""
    return layer.n * layer.h * layer.w * layer.c


def im2col_bytes(layer: ConvLayer) -> int:
    """The im2col matrix of the whole layer: N·OH·OW·R·S·C bytes (Chellapilla et al., 2006)."""
    return layer.n * layer.oh * layer.ow * layer.r * layer.s * layer.c


def mec_bytes(layer: ConvLayer) -> int:
    """MEC's lowered map of the whole layer: N·OW·IH·S·C bytes, IH with padding (Cho & Brand, 2017)."""
    height = layer.h + layer.pads[0] + layer.pads[2]
    return layer.n * layer.ow * height * layer.s * layer.c


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution of dilation 1: output o reads inputs o·stride - pad + 0..taps-1."""

    outputs: int
    size: int
    taps: int
    stride: int
    pad: int

    def covered(self, first: int, end: int) -> int:
        """Inputs of the map that outputs first..end-1 read."""
        if end <= first:
            return 0
        low = max(first * self.stride, self.pad)
        high = min((end - 1) * self.stride + self.taps, self.pad + self.size)
        return max(0, self._read_below(high) - self._read_below(low)) if low < high else 0

    def _read_below(self, position: int) -> int:
        """Positions of the padded axis below `position` that any output would read."""
        if self.stride <= self.taps:
            return position
        runs, rest = divmod(position, self.stride)
        return runs * self.taps + min(rest, self.taps)

    def covered_apart(self, end: int, first: int) -> int:
        """Inputs that outputs 0..end-1 or outputs first..outputs-1 read; end <= first."""
        shared = 0
        if self.stride < self.taps and end > 0 and first < self.outputs:
            # Two intervals, one from each end: what both hold is what lies between their inner ends.
            low = max(first * self.stride, self.pad)
            high = min((end - 1) * self.stride + self.taps, self.pad + self.size)
            shared = max(0, high - low)
        return self.covered(0, end) + self.covered(first, self.outputs) - shared

    def pads(self, first: int, end: int) -> bool:
        """Whether any of outputs first..end-1 reads padding."""
        below = first * self.stride < self.pad
        return below or (end - 1) * self.stride + self.taps > self.pad + self.size


def _axes(layer: ConvLayer, lowering: str) -> tuple[Axis, Axis]:
    """Rows and columns of the pieces; UnsupportedError where dilation leaves gaps in the intervals."""
    top, left, _, _ = layer.pads
    gaps = [layer.r > 1 and layer.dilation[0] > 1, layer.s > 1 and layer.dilation[1] > 1]
    if gaps[0] or (gaps[1] and lowering != "mec"):
        raise UnsupportedError(
            f"{layer.name}: dilation for the byte formula of {lowering} must be 1 where there are "
            f"several taps, not {layer.dilation}; lower the layer and read the bytes off its job"
        )
    rows = Axis(layer.oh, layer.h, layer.r, layer.stride[0], top)
    if lowering == "mec":  # the width is lowered already: a piece per output column
        return rows, Axis(layer.ow, layer.ow, 1, 1, 0)
    return rows, Axis(layer.ow, layer.w, layer.s, layer.stride[1], left)


def _in_image(rows: Axis, cols: Axis, first: int, end: int) -> tuple[int, bool]:
    """(pieces of the map, whether padding is read) of output pixels first..end-1 of one image."""
    p0, q0 = divmod(first, cols.outputs)
    p1, q1 = divmod(end - 1, cols.outputs)
    q1 += 1
    whole = (0, cols.outputs)
    padding = rows.pads(p0, p1 + 1) or cols.pads(*((q0, q1) if p0 == p1 else whole))
    if p0 == p1:
        return rows.covered(p0, p1 + 1) * cols.covered(q0, q1), padding
    of_first, of_last = cols.covered(q0, cols.outputs), cols.covered(0, q1)
    if p1 == p0 + 1:
        height = rows.covered(p0, p1 + 1)
        own_first, own_last = height - rows.covered(p1, p1 + 1), height - rows.covered(p0, p0 + 1)
        both = cols.covered(*whole) if q1 >= q0 else cols.covered_apart(q1, q0)
        shared = height - own_first - own_last
        return own_first * of_first + own_last * of_last + shared * both, padding
    between = rows.covered(p0 + 1, p1)
    own_first = rows.covered(p0, p1) - between
    own_last = rows.covered(p0 + 1, p1 + 1) - between
    count = between * cols.covered(*whole) + own_first * of_first + own_last * of_last
    return count, padding


def pieces_stored(layer: ConvLayer, lowering: str, first: int, end: int) -> int:
    """Distinct pieces of output pixels first..end-1, counted over the batch: what a tile stores.

    Raises UnsupportedError for dilation that the formula does not cover; im2col has no such limit.
    """
    if lowering not in OPERANDS:
        raise ConvloomError(f"lowering must be one of {', '.join(OPERANDS)}, not {lowering!r}")
    if lowering == "im2col":
        return end - first
    rows, cols = _axes(layer, lowering)
    pixels = layer.oh * layer.ow
    image, last_image = first // pixels, (end - 1) // pixels
    if image == last_image:
        count, padding = _in_image(rows, cols, first % pixels, (end - 1) % pixels + 1)
        return count + padding
    count, padding = _in_image(rows, cols, first % pixels, pixels)
    more, more_padding = _in_image(rows, cols, 0, (end - 1) % pixels + 1)
    whole, _ = _in_image(rows, cols, 0, pixels)
    between = last_image - image - 1
    # Padding of whole images needs no look: their corners are in the last and the first part.
    return count + between * whole + more + (padding or more_padding)


@dataclass(frozen=True)
class GemmCost:
    """Bytes on the streams of one call, repeats included.

    in0, in1: towards the kernel; out: from it; buffer: in0 without repeats, what the host has to hold.
    """

    in0: int
    in1: int
    out: int
    buffer: int

    @property
    def bytes_in(self) -> int:
        return self.in0 + self.in1


def tiling_of(job: Job) -> GemmTiling:
    """The tiling of a job of `gemm_systolic`, from its registers."""
    names = [f.name for f in fields(GemmTiling) if f.name != "sizes"]
    return GemmTiling(job.spec.config(job.config), **{name: job.registers[name] for name in names})


def gemm_cost(layer: ConvLayer, lowering: str, tiling: GemmTiling) -> GemmCost:
    """Bytes of the layer under `lowering`, cut as `tiling` says.

    With M = N·OH·OW rows in tiles of m, a row g pieces of l words of w bytes per chunk, D the most
    pieces that a tile stores (`pieces_stored`), and B blocks of b filters in all:

    - buffer = groups · row tiles · (8·⌈m·g/4⌉ + chunks · D·l·w); in0 = buffer · filter tiles;
    - in1 = groups · row tiles · B·b · (8 + chunks · g·l·w): per filter a parameter beat and weights;
    - out = groups · M · 8 · (beats of the filters of each block, summed over the blocks).

    Raises UnsupportedError for dilation that the formula does not cover.
    """
    word, cols = tiling.sizes["word_bytes"], tiling.sizes["cols"]
    starts = range(0, tiling.rows, tiling.tile_rows)
    stored = max(
        pieces_stored(layer, lowering, at, min(at + tiling.tile_rows, tiling.rows)) for at in starts
    )
    image = tiling.chunks * stored * tiling.segment_words * word
    buffer = tiling.groups * tiling.row_tiles * (BEAT * tiling.table_beats + image)
    blocks = (tiling.filter_tiles - 1) * tiling.filter_blocks + tiling.filter_blocks_last
    per_filter = BEAT + tiling.chunks * tiling.depth
    per_beat = BEAT // layer.y_dtype.itemsize
    last = tiling.filters - (blocks - 1) * cols
    beats = (blocks - 1) * divide_up(cols, per_beat) + divide_up(last, per_beat)
    return GemmCost(
        in0=buffer * tiling.filter_tiles,
        in1=tiling.groups * tiling.row_tiles * blocks * cols * per_filter,
        out=tiling.groups * tiling.rows * beats * BEAT,
        buffer=buffer,
    )
