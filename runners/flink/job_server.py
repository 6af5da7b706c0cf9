"""Beam's Flink job server: whether one answers at an address, before anything waits for it."""

from __future__ import annotations

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.runner import RunnerUnavailable

SECONDS = 10.0
"""The longest wait for an answer. Beam's own client asks for ever."""


def check(endpoint: str) -> None:
    """Return if a job server answers at ``endpoint``.

    Raises:
        RunnerUnavailable: Nothing answers there within ``SECONDS``, or something else does.
    """
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise RunnerUnavailable(f"--job_endpoint {endpoint}: write host:port of a job server")
    request = beam_job_api_pb2.DescribePipelineOptionsRequest()
    # A proxy that is set for the web is not for the job server.
    with grpc.insecure_channel(endpoint, options=[("grpc.enable_http_proxy", 0)]) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            service.DescribePipelineOptions(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise RunnerUnavailable(_refusal(endpoint, error)) from error


def _refusal(endpoint: str, error: grpc.RpcError) -> str:
    if _is_job_manager(endpoint):
        return (
            f"--job_endpoint {endpoint} is Flink's JobManager, which --flink_master names; give the "
            "address of Beam's Flink job server, whose port is 8099 unless it was started with another"
        )
    line = " ".join(str(error.details()).split())[:200]
    return (
        f"no job server at --job_endpoint {endpoint} ({error.code().name}: {line}); is it running? "
        "`make flink-up` starts a local cluster with one"
    )


def _is_job_manager(endpoint: str) -> bool:
    try:
        return "flink-version" in FlinkRest(endpoint, seconds=SECONDS / 2).get("/config")
    except (FlinkUnreachable, FlinkRefused):
        return False
