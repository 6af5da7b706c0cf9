"""What the user says about CSV files; the rest is detected (``sources.files.csv.head``)."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.errors import ConfigError

_TAB = ("\\t", "tab")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How CSV is written.

    Attributes:
        delimiter: Separates fields; None to detect it.
        quote: Encloses a field; empty if nothing does.
        escape: Takes the meaning from the character after it; empty if nothing does.
        header: Whether the first record names the columns. None: it does, unless ``columns`` is
            given; the object is refused if that record looks like data.
        columns: The names of the columns, instead of those in a header.
        skip: Lines to skip before the header or the first record.
        comment: Lines that begin with it are skipped; empty to skip none.
        nulls: The texts of an unquoted field that mean NULL, in every column.
    """

    delimiter: str | None = None
    quote: str = '"'
    escape: str = ""
    header: bool | None = None
    columns: tuple[str, ...] = ()
    skip: int = 0
    comment: str = ""
    nulls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        texts = (
            ("--csv_delimiter", self.delimiter),
            ("--csv_quote", self.quote),
            ("--csv_escape", self.escape),
            ("--csv_comment", self.comment),
        )
        characters = {option: text for option, text in texts if text}
        for option, text in characters.items():
            if len(text) > 1 or not text.isascii() or text in "\r\n\0":
                raise ConfigError(f"{option} must be one ASCII character, got {text!r}")
        if self.delimiter == "":
            raise ConfigError("--csv_delimiter must be one ASCII character, got ''")
        if len(set(characters.values())) < len(characters):
            raise ConfigError(f"{', '.join(characters)} must be different characters")
        if self.skip < 0:
            raise ConfigError(f"--csv_skip must be 0 or more, got {self.skip}")
        if not all(self.columns):
            raise ConfigError("--csv_columns has an empty name")
        if len(set(self.columns)) < len(self.columns):
            raise ConfigError("--csv_columns names a column twice")

    @classmethod
    def of(
        cls,
        *,
        delimiter: str | None = None,
        quote: str = '"',
        escape: str = "",
        header: str | None = None,
        columns: str | None = None,
        skip: int = 0,
        comment: str = "",
        nulls: tuple[str, ...] = (),
    ) -> CsvOptions:
        r"""The options as a user writes them: ``TAB`` or ``\t`` for a tab, commas between names.

        Raises:
            ConfigError: One of them is wrong; the message says which.

        >>> CsvOptions.of(delimiter="TAB", columns="id, name").columns
        ('id', 'name')
        """
        if header not in (None, "true", "false"):
            raise ConfigError(f"--csv_header must be true or false, got {header!r}")
        names = () if columns is None else tuple(name.strip() for name in columns.split(","))
        return cls(
            delimiter=None if delimiter is None else _character(delimiter),
            quote="" if quote.lower() == "none" else _character(quote),
            escape=_character(escape),
            header=None if header is None else header == "true",
            columns=names,
            skip=skip,
            comment=_character(comment),
            nulls=tuple(dict.fromkeys(nulls)),
        )


def _character(text: str) -> str:
    return "\t" if text.lower() in _TAB else text
