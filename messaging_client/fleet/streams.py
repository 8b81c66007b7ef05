"""What stands on the NATS server: made at the first start, checked at every other, never changed silently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nats.errors
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError
from nats.js.kv import KeyValue

from messaging_client.errors import ConfigurationError
from messaging_client.fleet.layout import Layout

DEAD_AGE = 30 * 86400.0
"""Seconds for which events that could not be handled are kept."""

_CHECKED = ("subjects", "retention", "storage", "discard", "duplicate_window", "max_bytes", "num_replicas")


def _stream(layout: Layout, marks: Mapping[str, str]) -> api.StreamConfig:
    return api.StreamConfig(
        name=layout.stream,
        subjects=[layout.subject("*", "*")],
        # An event leaves with its acknowledgement, and none is dropped to make room for another.
        retention=api.RetentionPolicy.WORK_QUEUE,
        discard=api.DiscardPolicy.NEW,
        storage=api.StorageType.FILE,
        duplicate_window=layout.duplicate_window,
        max_bytes=layout.max_bytes,
        num_replicas=layout.replicas,
        republish=api.RePublish(
            src=layout.subject("*", "*"), dest=layout.news("{{wildcard(1)}}"), headers_only=True
        ),
        metadata=dict(marks),
    )


def _dead(layout: Layout) -> api.StreamConfig:
    return api.StreamConfig(
        name=layout.dead_stream,
        subjects=[layout.dead_subject("*", "*")],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.OLD,
        duplicate_window=layout.duplicate_window,
        max_bytes=layout.max_bytes,
        max_age=DEAD_AGE,
        num_replicas=layout.replicas,
    )


async def prepare(js: JetStreamContext, layout: Layout, marks: Mapping[str, str]) -> None:
    """Make the streams and buckets of an account, or see that they are as asked.

    Raises:
        ConfigurationError: a stream is there and differs; the text says in what.
    """
    await _ensure(js, _stream(layout, marks))
    await _ensure(js, _dead(layout))
    for name in (layout.positions, layout.handled):
        await _bucket(js, name, layout)


async def check(js: JetStreamContext, layout: Layout, marks: Mapping[str, str]) -> None:
    """See that the stream of an account is there, and is as asked.

    Raises:
        ConfigurationError: it is not.
    """
    wanted = _stream(layout, marks)
    try:
        info = await js.stream_info(layout.stream)
    except NotFoundError:
        raise ConfigurationError(
            f"There is no stream {layout.stream} on this NATS server: start a relay of the account {layout.account} first."
        ) from None
    _compare(info.config, wanted)


async def _ensure(js: JetStreamContext, wanted: api.StreamConfig) -> None:
    name = wanted.name or ""
    try:
        info = await js.stream_info(name)
    except NotFoundError:
        try:
            info = await js.add_stream(wanted)
        except APIError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            info = await js.stream_info(name)  # another relay was first
    _compare(info.config, wanted)


_NAME_IN_USE = 10058  # of a stream that exists with another configuration


def _compare(found: api.StreamConfig, wanted: api.StreamConfig) -> None:
    differing = [each for each in _CHECKED if getattr(found, each) != getattr(wanted, each)]
    if (found.republish and found.republish.dest) != (wanted.republish and wanted.republish.dest):
        differing.append("republish")
    marks: dict[str, Any] = found.metadata or {}
    differing += [each for each, value in (wanted.metadata or {}).items() if marks.get(each) != value]
    if differing:
        raise ConfigurationError(
            f"The stream {wanted.name} is there, and differs in {', '.join(differing)}. It is not changed by itself: give "
            "the settings it was made with, take another account, or change it with the nats command."
        )


async def ensure_consumer(js: JetStreamContext, layout: Layout, partition: int, ack_wait: float) -> None:
    """Make the durable consumer of a partition, or see that it is as asked: one event in flight, so that order holds.

    Raises:
        ConfigurationError: it is there and differs.
    """
    wanted = api.ConsumerConfig(
        durable_name=layout.consumer(partition),
        filter_subject=layout.subject(partition, "*"),
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_ack_pending=1,
        max_deliver=-1,
    )
    try:
        info = await js.consumer_info(layout.stream, layout.consumer(partition))
    except NotFoundError:
        info = await js.add_consumer(layout.stream, wanted)
    found = info.config
    differing = [
        each
        for each in ("filter_subject", "ack_wait", "max_ack_pending", "max_deliver")
        if getattr(found, each) != getattr(wanted, each)
    ]
    if differing:
        raise ConfigurationError(
            f"The consumer of partition {partition} is there, and differs in {', '.join(differing)}: give all workers of "
            f"the account {layout.account} the same settings."
        )


async def _bucket(js: JetStreamContext, name: str, layout: Layout) -> KeyValue:
    try:
        return await js.key_value(name)
    except BucketNotFoundError:
        return await js.create_key_value(
            api.KeyValueConfig(bucket=name, history=1, storage=api.StorageType.FILE, replicas=layout.replicas)
        )


TROUBLES = (nats.errors.Error, TimeoutError, ConnectionError)
"""What nats-py raises while a server is away, slow or full."""
