# SPDX-License-Identifier: Apache-2.0
"""`convloom bench`: suites, the roofline by hand, measured figures, totals, the cache."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from convloom.cli import main
from convloom.commands import bench_measure, ways
from convloom.commands.bench_totals import SUM, totals
from convloom.errors import ConvloomError
from convloom.kernels import kernel_names, load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lower
from convloom.roofline import Bus, array_of, roofline
from convloom.suites import SUITES, SuiteLayer, load_suite, random_tensors, square_layer

Z2 = Bus(8, 12.2)
KEYS = {
    "name", "kernel", "lowering", "macs", "cycles", "roofline_cycles", "mac_per_cycle",
    "eff_mac_per_dsp_cycle", "bytes_in", "bytes_out", "limit",
}  # fmt: skip


# Suites -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "layers", "mega_macs"),
    [
        ("resnet18", 20, 1813.6),
        ("vgg16", 13, 15346.6),
        ("mobilenetv1", 27, 567.7),
        ("yolov3-tiny", 13, 2782.5),
    ],
)
def test_suites_have_the_published_size(name: str, layers: int, mega_macs: float) -> None:
    suite = load_suite(name)
    assert sum(entry.times for entry in suite) == layers
    assert sum(entry.times * entry.layer.macs for entry in suite) / 1e6 == pytest.approx(
        mega_macs, abs=0.1
    )
    assert len({entry.layer.name for entry in suite}) == len(suite)


def test_peers_are_named_as_agreed() -> None:
    assert [entry.layer.name for entry in load_suite("peers")] == [
        "3x3s1_14x14x64_64", "3x3s1_28x28x32_32", "3x3s1_56x56x64_64", "1x1s1_14x14x64_128",
        "3x3s2_28x28x16_32",
    ]  # fmt: skip


def test_every_layer_of_every_suite_has_a_kernel() -> None:
    for suite in SUITES:
        for entry in load_suite(suite):
            assert ways.ways(entry.layer, "board", "z2")[0], entry.title


def test_unknown_suite() -> None:
    with pytest.raises(ConvloomError, match=r"suite must be one of resnet18, .*, not 'alexnet'"):
        load_suite("alexnet")


# Roofline -----------------------------------------------------------------------------------------
def job_of(layer: ConvLayer, kernel: str, lowering: str, config: str = "z2") -> Any:
    return lower(
        layer, *random_tensors(layer), kernel=load_kernel(kernel), config=config, lowering=lowering
    )


def test_arrays_of_the_z2_kernels() -> None:
    found = {name: array_of(name, load_kernel(name).config("z2")) for name in kernel_names()}
    assert {name: (a.dsp, a.peak) for name, a in found.items()} == {
        "conv_linebuffer": (216, 432),
        "conv_winograd": (216, 864),
        "gemm_systolic": (208, 416),
    }


def test_winograd_by_hand() -> None:
    """56²×64→64: 14² tiles of 4×4, 64 channels, 11 blocks of 6 filters, weights sent twice."""
    roof = roofline(job_of(square_layer(56, 64, 64, 3).layer, "conv_winograd", "pixels"), Z2)
    assert roof.limits == {
        "compute": 56 * 56 * 64 * 64 * 9 // 864 + 1,
        "tile edges": 14 * 14 * 64 * 11,
        "in0": 56 * 56 * 64 // 8,
        "in1": 2 * (66 * 8 + 66 * 64 * 9) // 8,
        "out": 56 * 56 * 64 // 8,
        "memory": -(-2 * (56 * 56 * 64 + 66 * (8 + 64 * 9)) * 10 // 122),
        "requantisation": 56 * 56 * 64 // 2,
    }
    # Rows 0 to 3 of the map and 5 pixels of row 4 make the first tile, whose upper row is padding.
    assert roof.fill == (4 * 56 + 5) * 8
    assert roof.limit == "tile edges"
    assert roof.cycles == roof.limits["tile edges"] + roof.fill


def test_linebuffer_by_hand() -> None:
    """28²×128→128: 16 words of channels, 22 blocks of 6 filters in two filter groups."""
    job = job_of(square_layer(28, 128, 128, 3).layer, "conv_linebuffer", "stream")
    roof = roofline(job, Z2)
    assert roof.limits["tile edges"] == 28 * 28 * 16 * 22
    assert roof.limits["in0"] == job.registers["filter_groups"] * 28 * 28 * 16
    assert roof.limits["requantisation"] == 28 * 28 * 128 // 2
    # Parameters of a filter group and the weights of its first block, or the first window.
    group = job.registers["blocks"] * 6
    assert roof.fill == max(group + 16 * 54, (28 + 2) * 16)


def test_gemm_by_hand() -> None:
    """1×1 14²×64→128: 16 blocks of 13 rows, 4 of 32 filters, 64 products deep."""
    layer = square_layer(14, 64, 128, 1).layer
    roof = roofline(job_of(layer, "gemm_systolic", "im2col"), Z2)
    assert roof.limits["tile edges"] == 16 * 4 * 64
    assert roof.limits["compute"] == -(-14 * 14 * 64 * 128 // 416)
    assert roof.limits["out"] == 14 * 14 * 128 // 8
    assert roof.limits["requantisation"] == 14 * 14 * 128 // 4


def test_a_narrow_memory_binds() -> None:
    roof = roofline(job_of(square_layer(14, 64, 128, 1).layer, "gemm_systolic", "im2col"), Bus(8, 1))
    assert roof.limit == "memory"


# Measuring ----------------------------------------------------------------------------------------
SMALL = SuiteLayer(square_layer(6, 8, 8, 3).layer, 3)
LARGER = square_layer(16, 8, 8, 3)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, "peers", lambda: iter((SMALL, LARGER)))


def run_json(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    argv = ["bench", "--suite", "peers", "--config", "tiny", "--json", *options]
    assert main(argv) == 0
    return json.loads(capsys.readouterr().out)


def test_bench_measures_every_kernel(small: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys)
    rows = found["layers"]
    assert all(set(row) >= KEYS for row in rows)
    assert {row["kernel"] for row in rows} == set(kernel_names())
    for row in rows:
        assert row["cycles"] > row["roofline_cycles"] > 0, row
        assert row["mac_per_cycle"] == pytest.approx(row["macs"] / row["cycles"], abs=0.01)
        assert not row["partial"]
        assert set(row["stalls"]) == {"in0", "in1", "out"}
        assert all(0 < sum(causes.values()) < row["cycles"] for causes in row["stalls"].values())
    best = [
        min(row["cycles"] for row in rows if row["name"] == entry.layer.name)
        for entry in (SMALL, LARGER)
    ]
    assert found["totals"][SUM]["cycles_per_image"] == 3 * best[0] + best[1]
    assert found["totals"]["best_single_overlay"] in found["totals"]["single_overlays"]


def test_fastest_measures_one_way_of_each_layer(
    small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run_json(capsys, "--fastest", "1")["layers"]
    assert [row["name"] for row in rows] == [SMALL.layer.name, LARGER.layer.name]
    every = run_json(capsys)["layers"]
    two = run_json(capsys, "--fastest", "2")["layers"]
    assert len({(row["name"], row["kernel"]) for row in two}) == len(two) == 4
    for row in rows:
        least = min(r["roofline_cycles"] for r in every if r["name"] == row["name"])
        assert row["roofline_cycles"] == least


def test_a_second_run_takes_the_cache(
    small: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_json(capsys, "--kernel", "linebuffer")

    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("must not simulate again")

    monkeypatch.setattr(bench_measure, "run_on_board", fail)
    assert run_json(capsys, "--kernel", "linebuffer") == first


def test_a_wrong_output_is_an_error(
    small: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bench_measure.random_tensors

    def other(layer: ConvLayer) -> Any:  # tensors that no other test has in the cache
        x, w, bias = real(layer)
        return np.roll(x, 1, axis=1), w, bias

    def exact(layer: ConvLayer, x: Any, w: Any, bias: Any) -> Any:
        y = np.array(ways.exact(layer, x, w, bias))
        y.flat[5] ^= 1
        return y

    monkeypatch.setattr(bench_measure, "random_tensors", other)
    monkeypatch.setattr(bench_measure, "exact", exact)
    argv = ["bench", "--suite", "peers", "--config", "tiny", "--kernel", "gemm", "--lowering", "im2col"]
    for _ in range(2):  # and nothing wrong is kept
        assert main(argv) == 1
        assert "output differs: 1 of 288 differ" in capsys.readouterr().err


def test_large_layers_are_cut_and_marked(small: None, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--kernel", "winograd", "--cycle-budget", "300")
    found = run_json(capsys, *options)
    (cut,) = [row for row in found["layers"] if row["partial"]]
    height = int(cut["name"].split("_")[1].split("x")[0])
    assert height < 16
    # Whole rows of tiles: the rows that are sent reach one below the last output row.
    tile = load_kernel("conv_winograd").config("tiny")["tile"]
    assert (height - 1) % tile == 0
    assert found["totals"][SUM] is None
    assert found["totals"]["single_overlays"] == {}
    assert main(["bench", "--suite", "peers", "--config", "tiny", *options]) == 0
    printed = capsys.readouterr().out
    assert f"~{cut['name']}" in printed
    assert "no total, as layers are missing or partial: conv_winograd" in printed


def test_a_batch_counts_per_image(small: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "--kernel", "winograd", "--batch", "2")
    rows = {row["name"]: row for row in found["layers"]}
    assert all(row["batch"] == 2 for row in rows.values())
    cycles = sum(row["cycles"] * row["times"] for row in rows.values())
    assert found["totals"][SUM]["cycles_per_image"] == round(cycles / 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--batch", "0"), "--batch must be at least 1, not 0"),
        (("--fastest", "0"), "--fastest must be at least 1, not 0"),
        (("--cycle-budget", "0"), "--cycle-budget must be at least 1, not 0"),
        (("--lowering", "mec", "--kernel", "winograd"), "for kernel winograd, lowering mec"),
        (("--board", "pynq-z3"), "pynq-z3"),
    ],
)  # fmt: skip
def test_refusals(options: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--suite", "peers", "--config", "tiny", *options]) == 1
    assert text in capsys.readouterr().err


# Totals -------------------------------------------------------------------------------------------
def row(name: str, kernel: str, cycles: int, times: int, partial: bool = False) -> dict[str, Any]:
    return {
        "name": name, "kernel": kernel, "lowering": "x", "cycles": cycles, "times": times,
        "partial": partial, "macs": 1000, "roofline_cycles": 1,
    }  # fmt: skip


def test_totals_take_the_fastest_row_of_each_layer() -> None:
    one, two = square_layer(6, 8, 8, 3, times=4), square_layer(6, 8, 16, 3)
    a, b = one.layer.name, two.layer.name
    rows = [row(a, "p", 100, 4), row(b, "p", 50, 1), row(a, "q", 10, 4)]
    found = totals((one, two), rows, 1)
    assert found["single_overlays"]["p"]["cycles_per_image"] == 450
    assert found["incomplete"] == ["q", "q x"]
    assert found[SUM]["cycles_per_image"] == 4 * 10 + 50
    assert found[SUM]["layers"] == {a: "q x", b: "p x"}


def test_partial_rows_enter_no_total() -> None:
    one = square_layer(6, 8, 8, 3)
    found = totals((one,), [row(one.layer.name, "p", 100, 1, partial=True)], 1)
    assert found[SUM] is None
    assert found["partial_layers"] == [one.layer.name]
