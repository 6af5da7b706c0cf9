"""What was fetched, but not given out, when a topic turns out to be gone: is it of the old one?"""

from __future__ import annotations

import logging

from sources.kafka.batches import Messages
from sources.kafka.cluster import Cluster, fingerprint
from sources.kafka.partition import Partition
from transforms.errors import ConfigError, SourceUnavailable

_log = logging.getLogger(__name__)


def of_the_old_topic(cluster: Cluster, partition: Partition, messages: Messages) -> Messages:
    """Those of ``messages`` that are of the topic as it was, not of a later one of its name.

    The client goes on at the same offset in the new topic, so those are the last ones if any:
    the new topic has them, too.

    Args:
        cluster: Where the topic was, and may be again.
        partition: Where the messages are from.
        messages: In order of their offsets.

    Returns:
        The first of them; none when the cluster does not answer.
    """
    messages = [each for each in messages if (each.offset() or 0) >= partition.next]
    if not messages:
        return []
    start, end = int(messages[0].offset() or 0), int(messages[-1].offset() or 0) + 1
    try:
        if partition.topic not in cluster.ids([partition.topic]):
            return messages
        anew = cluster.records(partition.place, start, end)
    except (ConfigError, SourceUnavailable) as error:
        _log.warning(
            "what was fetched of %s/%d before it was deleted is not used: %s",
            *(partition.topic, partition.number, error),
        )
        return []
    for index, message in enumerate(messages):
        if anew.get(int(message.offset() or 0)) == fingerprint(message):
            return messages[:index]
    return messages
