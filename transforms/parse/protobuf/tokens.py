"""The tokens of a ``.proto`` file (https://protobuf.com/docs/language-spec)."""

from __future__ import annotations

import re

from transforms.parse.registry.schema import Unusable

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | //(?P<line>[^\n]*)
    | /\*(?P<block>.*?)\*/
    | (?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    | (?P<number>[0-9][0-9A-Za-z_.]*(?:(?<=[eE])[+-][0-9]+)?|\.[0-9][0-9A-Za-z_]*)
    | (?P<name>\.?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<sign>[{}\[\]()<>;,=:+\-/])""",
    re.VERBOSE | re.DOTALL,
)
_STARS = re.compile(r"^[ \t]*\*? ?", re.MULTILINE)
_END = ""


class Tokens:
    """Tokens of a text, one after another.

    Args:
        text: The text.

    Raises:
        Unusable: A character begins no token.
    """

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        comment: list[str] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                line = text.count("\n", 0, at) + 1
                raise Unusable(f"line {line} of its text is not Protobuf")
            at = match.end()
            kind = match.lastgroup
            if kind == "space":
                if match[0].count("\n") > 1:  # what stands apart is of no field
                    comment.clear()
            elif kind == "line":
                comment.append(match["line"].strip())
            elif kind == "block":
                comment.append(_STARS.sub("", match["block"]).strip())
            else:
                self._tokens.append((match[0], "\n".join(comment).strip()))
                comment.clear()
        self._at = 0

    @property
    def next(self) -> str:
        """The next token, which stays; empty at the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else _END

    @property
    def comment(self) -> str:
        """The comment in front of the next token; empty if there is none."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else _END

    def take(self, *allowed: str) -> str:
        """The next token, which is passed over.

        Raises:
            Unusable: The text has ended, or it is none of ``allowed``, where any are named.
        """
        word = self.next
        if word == _END or (allowed and word not in allowed):
            wanted = " or ".join(map(repr, allowed)) or "more"
            raise Unusable(f"its text has {word[:40]!r} where {wanted} should be")
        self._at += 1
        return word

    def took(self, word: str) -> bool:
        """Whether the next token is this one; it is then passed over."""
        if self.next != word:
            return False
        self._at += 1
        return True

    def string(self) -> str:
        """A text in quotes, which may be written in several parts; only plain characters.

        Raises:
            Unusable: There is none.
        """
        parts = [self.take()]
        if parts[0][0] not in "\"'":
            raise Unusable(f"its text has {parts[0][:40]!r} where a string should be")
        while self.next[:1] in ('"', "'"):
            parts.append(self.take())
        return "".join(part[1:-1] for part in parts)

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
