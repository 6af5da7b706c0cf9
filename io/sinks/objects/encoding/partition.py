"""Into which folder of a dataset each record goes: by a time, or by fields.

``--sink 's3://bucket/prefix?partition=day,type'`` makes ``dt=2026-11-26/type=order``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from operator import itemgetter
from typing import Any

from sinks.objects.encoding.cells.arrays import array_of
from sinks.objects.encoding.cells.unfit import Unfit
from sinks.objects.encoding.column_types import TIMESTAMP
from sinks.objects.encoding.folder_names import EMPTY, PARTITION, folder_name
from sinks.objects.encoding.rows import Refused
from transforms.errors import ConfigError, Reject

MOST_FOLDERS = 1_000
"""The most folders of one commit: each takes an object of its own."""

TOO_MANY = "too_many_folders"
"""Category of a record that would need a folder beyond that."""

_MOST_LEVELS = 8
_SECONDS = {"month": 86_400, "day": 86_400, "hour": 3_600}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = frozenset({str, int, type(None)})
_LOWEST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_HIGHEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_MOST_PATH = 512  # bytes of all folders together; a key of S3 has 1,024


@dataclass(frozen=True, slots=True)
class Level:
    """One level of folders, or two for ``hour``.

    Attributes:
        unit: ``month``, ``day`` or ``hour`` of a time, in UTC; empty for a field.
        path: The names that lead to the field; empty for the record's event time.
    """

    unit: str = ""
    path: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its folders, before ``=``."""
        if not self.unit:
            return (".".join(self.path),)
        return {"month": ("month",), "day": ("dt",), "hour": ("dt", "hour")}[self.unit]


@dataclass(frozen=True, slots=True)
class Folder:
    """The records of one folder.

    Attributes:
        name: Its path under the dataset, ``dt=2026-11-26/type=order``; empty for the dataset itself.
        indices: Its records; None if they are all of them.
    """

    name: str
    indices: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of some records.

    Attributes:
        folders: In the order of their first records.
        refused: The records that have no folder.
    """

    folders: list[Folder]
    refused: Refused = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Partitioning:
    """By what the records of a dataset are divided. Picklable.

    Attributes:
        levels: The levels of folders, from the outermost; without any, there is one folder.
        most: The most folders of one commit.
    """

    levels: tuple[Level, ...] = ()
    most: int = MOST_FOLDERS

    @classmethod
    def parse(cls, text: str) -> Partitioning:
        """Read a list such as ``day,type``.

        ``month``, ``day`` and ``hour`` are those of the record's event time, ``day:FIELD`` is that
        of a field, and any other word is a field; ``a.b`` is the field ``b`` within ``a``.

        Raises:
            ConfigError: It is no such list.

        >>> Partitioning.parse("day,type").levels[1].names
        ('type',)
        """
        words = [word.strip() for word in text.split(",")] if text.strip() else []
        levels = tuple(map(_level, words))
        names = [name for level in levels for name in level.names]
        if len(names) != len(set(names)):
            raise ConfigError(f"partition={text} makes two folders of one name: {', '.join(names)}")
        if len(names) > _MOST_LEVELS:
            raise ConfigError(f"partition={text} has more than {_MOST_LEVELS} levels of folders")
        return cls(levels)

    def folders(
        self, values: Sequence[Mapping[str, Any]], times: Sequence[float] | None
    ) -> Folders:
        """The folder of each record; cheap where all have the same.

        Args:
            values: Parsed records.
            times: Their event times in seconds since the epoch, or None if they have none.
        """
        if not values:
            return Folders([])
        if not self.levels:
            return Folders([Folder("", None)])
        refused: dict[int, Reject] = {}
        keys = [_keys(level, values, times, refused) for level in self.levels]
        if not refused and all(len(column) == 1 for column in keys):
            try:
                return Folders([Folder(self._name([column[0] for column in keys]), None)])
            except Reject as error:
                return Folders([], [(index, error) for index in range(len(values))])
        columns = [list(column) * len(values) if len(column) == 1 else column for column in keys]
        return self._divided(columns, refused)

    def _divided(self, columns: Sequence[Sequence[Any]], refused: dict[int, Reject]) -> Folders:
        """The folders of records whose keys, level by level, are ``columns``."""
        keys: Sequence[tuple[Any, ...]] = list(zip(*columns, strict=True))
        plain = all(_PLAIN.issuperset(map(type, column)) for column in columns)
        groups: dict[Any, list[int]] = defaultdict(list)
        for index, key in enumerate(keys if plain else [tuple(map(_marked, key)) for key in keys]):
            groups[key].append(index)
        folders: dict[str, list[int]] = {}
        for group in groups.values():
            indices = [index for index in group if index not in refused] if refused else group
            if not indices:
                continue
            try:
                name = self._name(keys[indices[0]])
                if name not in folders and len(folders) >= self.most:
                    raise Reject(
                        f"folder {name} would be one more than the {self.most:,} that a commit may "
                        "have; partition by a field with fewer values",
                        TOO_MANY,
                    )
            except Reject as error:
                refused.update(dict.fromkeys(indices, error))
            else:
                folders[name] = sorted(folders.get(name, []) + indices)
        named = [Folder(name, indices) for name, indices in folders.items()]
        return Folders(named, sorted(refused.items()))

    def _name(self, key: Sequence[Any]) -> str:
        parts = []
        for level, value in zip(self.levels, key, strict=True):
            if level.unit:
                parts += _time_names(level, value)
            else:
                parts.append(folder_name(level.names[0], value))
        path = "/".join(parts)
        if len(path.encode()) > _MOST_PATH:
            raise Reject(f"its folders have more than {_MOST_PATH} bytes: {path[:100]}…", PARTITION)
        return path


def _level(word: str) -> Level:
    unit, colon, path = word.partition(":")
    if unit in _SECONDS and (path or not colon):
        return Level(unit, _path(path, word) if path else ())
    if colon or not word:
        raise ConfigError(f"partition={word!r} is not month, day, hour, day:FIELD or a field")
    return Level("", _path(word, word))


def _path(text: str, word: str) -> tuple[str, ...]:
    names = tuple(text.split("."))
    if "" in names:
        raise ConfigError(f"partition={word!r} names no field: a name is empty")
    return names


def _keys(
    level: Level,
    values: Sequence[Mapping[str, Any]],
    times: Sequence[float] | None,
    refused: dict[int, Reject],
) -> Sequence[Any]:
    """What decides on the folder of each record: one key if all have the same."""
    if not level.unit:
        cells = _cells(level.path, values)
        return cells[:1] if _are_same(cells) else cells
    seconds = _SECONDS[level.unit]
    if level.path:
        moments = _moments(level.path, values, refused)
    elif times is None:
        return [None]
    else:
        low, high = min(times), max(times)
        same = low // seconds == high // seconds and low >= _LOWEST and high < _HIGHEST
        if same and isfinite(sum(times)):  # NaN hides from min and max
            return [int(low // seconds)]
        moments = times
    keys = [_key(moment, seconds, index, refused) for index, moment in enumerate(moments)]
    return keys[:1] if _are_same(keys) else keys


def _key(moment: float | None, seconds: int, index: int, refused: dict[int, Reject]) -> int | None:
    """The number of the hour or day of a time."""
    if moment is None:
        return None
    if not _LOWEST <= moment < _HIGHEST:  # NaN neither
        refused.setdefault(index, _out_of_years(moment))
        return None
    return int(moment // seconds)


def _out_of_years(moment: float) -> Reject:
    text = f"its time names no folder: {moment!r} s since 1970 is not in the years 1 to 9999"
    return Reject(text, PARTITION)


def _cells(path: Sequence[str], values: Sequence[Mapping[str, Any]]) -> list[Any]:
    try:
        if len(path) == 1:
            return list(map(itemgetter(path[0]), values))
    except KeyError:
        pass
    return [_cell(path, value) for value in values]


def _cell(path: Sequence[str], value: Any) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _are_same(cells: Sequence[Any]) -> bool:
    """Whether all are of one type and equal; True equals 1 otherwise."""
    first = cells[0]
    return cells.count(first) == len(cells) and len(set(map(type, cells))) == 1


def _marked(value: Any) -> Any:
    """``value`` as a key of a dict, in which True is not 1."""
    if type(value) in _PLAIN:
        return value
    try:
        hash(value)
    except TypeError:
        return (type(value), None)
    return (type(value), str(value))


def _moments(
    path: Sequence[str], values: Sequence[Mapping[str, Any]], refused: dict[int, Reject]
) -> Sequence[float | None]:
    """The time in a field of each record, in seconds since the epoch."""
    cells = [None if cell == "" else cell for cell in _cells(path, values)]
    try:
        return _seconds(cells)
    except Unfit:
        pass
    moments: list[float | None] = []
    for index, cell in enumerate(cells):
        try:
            moments += _seconds([cell])
        except Unfit as error:
            moments.append(None)
            text = f"field {'.'.join(path)} names no folder: {error.reason}"
            refused.setdefault(index, Reject(text, PARTITION))
    return moments


def _seconds(cells: Sequence[Any]) -> list[float | None]:
    microseconds = array_of(TIMESTAMP, cells).cast("int64").to_pylist()
    return [None if each is None else each // 1_000_000 for each in microseconds]


def _time_names(level: Level, key: int | None) -> list[str]:
    if key is None:
        return [f"{name}={EMPTY}" for name in level.names]
    moment = _EPOCH + timedelta(seconds=key * _SECONDS[level.unit])
    text = moment.isoformat()
    values = {"month": text[:7], "dt": text[:10], "hour": text[11:13]}
    return [f"{name}={values[name]}" for name in level.names]
