"""Messages fetched before a topic turned out to be gone: are they from the old topic?"""

from __future__ import annotations

import logging

from sources.kafka.cluster import Cluster, fingerprint
from sources.kafka.messages.batches import Messages
from sources.kafka.partition import Partition
from transforms.errors import ConfigError, SourceUnavailable

_log = logging.getLogger(__name__)


def messages_of_old_topic(cluster: Cluster, partition: Partition, messages: Messages) -> Messages:
    """Those of ``messages`` that are from the old topic, not from a later one of the same name.

    The client goes on at the same offset in the new topic. So messages of the new topic, if any,
    come last, and the new topic still has them.

    Args:
        cluster: Where the topic was, and may exist again.
        partition: The partition that the messages are from.
        messages: In order of their offsets.

    Returns:
        The first of the messages; none of them if the cluster does not answer.
    """
    messages = [message for message in messages if (message.offset() or 0) >= partition.next]
    if not messages:
        return []
    start, end = int(messages[0].offset() or 0), int(messages[-1].offset() or 0) + 1
    try:
        if partition.topic not in cluster.ids([partition.topic]):
            return messages
        records = cluster.records(partition.place, start, end)
    except (ConfigError, SourceUnavailable) as error:
        _log.warning(
            "messages of %s/%d that were fetched before it was deleted are not used: %s",
            *(partition.topic, partition.number, error),
            extra={
                "source": partition.source,
                "partition": partition.label,
                "first_offset": start,
                "last_offset": end - 1,
            },
        )
        return []
    for index, message in enumerate(messages):
        if records.get(int(message.offset() or 0)) == fingerprint(message):
            return messages[:index]
    return messages
