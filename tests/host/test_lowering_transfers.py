# SPDX-License-Identifier: Apache-2.0
"""Weights in few transfers: the same beats, no more memory than a transfer's worth of copies."""

from __future__ import annotations

import numpy as np

from convloom.lowering.transfers import JOINED_BYTES, joined

BEATS = JOINED_BYTES // 8


def piece(beats: int, value: int) -> np.ndarray:
    return np.full(beats, value, "<u8")


def test_beats_and_their_order_stay(rng):
    pieces = [piece(int(n), i) for i, n in enumerate(rng.integers(1, BEATS // 2, 30))]
    transfers = joined(pieces)
    np.testing.assert_array_equal(np.concatenate(transfers), np.concatenate(pieces))
    ends = set(np.cumsum([len(p) for p in pieces]))
    assert set(np.cumsum([len(t) for t in transfers])) <= ends, "a piece was cut"
    assert all(len(t) <= BEATS for t in transfers)
    # None could take the first piece of the next one too.
    starts = dict(zip(np.cumsum([0, *(len(p) for p in pieces)]), pieces, strict=False))
    at = 0
    for transfer in transfers[:-1]:
        at += len(transfer)
        assert len(transfer) + len(starts[at]) > BEATS


def test_what_is_sent_again_is_the_same_array():
    small, large = piece(BEATS // 4, 1), piece(BEATS + 1, 2)
    transfers = joined([small] * 10 + [large] * 2)
    assert [len(t) for t in transfers] == [BEATS, BEATS, BEATS // 2, BEATS + 1, BEATS + 1]
    assert transfers[0] is transfers[1]
    assert transfers[3] is large and transfers[4] is large


def test_one_that_fills_a_transfer_is_not_copied():
    exact = piece(BEATS, 3)
    assert all(t is exact for t in joined([exact] * 3))
    assert joined([]) == []
