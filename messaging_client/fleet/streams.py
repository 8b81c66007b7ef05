"""What stands on the NATS server: made at the first start, checked at every other, never changed silently."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError
from nats.js.kv import KeyValue

from messaging_client.errors import ConfigurationError
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.troubles import insist

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
        republish=api.RePublish(src=layout.subject("*", "*"), dest=layout.news("{{wildcard(1)}}"), headers_only=True),
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
    await insist(lambda: _ensure(js, _stream(layout, marks)))
    await insist(lambda: _ensure(js, _dead(layout)))
    for name in (layout.positions, layout.handled):
        await insist(functools.partial(_bucket, js, name, layout))


async def check(js: JetStreamContext, layout: Layout, marks: Mapping[str, str]) -> None:
    """See that the stream of an account is there, and bears these marks: partitions, form, whose account it is.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        info = await insist(lambda: js.stream_info(layout.stream))
    except NotFoundError:
        raise no_stream(layout) from None
    _refuse(layout.stream, _marks_that_differ(info.config, marks))


def no_stream(layout: Layout) -> ConfigurationError:
    """Make the error of an account that no relay has made a stream for."""
    return ConfigurationError(
        f"There is no stream {layout.stream} on this NATS server: start a relay of the account {layout.account} first."
    )


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
    _refuse(wanted.name or "", differing + _marks_that_differ(found, wanted.metadata or {}))


def _marks_that_differ(found: api.StreamConfig, wanted: Mapping[str, str]) -> list[str]:
    marks = found.metadata or {}
    return [each for each, value in wanted.items() if marks.get(each) != value]


def _refuse(name: str, differing: list[str]) -> None:
    if differing:
        raise ConfigurationError(
            f"The stream {name} is there, and differs in {', '.join(differing)}. It is not changed by itself: give the "
            "settings it was made with, take another account, or change it with the nats command."
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

    async def ask() -> api.ConsumerInfo:
        info: api.ConsumerInfo
        try:
            info = await js.consumer_info(layout.stream, layout.consumer(partition))
        except NotFoundError:
            info = await js.add_consumer(layout.stream, wanted)
        return info

    found = (await insist(ask)).config
    differing = [
        each
        for each in ("filter_subject", "ack_wait", "max_ack_pending", "max_deliver")
        if getattr(found, each) != getattr(wanted, each)
    ]
    if differing:
        raise ConfigurationError(
            f"The consumer of partition {partition} is there, and differs in {', '.join(differing)}: give all workers "
            f"of the account {layout.account} the same settings."
        )


async def consumers(js: JetStreamContext, layout: Layout) -> list[api.ConsumerInfo]:
    """List the consumers of an account's stream, page by page."""
    listed: list[api.ConsumerInfo] = []
    while True:
        page = await js.consumers_info(layout.stream, offset=len(listed))
        listed += page
        if len(page) < _PAGE:
            return listed


_PAGE = 256  # consumers that the server lists at a time

_ABOUT_TO_COME = 0.02  # seconds: news of an event may be quicker than the event is with its consumer
_THERE = 0.005  # seconds for an event that is there; the next one of a partition that another worker has comes later
_ANSWER = 5.0  # seconds for the server's answer, which comes after these at the latest


async def next_event(nats_client: Nats, layout: Layout, partition: int, *, is_new: bool) -> Msg | None:
    """Take the next event of a partition in hand; None where there is none, or another worker has one in hand.

    The server itself says that there is none: an event that arrived just after the end of a wait here would be in the
    hand of a worker that had turned away. Nor can it say so at once: where another worker has an event in hand, it
    does not answer a request that is not to wait.

    Args:
        is_new: the event may be about to come; else it is there, or somewhere else.
    """
    asked = f"$JS.API.CONSUMER.MSG.NEXT.{layout.stream}.{layout.consumer(partition)}"
    return await _asked(nats_client, asked, _wanted(_ABOUT_TO_COME if is_new else _THERE))


async def acknowledge_for_next(nats_client: Nats, message: Msg) -> Msg | None:
    """Acknowledge an event, and take the next one of its partition in hand, in one request.

    None where another worker was waiting for it. This one does not wait for that one's event to end: two that take
    turns at one partition would do the work of one.
    """
    return await _asked(nats_client, message.reply, b"+NXT " + _wanted(_THERE))


def _wanted(seconds: float) -> bytes:
    return json.dumps({"batch": 1, "expires": int(seconds * 1e9)}).encode()


async def _asked(nats_client: Nats, subject: str, wanted: bytes) -> Msg | None:
    # Events come under their own subject, which the shared inbox of new-style requests would drop.
    answer = await nats_client.request(subject, wanted, timeout=_ANSWER, old_style=True)
    return None if answer.headers and "Status" in answer.headers else answer


async def bucket(js: JetStreamContext, name: str) -> KeyValue:
    """Give a bucket that is there.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        return await insist(lambda: js.key_value(name))
    except BucketNotFoundError:
        raise ConfigurationError(f"There is no bucket {name} on this NATS server: start a relay first.") from None


async def _bucket(js: JetStreamContext, name: str, layout: Layout) -> KeyValue:
    try:
        return await js.key_value(name)
    except BucketNotFoundError:
        return await js.create_key_value(
            api.KeyValueConfig(bucket=name, history=1, storage=api.StorageType.FILE, replicas=layout.replicas)
        )
