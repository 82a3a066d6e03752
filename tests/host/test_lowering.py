# SPDX-License-Identifier: Apache-2.0
"""Jobs hold what docs/streams.md says, their inverses are inverses, and what can not be is refused."""

from __future__ import annotations

import numpy as np
import pytest

from convloom.errors import ConvloomError, LayerError, UnsupportedError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lower, lowerings_for
from convloom.lowering.operands import OPERANDS, patch_matrix, pieces
from convloom.lowering.vectors import vector_text, write_vectors
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS

SPEC = load_kernel("gemm_systolic")


def walk(job):
    """The product, computed from the beats alone, as docs/streams.md describes them: (rows, K) sums.

    Written beat by beat from the document, so that it shares nothing with the lowering.
    """
    sizes, r = SPEC.config(job.config), job.registers
    word, cols, array_rows = sizes["word_bytes"], sizes["cols"], sizes["rows"]
    depth = r["segments"] * r["segment_words"] * word
    out = np.zeros((r["rows"], r["groups"] * r["filters"]), np.int64)
    in0 = iter(np.concatenate([t.view(np.uint8) for t in job.streams["in0"]]))
    in1 = iter(np.concatenate([t.view(np.uint8) for t in job.streams["in1"]]))

    def take(stream, count):
        return np.fromiter((next(stream) for _ in range(count)), np.uint8, count)

    for group in range(r["groups"]):
        for nt in range(r["filter_tiles"]):
            final = nt == r["filter_tiles"] - 1
            blocks = r["filter_blocks_last"] if final else r["filter_blocks"]
            for mt in range(r["row_tiles"]):
                rows = r["row_blocks"] * array_rows
                entries = rows * r["segments"]
                table = take(in0, -(-entries // 4) * 8).view("<u2")
                params = take(in1, 8 * blocks * cols).view("<i4")[::2]
                sums = np.zeros((rows, blocks * cols), np.int64) + params
                for _ in range(r["chunks"]):
                    image = take(in0, r["image_words"] * word).view(np.int8)
                    a = np.zeros((rows, depth), np.int64)
                    piece = r["segment_words"] * word
                    for row in range(rows):
                        block, i = divmod(row, array_rows)
                        for seg in range(r["segments"]):
                            at = table[(block * r["segments"] + seg) * array_rows + i] * word
                            a[row, seg * piece : (seg + 1) * piece] = image[at : at + piece]
                    for block in range(blocks):
                        b = take(in1, depth * cols).view(np.int8).reshape(depth, cols)
                        sums[:, block * cols : (block + 1) * cols] += a @ b.astype(np.int64)
                first, valid = mt * rows, min(rows, r["rows"] - mt * rows)
                n0 = nt * r["filter_blocks"] * cols
                count = min(blocks * cols, r["filters"] - n0)
                base = group * r["filters"] + n0
                out[first : first + valid, base : base + count] = sums[:valid, :count]
    assert next(in0, None) is None and next(in1, None) is None, "beats left over"
    return out


@pytest.mark.parametrize("lowering", OPERANDS)
@pytest.mark.parametrize("config", SPEC.configs)
def test_beats_mean_what_the_document_says(config, lowering, seed):
    for layer, x, w, bias in random_layers(6, seed, max_macs=20_000):
        if lowering not in lowerings_for(layer, SPEC, config):
            continue
        job = lower(layer, x, w, bias, kernel=SPEC, config=config, lowering=lowering)
        sums = walk(job).reshape(layer.y_shape).astype(np.int32)
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        np.testing.assert_array_equal(layer.finish(sums), expected, err_msg=layer.name)


def distinct_pieces(layer, lowering, tile_rows):
    """(pieces stored over all tiles, most in one tile), counted pixel by pixel from the definitions."""
    counts = []
    rows = [(n, p, q) for n in range(layer.n) for p in range(layer.oh) for q in range(layer.ow)]
    for at in range(0, len(rows), tile_rows):
        seen = set()
        for n, p, q in rows[at : at + tile_rows]:
            for r in range(layer.r):
                ih = p * layer.stride[0] + r * layer.dilation[0] - layer.pads[0]
                inside = 0 <= ih < layer.h
                if lowering == "mec":
                    seen.add((n, ih, q) if inside else None)
                    continue
                for s in range(layer.s):
                    iw = q * layer.stride[1] + s * layer.dilation[1] - layer.pads[1]
                    seen.add((n, ih, iw) if inside and 0 <= iw < layer.w else None)
        counts.append(len(seen))
    return counts


@pytest.mark.parametrize("lowering", ["mec", "indirect"])
def test_each_piece_of_a_tile_is_streamed_once(lowering, seed):
    """Bytes of in0 equal the formula: tiles · (table + chunks · most distinct pieces · words)."""
    found = 0
    for layer, x, w, bias in random_layers(30, seed, exclude=("groups", "depthwise")):
        if lowering not in lowerings_for(layer, SPEC, "z2"):
            continue
        found += 1
        job = lower(layer, x, w, bias, kernel=SPEC, config="z2", lowering=lowering)
        r, sizes = job.registers, SPEC.config("z2")
        segments, length = pieces(layer, lowering)
        tile_rows = r["row_blocks"] * sizes["rows"]
        stored = max(distinct_pieces(layer, lowering, tile_rows))
        assert r["segments"] == segments
        assert r["image_words"] == stored * r["segment_words"]
        assert r["chunks"] * r["segment_words"] * sizes["word_bytes"] >= length
        table = -(-tile_rows * segments // 4) * 8
        image = r["chunks"] * r["image_words"] * sizes["word_bytes"]
        assert job.buffer_bytes == r["row_tiles"] * (table + image)
    assert found > 10


@pytest.mark.parametrize("config", SPEC.configs)
def test_pack_and_unpack_are_inverse_and_located(config, seed):
    for layer, x, w, bias in random_layers(20, seed):
        job = lower(layer, x, w, bias, kernel=SPEC, config=config)
        y = ALGORITHMS["im2col"](layer, x, w, bias).y
        beats = job.pack(y)
        assert len(beats) == job.out_beats
        np.testing.assert_array_equal(job.unpack(beats), y)
        index = len(beats) // 2
        place = job.locate(index)
        k = place.group * (layer.k // layer.groups) + place.filter
        value = y.reshape(-1, layer.k)[place.row, k]
        assert beats[index : index + 1].view(y.dtype)[0] == value, str(place)


def test_locate_refuses_a_beat_past_the_end():
    job = next(iter(jobs(1)))
    with pytest.raises(IndexError, match="must be below"):
        job.locate(job.out_beats)


def jobs(count):
    for layer, x, w, bias in random_layers(count, 5):
        yield lower(layer, x, w, bias, kernel=SPEC, config="tiny")


def test_bytes_count_repeated_transfers_but_buffers_only_once():
    rng = np.random.default_rng(1)
    layer = ConvLayer(1, 6, 6, 4, 40, 3, 3)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    job = lower(layer, x, w, kernel=SPEC, config="tiny")
    tiles = job.registers["filter_tiles"]
    assert tiles == 3
    assert len(job.streams["in0"]) == tiles
    assert job.buffer_bytes == job.streams["in0"][0].nbytes
    assert job.bytes_in == tiles * job.buffer_bytes + sum(t.nbytes for t in job.streams["in1"])
    assert job.bytes_out == 8 * job.out_beats


def test_pointwise_patches_are_a_view():
    layer = ConvLayer(2, 5, 4, 16, 3, 1, 1)
    x = np.arange(np.prod(layer.x_shape)).astype(np.int8).reshape(layer.x_shape)
    assert np.shares_memory(patch_matrix(layer, x), x)


def test_vectors_are_text_with_every_beat(tmp_path):
    layer, x, w, bias = next(random_layers(1, 2))
    job = lower(layer, x, w, bias, kernel=SPEC, config="tiny")
    out = job.pack(ALGORITHMS["im2col"](layer, x, w, bias).y)
    write_vectors(tmp_path / "deep" / "v.txt", job, out)
    text = (tmp_path / "deep" / "v.txt").read_text()
    assert text == vector_text(job, out)
    words = text.split()
    assert words[:3] == ["kernel", "gemm_systolic", "tiny"]
    assert int(words[-1], 16) == int(out[-1])
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["v.txt"]


def test_refusals_name_what_is_wrong():
    layer = ConvLayer(1, 4, 4, 2, 3, 3, 3)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(
        ConvloomError, match=r"lowering .* must be one of im2col, mec, indirect, not 'fft'"
    ):
        lower(layer, x, w, kernel=SPEC, lowering="fft")
    with pytest.raises(ConvloomError, match="config must be one of tiny, z2, not 'huge'"):
        lower(layer, x, w, kernel=SPEC, config="huge")
    with pytest.raises(LayerError):
        lower(layer, x[:, :3], w, kernel=SPEC)
    wide = ConvLayer(1, 1, 1, 1, 70_000, 1, 1)
    assert lowerings_for(wide, SPEC) == ()
    with pytest.raises(UnsupportedError, match=r"K / groups must be at most 65535 .* not 70000"):
        lower(wide, np.zeros((1, 1, 1, 1), np.int8), np.zeros(wide.w_shape, np.int8), kernel=SPEC)


def test_a_lowering_that_does_not_fit_names_the_next_one():
    layer = ConvLayer(1, 9, 9, 2, 3, 7, 7)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    assert lowerings_for(layer, SPEC, "tiny") == ("im2col", "mec")
    with pytest.raises(UnsupportedError, match=r"R·S must be at most 12 .* not 49; use mec or im2col"):
        lower(layer, x, w, kernel=SPEC, config="tiny", lowering="indirect")
    tall = ConvLayer(1, 40, 1, 1, 1, 40, 1)
    with pytest.raises(UnsupportedError, match=r"R must be at most 12 .* not 40; use im2col"):
        lower(tall, np.zeros(tall.x_shape), np.zeros(tall.w_shape), kernel=SPEC, lowering="mec")


def test_output_of_wrong_length_is_refused():
    job = next(iter(jobs(1)))
    with pytest.raises(ConvloomError, match="must be one transfer of"):
        job.result([np.zeros(job.out_beats + 1, np.uint64)])
    with pytest.raises(ConvloomError, match="must be one transfer of"):
        job.result([])
