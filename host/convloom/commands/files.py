# SPDX-License-Identifier: Apache-2.0
"""Files that a command reads and writes; every fault is an error of one line with the path."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import ConvloomError, LayerError
from convloom.layer import Requant

__all__ = [
    "FileError",
    "check_writable",
    "read_array",
    "read_requant",
    "write_array",
    "write_atomically",
]

NPY_MAGIC = b"\x93NUMPY"


class FileError(ConvloomError):
    """A file is missing, unreadable, unwritable, or does not hold what it should."""


def _read(subject: str, path: Path, load: Callable[[IO[bytes]], Any]) -> Any:
    try:
        with path.open("rb") as file:
            return load(file)
    except FileNotFoundError:
        raise FileError(f"{subject} {path} must exist; there is no such file") from None
    except IsADirectoryError:
        raise FileError(f"{subject} {path} must be a file, not a directory") from None
    except OSError as error:
        raise FileError(f"{subject} {path} must be readable: {error.strerror or error}") from None


def read_array(subject: str, path: Path, axes: str, dtypes: Sequence[str]) -> NDArray[Any]:
    """The array of a .npy file, C-contiguous, native byte order.

    axes: its dimensions by letter ("NHWC"); dtypes: names of those that are taken. FileError otherwise.
    """

    def load(file: IO[bytes]) -> NDArray[Any]:
        if file.read(len(NPY_MAGIC)) != NPY_MAGIC:
            raise FileError(f"{subject} {path} must be a .npy file; write it with numpy.save")
        file.seek(0)
        try:
            return np.asarray(np.load(file, allow_pickle=False))
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a broken header raises whatever its parser trips over
            raise FileError(f"{subject} {path} must be a whole .npy file of numbers: {error}") from None

    array: NDArray[Any] = _read(subject, path, load)
    if array.dtype.name not in dtypes:
        nan = array.dtype.kind == "f" and bool(np.isnan(array).any())
        hint = f"{' holding NaN' if nan else ''}; quantise it first" if array.dtype.kind == "f" else ""
        raise FileError(f"{subject} {path} must be {' or '.join(dtypes)}, not {array.dtype}{hint}")
    if array.ndim != len(axes):
        raise FileError(
            f"{subject} {path} must have {len(axes)} axes ({axes}), not shape {array.shape}"
        )
    if array.size == 0:
        raise FileError(f"{subject} {path} must hold at least one element, not shape {array.shape}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def read_requant(path: Path) -> Requant:
    """The requantisation of a JSON file, as `Requant.from_json` takes it."""
    subject = "requantisation"

    def refuse(text: str) -> float:
        raise FileError(f"{subject} {path} must hold integers, not {text}")

    def load(file: IO[bytes]) -> Any:
        try:
            return json.loads(file.read().decode("utf-8"), parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{subject} {path} must be a JSON object: {error}") from None

    try:
        return Requant.from_json(_read(subject, path, load))
    except LayerError as error:
        raise FileError(f"{subject} {path}: {error}") from None


def check_writable(subject: str, path: Path) -> None:
    """Refuse a target that can not be written, before work is spent on what goes into it."""
    if path.is_dir():
        raise FileError(f"{subject} {path} must be a file, not a directory")
    if path.exists() and not path.is_file():
        raise FileError(f"{subject} {path} must be an ordinary file")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise FileError(f"{subject} {path} must be in a folder that exists, not in {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{subject} {path} must be in a folder that you may write to, not in {folder}")


def write_atomically(subject: str, path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in place: readers see all of it or nothing."""
    check_writable(subject, path)
    target = path.resolve()  # through a symbolic link, as an ordinary write would go
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise FileError(f"{subject} {path} must be writable: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_array(subject: str, path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file, whole or not at all."""
    write_atomically(subject, path, lambda file: np.save(file, array, allow_pickle=False))
