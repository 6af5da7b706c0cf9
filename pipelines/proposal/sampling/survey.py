"""What a sample shows of its fields, collected batch by batch; the values themselves are not kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipelines.proposal.sampling.column import Column
from pipelines.proposal.sampling.places import HEAD, Place
from transforms.batch.record import RecordBatch
from transforms.parse.csv.cells import any_quoted_empty, quoted_fields

MOST_COLUMNS = 500
"""Records with more fields than this are kept whole: their names are rather data."""

MOST_CELLS = 4_000_000
"""Of so many values it is remembered what tells them apart; further columns are no keys."""


@dataclass(slots=True)
class Survey:
    """What the sample shows.

    Attributes:
        expected: How many records there will be at most.
        columns: The fields, by name, in the order in which they came up.
        places: Where records are that have the first value of some kind, by their number.
        records: How many records there are.
        cells: Whether values are the text of CSV.
        crowded: Whether there were more than ``MOST_COLUMNS`` names.
        messages: How many of the records came as messages.
        keyed: How many of these have a key.
        several: Whether a message held several records.
        sources: How many records came of each file, object or topic.
    """

    expected: int
    columns: dict[str, Column] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    records: int = 0
    cells: bool = False
    crowded: bool = False
    messages: int = 0
    keyed: int = 0
    several: bool = False
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, batch: RecordBatch) -> None:
        """Take note of the records of a batch that has been parsed."""
        self.cells = batch.format.name == "csv"
        self.several = self.several or any(each is not None for each in batch.elements or ())
        source = batch.span.source
        quotes = self.cells and any_quoted_empty(batch.raws, batch.format)
        for index, value in enumerate(batch.values or ()):
            number = self.records
            self.records += 1
            self.sources[source] += 1
            quoted = quoted_fields(batch, index) if quotes else frozenset[str]()
            if self._add_fields(value, number, quoted):
                raw, offset = batch.raws[index], batch.offsets[index]
                self.places[number] = Place(source, offset, self.sources[source], raw[:HEAD])
            if batch.keys is not None:
                self.messages += 1
                self.keyed += batch.keys[index] is not None

    def _add_fields(self, value: dict[str, object], number: int, quoted: frozenset[str]) -> bool:
        """Whether some field has a value of a kind that it did not have before."""
        columns, cells, news = self.columns, self.cells, False
        for name, content in value.items():
            column = columns.get(name)
            if column is None:
                if len(columns) >= MOST_COLUMNS:
                    self.crowded = True
                    continue
                column = columns[name] = self._new(name)
            news = column.add(content, number, cell=cells, quoted=name in quoted) or news
        return news

    def _new(self, name: str) -> Column:
        column = Column(name)
        if (len(self.columns) + 1) * self.expected > MOST_CELLS:
            column.keys = None
        return column

    def where(self, record: int) -> str:
        """The place of a record, with its file if there are several."""
        place = self.places[record]
        return place.text if len(self.sources) == 1 else place.text_with_source
