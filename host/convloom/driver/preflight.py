# SPDX-License-Identifier: Apache-2.0
"""What is checked before a run writes its first register."""

from __future__ import annotations

from collections.abc import Mapping

from convloom.driver.buffers import block_bytes, distinct
from convloom.driver.dma import Channel
from convloom.driver.errors import PreflightError
from convloom.kernels import KernelSpec
from convloom.lowering import Job

__all__ = ["check_job", "check_seconds"]


def check_seconds(name: str, seconds: float) -> None:
    """PreflightError unless this is a time that ends; a limit of NaN would never be over."""
    if not 0 < seconds <= 86400:
        raise PreflightError(f"{name} must be above 0 and at most 86400 seconds, not {seconds}")


def _needed_bytes(job: Job, *, own_output: bool) -> int:
    """Contiguous memory that a job's transfers take, each distinct one once."""
    inputs = sum(block_bytes(distinct(list(transfers))) for transfers in job.streams.values())
    return inputs + (job.bytes_out if own_output else 0)


def check_job(
    job: Job,
    spec: KernelSpec,
    config: str,
    channels: Mapping[str, Channel],
    free: int | None,
    *,
    own_output: bool = True,
) -> None:
    """PreflightError where the job can not run on this overlay.

    free: contiguous memory that is left, with what the driver itself could give up; None if unknown.
    own_output: whether the output's buffer has to be allocated too; else the caller has one.
    """
    if (job.spec.name, job.config) != (spec.name, config):
        raise PreflightError(
            f"layer {job.layer.name} must be lowered for {spec.name} {config}, which the overlay "
            "holds, "
            f"not for {job.spec.name} {job.config}"
        )
    streams: dict[str, list[int]] = {s: [t.nbytes for t in ts] for s, ts in job.streams.items()}
    streams["out"] = [job.bytes_out]
    for stream, lengths in streams.items():
        if stream not in channels:
            known = ", ".join(channels)
            raise PreflightError(f"stream must be one of {known}, not {stream!r}")
        channel = channels[stream]
        for nbytes in lengths:
            if nbytes == 0:
                raise PreflightError(
                    f"layer {job.layer.name}: a transfer of {stream} must have beats, not 0; the DMA "
                    "would "
                    "stop with DMAIntErr"
                )
            if nbytes > channel.limit:
                bits = (channel.limit + 1).bit_length() - 1
                raise PreflightError(
                    f"layer {job.layer.name}: a transfer of {stream} must be at most "
                    f"{channel.limit:,} bytes, "
                    f"the {bits}-bit length of {channel.label}, not {nbytes:,}; split the batch or "
                    "the map, "
                    "or build the overlay with a wider length register (at most 26 bits)"
                )
    need = _needed_bytes(job, own_output=own_output)
    if free is not None and need > free:
        raise PreflightError(
            f"layer {job.layer.name}: buffers must fit the {free:,} bytes of contiguous memory (CMA) "
            "that "
            f"are free, not take {need:,}; free other buffers, split the batch, or give Linux more "
            "with "
            "cma= on its command line"
        )
