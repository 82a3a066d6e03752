# SPDX-License-Identifier: Apache-2.0
"""The messages of PYNQ.remote, from pynq's own generated modules but without importing pynq.

`import pynq` looks for boards at once and takes a second; server and `vboard.Board` need the
messages only, and a program may want to set PYNQ_REMOTE_DEVICES before it imports pynq itself.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from vboard.errors import VboardError

__all__ = ["SERVICES", "messages", "offered", "service"]

SERVICES = {
    "device": ("remote_device", "RemoteDevice"),
    "mmio": ("mmio", "Mmio"),
    "buffer": ("buffer", "RemoteBuffer"),
    "gpio": ("gpio", "Gpio"),
}
"""What a board offers: our name → (proto file, service in it)."""


def _file(proto: str) -> Path | None:
    """Where pynq keeps the generated module; None if it does not have it."""
    spec = importlib.util.find_spec("pynq")
    places = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(places[0], "remote", f"{proto}_pb2.py") if places else None
    return file if file is not None and file.is_file() else None


def offered() -> tuple[str, ...]:
    """The SERVICES that the installed pynq knows: 3.1 has no pins of the processing system."""
    return tuple(name for name, (proto, _) in SERVICES.items() if name != "gpio" or _file(proto))


@lru_cache
def messages(proto: str) -> ModuleType:
    """The module `pynq.remote.<proto>_pb2`."""
    name = f"pynq.remote.{proto}_pb2"
    if name in sys.modules:
        return sys.modules[name]
    file = _file(proto)
    if file is None:
        raise VboardError(
            "pynq 3.1 or 4 must be installed for its protocol: pip install 'convloom[board]'"
        )
    found = importlib.util.spec_from_file_location(f"vboard._{proto}_pb2", file)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def service(name: str) -> Any:
    """The protobuf descriptor of one of SERVICES."""
    proto, title = SERVICES[name]
    return messages(proto).DESCRIPTOR.services_by_name[title]
