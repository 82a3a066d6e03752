# SPDX-License-Identifier: Apache-2.0
"""Hostile clients: random and malformed calls must not crash, fill or leave the virtual board."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vboard
from vboard.artefacts import build_overlay
from vboard.client import PORT
from vboard.library import build_library, design
from vboard.protocol import SERVICES, messages, service

grpc = pytest.importorskip("grpc", reason="grpcio comes with pynq: pip install 'convloom[board]'")

CALLS = 2000
WORKERS = 8
SECONDS = 30.0  # of one call


@pytest.fixture(scope="module")
def _built() -> None:
    build_library(design("gemm_systolic", "tiny"))


@pytest.fixture(scope="module")
def board(_built: None) -> Iterator[vboard.Board]:
    with vboard.Board("gemm_systolic") as made:
        yield made


@pytest.fixture
def channel(board: vboard.Board) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"{board.address}:{PORT}") as opened:
        yield opened


def rpc(channel: grpc.Channel, short: str, name: str, request: Any) -> Any:
    """One call; `request` is a message, bytes as they are, or a list of either.  Returns the answer,
    a list of them, or the grpc.RpcError."""
    method = service(short).methods_by_name[name]
    kind = ("stream" if method.client_streaming else "unary") + "_"
    kind += "stream" if method.server_streaming else "unary"
    proto = messages(SERVICES[short][0])
    call = getattr(channel, kind)(
        f"/{service(short).full_name}/{name}",
        lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
        getattr(proto, method.output_type.name).FromString,
    )
    many = request if isinstance(request, list) else [request]
    try:
        answer = call(iter(many) if method.client_streaming else many[0], timeout=SECONDS)
        return list(answer) if method.server_streaming else answer
    except grpc.RpcError as error:
        return error


def message(short: str, name: str, **fields: Any) -> Any:
    method = service(short).methods_by_name[name]
    return getattr(messages(SERVICES[short][0]), method.input_type.name)(**fields)


def ask(channel: grpc.Channel, short: str, name: str, **fields: Any) -> Any:
    return rpc(channel, short, name, message(short, name, **fields))


def program(channel: grpc.Channel, board: vboard.Board) -> None:
    raw = board.bitstream.read_bytes()
    body = raw[raw.index(b"convloom") :]
    binary = b"".join(body[i : i + 4][::-1] for i in range(0, len(body), 4))
    for path, data in (
        ("/lib/firmware/x.bin", binary),
        ("/sys/class/fpga_manager/fpga0/firmware", b"x.bin"),
    ):
        answer = ask(channel, "device", "writefile", file_path=path, data=data)
        assert not isinstance(answer, grpc.RpcError), answer


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    line = next(
        x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS")
    )
    return 1024 * int(line.split()[1])


def random_value(rng: random.Random, kind: str, known: list[str]) -> Any:
    if kind == "string":
        return rng.choice(
            [
                *known[-20:],
                "",
                "/",
                "/etc/passwd",
                "../../../etc/passwd",
                "/lib/firmware/../../etc/shadow",
                "/proc/self/mem",
                "/proc/vboard/counters",
                "/sys/class/fpga_manager/fpga0/firmware",
                "buffer1",
                "40000000+10000",
                "-1+ffffffffffffffff",
                "40000000+" + "f" * 30,
                "\0",
                "ü" * 300,
                "x" * rng.randrange(5000),
                "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.randrange(20))),
            ]
        )
    if kind == "bytes":
        size = rng.choice([0, 1, 3, 4, 4, 4, 8, 100, 5000, 1 << 20])
        return rng.randbytes(size)
    if kind == "bool":
        return rng.random() < 0.5
    edges = [0, 1, 4, 5, 0x28, 0x1000, 1 << 20, (1 << 31) - 1]
    if kind == "int32":
        return rng.choice([*edges, -1, -(1 << 31), rng.randrange(1 << 16)])
    if kind == "uint32":
        return rng.choice([*edges, (1 << 32) - 1])
    spots = [0x40000000, 0x40400000, 0x40410000, 0x41200000, 0xF8000000, 0x16800000]
    return rng.choice([*edges, *spots, (1 << 64) - 1, 1 << 63, rng.randrange(1 << 32)])


# By field: what a client that knows the board would say, so that calls get past the first check.
PLAUSIBLE: dict[str, list[Any]] = {
    "mmio_id": ["40000000+10000", "40400000+10000", "40410000+10000", "41200000+10000"],
    "base_addr": [0x40000000, 0x40400000, 0x41200000, 0xF8000000],
    "length": [4, 0x100, 0x10000],
    "offset": [0, 0, 4, 0x10, 0x18, 0x1C, 0x28, 0x30, 0x34, 0x48, 0x4C, 0x58],
    "data": [
        *(b"\1\0\0\0", b"\4\0\0\0", b"\0\0\x80\x16", b"\0\1\0\0", b"\0\0\0\1"),
        *(b"\0\xf8\xff\xff", b"\xff\xff\xff\xff"),  # addresses just below 2**32 and 2**64
    ],
    "size": [1, 4096, 100_000, 1 << 26],
    "index": [0, 5],
    "direction": ["in", "out"],
    "file_path": ["/tmp/a", "/lib/firmware/x.bin", "/proc/version", "/proc/vboard/counters"],
    "value": [0, 1],
    "start": [0],
    "end": [0],
}

KINDS = {5: "int32", 13: "uint32", 4: "uint64", 8: "bool", 9: "string", 12: "bytes"}


def random_message(rng: random.Random, method: Any, known: list[str], proto: Any) -> Any:
    if rng.random() < 0.15:
        return rng.randbytes(rng.randrange(200))  # not even protobuf
    made = getattr(proto, method.input_type.name)()
    for field in method.input_type.fields:
        chance = rng.random()
        ids = [k for k in known if k.startswith("buffer")] if field.name == "buffer_id" else []
        ids += [k for k in known if ":" in k] if field.name == "gpio_id" else []
        if chance < 0.7 and (likely := PLAUSIBLE.get(field.name, ids)):
            setattr(made, field.name, rng.choice(likely))
        elif chance < 0.95:
            setattr(made, field.name, random_value(rng, KINDS[field.type], known))
    return made


def attack(board: vboard.Board, seed: str, calls: int, problems: list[str], done: list[str]) -> None:
    rng = random.Random(seed)
    known: list[str] = []
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    try:
        with grpc.insecure_channel(f"{board.address}:{PORT}", options) as channel:
            for _ in range(calls):
                short = rng.choice(list(SERVICES))
                method = rng.choice(list(service(short).methods))
                proto = messages(SERVICES[short][0])
                count = rng.choice([0, 1, 1, 2, 4]) if method.client_streaming else 1
                many = [random_message(rng, method, known, proto) for _ in range(count)]
                answer = rpc(channel, short, method.name, many)
                for reply in answer if isinstance(answer, list) else [answer]:
                    for slot in ("buffer_id", "mmio_id", "gpio_id"):
                        if value := getattr(reply, slot, ""):
                            known.append(value)
                    text = getattr(reply, "msg", "") or getattr(reply, "message", "")
                    if isinstance(reply, grpc.RpcError):
                        text = reply.details() or ""
                        if reply.code() in (
                            grpc.StatusCode.UNKNOWN,
                            grpc.StatusCode.UNAVAILABLE,
                            grpc.StatusCode.DEADLINE_EXCEEDED,
                        ):
                            problems.append(f"{short}.{method.name}: {reply.code()} {text}")
                    if not text:
                        done.append(method.name)
                    if "failed:" in text or "root:" in text:
                        problems.append(f"{short}.{method.name}: {text}")
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}")


def test_random_calls_neither_crash_nor_fill_nor_leave_the_board(board, channel, seed, tmp_path):
    program(channel, board)
    before = resident(board.pid)
    opened = {p.name for p in Path(f"/proc/{board.pid}/fd").iterdir()}
    problems: list[str] = []
    done: list[str] = []
    threads = [
        threading.Thread(target=attack, args=(board, f"{seed}-{i}", CALLS // WORKERS, problems, done))
        for i in range(WORKERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(t.is_alive() for t in threads)
    assert problems == [] and board.alive
    assert len(done) > CALLS // 10 and len(set(done)) > 15  # it did not stop at the door
    # The board's files (192 MB) and memory (128 MB) are its bound; messages under way come on top.
    assert resident(board.pid) - before < 400 << 20
    assert not Path("/lib/firmware/x.bin").exists()
    files = {
        str(p.readlink())
        for p in Path(f"/proc/{board.pid}/fd").iterdir()
        if p.name not in opened and p.is_symlink()
    }
    assert not {f for f in files if f.startswith("/") and not f.startswith(("/dev", "/memfd"))}
    program(channel, board)  # and it still works
    data = message("mmio", "write", mmio_id="40000000+10000", offset=0x10, data=b"\x05\0\0\0")
    assert not rpc(channel, "mmio", "write", data).msg
    assert ask(channel, "mmio", "read", mmio_id="40000000+10000", offset=0x10, length=4).data == 5


@pytest.mark.parametrize(
    ("short", "name", "fields", "text"),
    [
        ("device", "readfile", {"file_path": "/etc/passwd"}, "must exist on the board"),
        ("device", "readfile", {"file_path": "etc/passwd"}, "must be absolute"),
        ("device", "readfile", {"file_path": "/tmp/../../etc/hostname"}, "must exist on the board"),
        (
            "device",
            "writefile",
            {"file_path": "/proc/version", "data": b"x"},
            "the board's directories",
        ),
        ("device", "writefile", {"file_path": "/lib", "data": b"x"}, "the board's directories"),
        (
            "device",
            "writefile",
            {"file_path": "/proc/version/x", "data": b"x"},
            "the board's directories",
        ),
        ("device", "shutdown", {}, "by who started it"),
        ("device", "download", {"buffer": b"x"}, "through /lib/firmware"),
        ("device", "set_bitstream_attrs", {"partial": True}, "must be a whole one"),
        ("mmio", "get_mmio", {"base_addr": 0x40000000, "length": 0}, "1 to 1048576 bytes"),
        ("mmio", "get_mmio", {"base_addr": 0x16800000, "length": 64}, "inside one IP"),
        ("mmio", "read", {"mmio_id": "x", "length": 4}, "one of get_mmio's"),
        ("mmio", "read", {"mmio_id": "40000000+10", "offset": 16, "length": 4}, "below the range's 16"),
        ("mmio", "read", {"mmio_id": "40000000+10", "offset": 2, "length": 4}, "multiple of 4"),
        ("mmio", "read", {"mmio_id": "40000000+10", "length": 8}, "must be of 4 bytes, not 8"),
        ("mmio", "write", {"mmio_id": "40000000+10", "data": bytes(8)}, "keeps only the first word"),
        ("mmio", "read", {"mmio_id": "40000000+10000", "offset": 0x100, "length": 4}, "below 0x100"),
        ("buffer", "allocate", {"size": 0}, "at least 1 byte"),
        ("buffer", "allocate", {"size": -5}, "at least 1 byte"),
        ("buffer", "allocate", {"size": (1 << 31) - 1}, "must fit into contiguous memory"),
        ("buffer", "freebuffer", {"buffer_id": "buffer0"}, "must be one that is allocated"),
        ("buffer", "read", {"buffer_id": ""}, "must be one that is allocated"),
        ("gpio", "get_gpio", {"index": -1, "direction": "in"}, "0 to 1023"),
    ],
)
def test_each_refusal_says_why(board, channel, short, name, fields, text):
    program(channel, board)
    answer = ask(channel, short, name, **fields)
    said = answer.details() if isinstance(answer, grpc.RpcError) else ""
    said = said or getattr(answer, "msg", "") or getattr(answer, "message", "")
    assert text in said


def test_writes_beyond_a_buffer_change_nothing(board, channel):
    program(channel, board)
    first, second = (ask(channel, "buffer", "allocate", size=100).buffer_id for _ in range(2))
    for name, value in ((first, b"a"), (second, b"b")):
        assert not ask(channel, "buffer", "write", buffer_id=name, data=100 * value).msg
    for fields in (
        {"data": bytes(101)},
        {"data": bytes(4), "start": 97},
        {"data": bytes(4), "start": -4},
        {"data": bytes(4), "start": 4096},
    ):
        assert (
            "must fit into the 100 bytes"
            in ask(channel, "buffer", "write", buffer_id=first, **fields).msg
        )
    for start, end in ((0, 101), (-1, 4), (5, 4), (0, -1)):
        answer = ask(channel, "buffer", "read", buffer_id=first, start=start, end=end)
        assert isinstance(answer, grpc.RpcError)
    got = [
        b"".join(m.data for m in ask(channel, "buffer", "read", buffer_id=n)) for n in (first, second)
    ]
    assert got == [100 * b"a", 100 * b"b"]
    addresses = [
        ask(channel, "buffer", "physical_address", buffer_id=n).address for n in (first, second)
    ]
    assert addresses == [0x16800000, 0x16801000]


def test_memory_that_is_freed_is_given_again(board, channel):
    program(channel, board)
    whole = board.profile.cma_bytes
    for _ in range(3):
        name = ask(channel, "buffer", "allocate", size=whole).buffer_id
        assert name and "contiguous" in ask(channel, "buffer", "allocate", size=1).msg
        assert not ask(channel, "buffer", "freebuffer", buffer_id=name).msg
        assert "allocated" in ask(channel, "buffer", "freebuffer", buffer_id=name).msg
    assert board.counters()["cma"] == {"bytes": whole, "used": 0, "buffers": 0}


def test_files_are_bounded(board, channel):
    data = bytes(2 << 20)
    many = [message("device", "writefile", file_path="/tmp/big", data=data)] * 33
    answer = rpc(channel, "device", "writefile", many)
    assert isinstance(answer, grpc.RpcError) and "at most" in answer.details()
    for i in range(120):
        answer = ask(channel, "device", "writefile", file_path=f"/tmp/f{i}", data=b"x")
        if isinstance(answer, grpc.RpcError):
            break
    assert isinstance(answer, grpc.RpcError) and "within 100 and" in answer.details()
    too_large = rpc(
        channel,
        "device",
        "writefile",
        message("device", "writefile", file_path="/t", data=bytes(3 << 20)),
    )
    assert too_large.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_streams_held_open_and_large_reads_do_not_bar_others(board, channel):
    program(channel, board)
    before = resident(board.pid)
    name = ask(channel, "buffer", "allocate", size=64 << 20).buffer_id
    free = threading.Event()

    def endless(first: Any) -> Iterator[Any]:
        yield first
        free.wait(SECONDS)

    proto = messages("buffer")
    path = f"/{service('buffer').full_name}"
    write = channel.stream_unary(
        f"{path}/write",
        proto.BufferWriteRequest.SerializeToString,
        proto.BufferWriteResponse.FromString,
    )
    read = channel.unary_stream(
        f"{path}/read", proto.BufferReadRequest.SerializeToString, proto.BufferReadResponse.FromString
    )
    piece = proto.BufferWriteRequest(buffer_id=name, data=bytes(1 << 20))
    held = [write.future(endless(piece), timeout=SECONDS) for _ in range(8)]
    readers = [read(proto.BufferReadRequest(buffer_id=name), timeout=SECONDS) for _ in range(8)]
    assert all(len(next(r).data) == 1 << 20 for r in readers)  # and nothing more is taken
    assert ask(channel, "device", "existsfile", file_path="/proc/version").exists
    assert resident(board.pid) - before < 200 << 20
    for reader in readers:
        reader.cancel()
    free.set()
    assert all(not h.result(SECONDS).msg for h in held)


def test_a_board_without_overlay_answers_no_pl_address(_built):
    with vboard.Board("gemm_systolic") as fresh, grpc.insecure_channel(f"{fresh.address}:{PORT}") as c:
        answer = ask(c, "mmio", "read", mmio_id="40000000+10000", offset=0, length=4)
        assert "PL must be programmed" in answer.msg
        bad = ask(c, "device", "writefile", file_path="/lib/firmware/y.bin", data=b"vendor bitstream")
        assert not isinstance(bad, grpc.RpcError)
        path = "/sys/class/fpga_manager/fpga0/firmware"
        answer = ask(c, "device", "writefile", file_path=path, data=b"y.bin")
        assert "`vboard build`" in answer.details()
        assert ask(c, "device", "existsfile", file_path="/lib/firmware/y.bin").exists is False
        assert not fresh.counters()["programmed"]
        program(c, fresh)
        assert fresh.counters()["programmed"]


def test_overlay_files_are_the_same_each_time(tmp_path, _built):
    one, two = (build_overlay("gemm_systolic", "kv260", "tiny", out=tmp_path / d) for d in "ab")
    assert one.bitstream.read_bytes() == two.bitstream.read_bytes()
    assert one.hwh.read_bytes() == two.hwh.read_bytes()
    other = build_overlay("gemm_systolic", "aup-zu3", "tiny")
    assert other.bitstream.read_bytes() != one.bitstream.read_bytes()
