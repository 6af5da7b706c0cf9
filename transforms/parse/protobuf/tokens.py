"""The tokens of a ``.proto`` file (https://protobuf.com/docs/language-spec)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from transforms.parse.protobuf.quoted import unquoted
from transforms.parse.registry.schema import Unusable

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | //(?P<line>[^\n]*)
    | /\*(?P<block>.*?)\*/
    | (?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    | (?P<number>(?:[0-9]|\.[0-9])(?:[eE][+-](?=[0-9])|[0-9A-Za-z_.])*+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>[{}\[\]()<>;,=:+\-/.])""",
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STARS = re.compile(r"^[ \t]*\*? ?", re.MULTILINE)
_LINE_ENDS = re.compile(r"[ \t\r\f\v]*(?:\n|\Z)")
_ENDS = (";", "}")
_END = ""
_MARK = "\ufeff"
"""What some editors put in front of a text in UTF-8."""


@dataclass(slots=True)
class _Token:
    """A token.

    Attributes:
        text: What it is.
        before: The comment in front of it.
        behind: The comment behind it, on its line, if it ends a statement.
    """

    text: str
    before: str
    behind: str = ""


class Tokens:
    """Tokens of a text, one after another.

    Args:
        text: The text.

    Raises:
        Unusable: A character begins no token.
    """

    def __init__(self, text: str) -> None:
        self._tokens: list[_Token] = []
        self._at = 0
        comment: list[str] = []
        same_line = False
        at = len(_MARK) if text.startswith(_MARK) else 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                line = text.count("\n", 0, at) + 1
                raise Unusable(f"line {line} of its text is not Protobuf")
            at = match.end()
            kind = match.lastgroup
            if kind == "space":
                lines = match[0].count("\n")
                same_line = same_line and not lines
                if lines > 1:  # what stands apart is of no field
                    comment.clear()
            elif kind in ("line", "block"):
                said = match["line"].strip() if kind == "line" else _STARS.sub("", match["block"])
                if same_line and (kind == "line" or _LINE_ENDS.match(text, at)):
                    last = self._tokens[-1]
                    last.behind = f"{last.behind}\n{said.strip()}".strip()
                else:
                    comment.append(said.strip())
            else:
                self._tokens.append(_Token(match[0], "\n".join(comment).strip()))
                comment.clear()
                same_line = match[0] in _ENDS

    @property
    def next(self) -> str:
        """The next token, which stays; empty at the end."""
        return self._tokens[self._at].text if self._at < len(self._tokens) else _END

    @property
    def comment(self) -> str:
        """The comment in front of the next token; empty if there is none."""
        return self._tokens[self._at].before if self._at < len(self._tokens) else _END

    @property
    def remark(self) -> str:
        """The comment behind the token that was taken last, on its line; empty if there is none."""
        return self._tokens[self._at - 1].behind if self._at else _END

    def take(self, *allowed: str) -> str:
        """The next token, which is passed over.

        Raises:
            Unusable: The text has ended, or it is none of ``allowed``, where any are named.
        """
        word = self.next
        if word == _END or (allowed and word not in allowed):
            raise self._unexpected(" or ".join(map(repr, allowed)) or "more")
        self._at += 1
        return word

    def took(self, word: str) -> bool:
        """Whether the next token is this one; it is then passed over."""
        if self.next != word:
            return False
        self._at += 1
        return True

    def word(self) -> str:
        """A name without dots.

        Raises:
            Unusable: There is none.
        """
        if _WORD.fullmatch(self.next) is None:
            raise self._unexpected("a name")
        return self.take()

    def type_name(self, first: str = "") -> str:
        """A name with dots between its words, perhaps one in front.

        Args:
            first: The first word, or the dot in front of it, if it is taken already.

        Raises:
            Unusable: There is none.
        """
        name = first
        if not name and self.took("."):
            name = "."
        if name in ("", "."):
            name += self.word()
        while self.took("."):
            name += f".{self.word()}"
        return name

    def string(self) -> str:
        """A text in quotes, which may be written in several parts.

        Raises:
            Unusable: There is none, or it is no text.
        """
        if self.next[:1] not in ('"', "'"):
            raise self._unexpected("a string")
        parts = [self.take()]
        while self.next[:1] in ('"', "'"):
            parts.append(self.take())
        return unquoted(parts)

    def integer(self) -> int:
        """A whole number, perhaps negative.

        Raises:
            Unusable: There is none.
        """
        sign = -1 if self.took("-") else 1
        word = self.take()
        try:
            octal = len(word) > 1 and word[0] == "0" and word.isdigit()
            return sign * int(word, 8 if octal else 0)
        except ValueError:
            raise Unusable(f"its text has {word[:40]!r} where a number should be") from None

    def skip_statement(self) -> None:
        """Pass over what is left of a statement, to its semicolon or the end of its block."""
        depth = 0
        while True:
            word = self.take()
            if word in ("{", "[", "("):
                depth += 1
            elif word in ("}", "]", ")"):
                depth -= 1
                if depth <= 0 and word == "}":
                    self.took(";")
                    return
            elif word == ";" and depth <= 0:
                return

    def skip_brackets(self) -> None:
        """Pass over options in brackets, if there are any."""
        if not self.took("["):
            return
        depth = 1
        while depth:
            word = self.take()
            depth += (word in ("[", "{")) - (word in ("]", "}"))

    def _unexpected(self, wanted: str) -> Unusable:
        return Unusable(f"its text has {self.next[:40]!r} where {wanted} should be")
