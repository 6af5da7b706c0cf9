"""Decode messages that were written with one schema of Protobuf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from transforms.errors import Reject
from transforms.parse.avro.nesting import is_deeper
from transforms.parse.avro.reading import Unfit, long_at
from transforms.parse.protobuf.descriptors import Descriptors
from transforms.parse.protobuf.values import Values, depth_of, has_required

_MOST_INDEXES = 60
_FIRST = (0,)
_BAD = (DecodeError, ValueError, ArithmeticError, RecursionError, IndexError)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How messages of one type are read.

    Attributes:
        kind: Their class.
        convert: Makes one a value.
        unbounded: Whether that may be nested too deep.
        required: Whether fields must be there.
    """

    kind: Any
    convert: Callable[[Any], Any]
    unbounded: bool
    required: bool


class _TooDeep(ValueError):
    """A value is nested too deep."""


class ProtobufDecoder:
    """Decodes messages to plain Python values.

    A body begins with the index of its message in the schema. The schema is the one that it was written
    with, so a field that the schema does not have means that it was not: such a message is refused.

    Args:
        text: The schema.
        references: Names and texts of what it imports.
        max_depth: How deep a value may be nested.

    Raises:
        Unusable: The schema cannot be read.
    """

    def __init__(self, text: str, references: Sequence[tuple[str, str]], max_depth: int) -> None:
        self._descriptors = Descriptors(text, references)
        self._values = Values()
        self._readers: dict[tuple[int, ...], _Reader] = {}
        self._max_depth = max_depth

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """The value of ``raw`` from ``at`` on.

        Raises:
            Reject: ``malformed`` or ``too_deep``.
        """
        try:
            return self._decoded(raw, at)
        except _TooDeep:
            raise Reject(f"nested deeper than {self._max_depth} levels", "too_deep") from None
        except (DecodeError, RecursionError):
            reason = "the bytes are no message of its type, or are nested too deep"
            raise Reject(reason, "malformed") from None
        except UnicodeDecodeError:
            raise Reject("a text is not UTF-8", "malformed") from None
        except _BAD as error:
            reason = "the message ends too early" if isinstance(error, IndexError) else str(error)
            raise Reject(reason, "malformed") from None

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """The values of ``raws`` from ``at`` on; None if one of them would be rejected."""
        decoded = self._decoded
        try:
            return [decoded(raw, at) for raw in raws]
        except _BAD:
            return None

    def _decoded(self, raw: bytes, at: int) -> Any:
        path: tuple[int, ...]
        if raw[at] == 0:  # short for the first message
            path, at = _FIRST, at + 1
        else:
            path, at = _indexes(raw, at)
        reader = self._readers.get(path)
        if reader is None:
            reader = self._readers[path] = self._reader(path)
        # By its class: a field may be called like a method of its message.
        kind = reader.kind
        message = kind.FromString(raw[at:])
        if reader.required and not kind.IsInitialized(message):
            missing = ", ".join(kind.FindInitializationErrors(message))
            raise Unfit(f"it lacks what its schema requires: {missing[:200]}")
        size = kind.ByteSize(message)
        kind.DiscardUnknownFields(message)
        if kind.ByteSize(message) != size:
            raise Unfit("it has a field that its schema does not have")
        value = reader.convert(message)
        if reader.unbounded and is_deeper(value, self._max_depth):
            raise _TooDeep
        return value

    def _reader(self, path: tuple[int, ...]) -> _Reader:
        try:
            descriptor: Descriptor = self._descriptors.message(path)
        except LookupError:
            raise Unfit("its schema has no message of its index") from None
        unbounded = depth_of(descriptor) > self._max_depth
        return _Reader(
            GetMessageClass(descriptor),
            self._values.of(descriptor),
            unbounded,
            has_required(descriptor),
        )


def _indexes(raw: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """Which message of the schema it is, and where the message begins."""
    count, at = long_at(raw, at)
    if not 0 < count <= _MOST_INDEXES:
        raise Unfit("the index of its message is out of range")
    path = []
    for _ in range(count):
        number, at = long_at(raw, at)
        path.append(number)
    return tuple(path), at
