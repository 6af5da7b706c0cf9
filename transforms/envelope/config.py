"""What records are in, and what becomes of those that say that a row is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from transforms.envelope.event import Envelope
from transforms.envelope.message_key import KeyField
from transforms.errors import ConfigError

if TYPE_CHECKING:
    from transforms.route.conditions.condition import Condition

DELETE, TRUNCATE = "delete", "truncate"
"""Categories of records that say that a row, or all rows, are gone, where nothing is done about it."""

OnDelete = Literal["dead", "delete", "mark", "ignore"]


@dataclass(frozen=True, slots=True)
class UnwrapConfig:
    """What records are in, and what becomes of deletes.

    Attributes:
        envelope: What surrounds a row.
        on_delete: ``dead`` makes dead letters of deletes, ``ignore`` filters them; others let them
            through to the write.
        delete_when: A condition, as in a routes file: a record that meets it is a delete. Empty
            for none.
        key: The columns that identify a row.
        key_fields: Those of them that the message's key has.

    Raises:
        ConfigError: A value is none of these, or the condition is wrong.
    """

    envelope: Envelope = "none"
    on_delete: OnDelete = "dead"
    delete_when: str = ""
    key: tuple[str, ...] = ()
    key_fields: tuple[KeyField, ...] = ()

    def __post_init__(self) -> None:
        for name, type_ in (("envelope", Envelope), ("on_delete", OnDelete)):
            if getattr(self, name) not in get_args(type_):
                allowed = ", ".join(get_args(type_))
                raise ConfigError(f"{name} must be {allowed}; got {getattr(self, name)!r}")
        self.condition()

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return self != UnwrapConfig(key=self.key)

    @property
    def writes_deletes(self) -> bool:
        """Whether deletes go through to the write."""
        return self.on_delete in ("delete", "mark")

    def condition(self) -> Condition | None:
        """The condition of ``delete_when``."""
        if not self.delete_when:
            return None
        # Here, since most runs have none, and it takes time.
        from transforms.mapping.reading.document import parsed
        from transforms.route.conditions.condition import condition_of

        return condition_of(parsed(self.delete_when, "--delete_when"))
