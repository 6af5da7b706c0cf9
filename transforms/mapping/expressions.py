"""JMESPath (https://jmespath.org/specification.html) over records, with exact numbers.

It differs from the specification where that would guess or lose digits: a number may be a
``Decimal``; ``<`` and the like between a text and a number are an error instead of null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import Any, TypeVar

import jmespath
from jmespath import exceptions, functions, visitor

from transforms.mapping.field import Field
from transforms.parse.convert import number_of
from transforms.parse.json_text import encode_json
from transforms.parse.numbers import MAX_DIGITS, exact

_Method = TypeVar("_Method", bound=Callable[..., Any])

MAX_LENGTH = 10_000
_ORDER = ("lt", "lte", "gt", "gte")
_KINDS = {bool: "a boolean", str: "a text", list: "an array", dict: "an object"}

FAILURES = (
    exceptions.JMESPathError,
    ArithmeticError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    RecursionError,
)
"""What evaluating an expression may raise."""


class Expression:
    """An expression, compiled once.

    Args:
        text: The expression.

    Raises:
        ValueError: It is not JMESPath; the message is one line.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"an expression has at most {MAX_LENGTH:,} characters")
        try:
            parsed = jmespath.compile(text).parsed
        except exceptions.JMESPathError as error:
            raise ValueError(f"not JMESPath: {_one_line(error)}") from None
        except RecursionError:
            raise ValueError("not JMESPath: nested too deep") from None
        self.text = text
        self._node = _with_exact_literals(parsed)
        _check_functions(self._node)

    def value_of(self, record: Any) -> Any:
        """What the expression gives for ``record``.

        Raises:
            One of ``FAILURES``.
        """
        return _INTERPRETER.visit(self._node, record)

    def is_true(self, record: Any) -> bool:
        """Whether that is true: not null, false, nor an empty text, array or object."""
        return bool(_INTERPRETER._is_true(_INTERPRETER.visit(self._node, record)))

    @property
    def fields(self) -> frozenset[str] | None:
        """The fields of a record that the expression may read; None if it may read any."""
        names: set[str] = set()
        for name in _read(self._node, of_record=True):
            if name is None:
                return None
            names.add(name)
        return frozenset(names)


def evaluated(expression: Expression, field: Field) -> Callable[[Any], Any]:
    """The function that gives the value of ``expression`` for a record.

    It raises ``Reject`` where there is none.
    """

    def value_of(record: Any) -> Any:
        try:
            return expression.value_of(record)
        except FAILURES as error:
            raise _refused(field, expression, error) from None

    return value_of


def condition(expression: Expression, field: Field) -> Callable[[Any], bool]:
    """The function that says whether ``expression`` is true for a record."""

    def is_true(record: Any) -> bool:
        try:
            return expression.is_true(record)
        except FAILURES as error:
            raise _refused(field, expression, error) from None

    return is_true


def _refused(field: Field, expression: Expression, error: Exception) -> Exception:
    text = expression.text
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    why = "" if field.hidden else f": {_one_line(error)[:_MESSAGE]}"
    return field.failed(f"{shown} cannot be evaluated{why}")


_SHOWN = 100
_MESSAGE = 300


class Unfit(exceptions.JMESPathError):
    """Two values that have no order."""


_signature: Callable[..., Callable[[_Method], _Method]] = functions.signature


class _Functions(functions.Functions):
    """The functions of JMESPath, which take a ``Decimal`` for a number."""

    def _get_allowed_pytypes(self, types: Any) -> Any:
        allowed, subtypes = super()._get_allowed_pytypes(types)
        return _with_our_types(allowed), list(map(_with_our_types, subtypes))

    @_signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, str):
            return number_of(arg)
        return arg if isinstance(arg, int | float | Decimal) and not isinstance(arg, bool) else None

    @_signature({"types": []})
    def _func_to_string(self, arg: Any) -> Any:
        return arg if isinstance(arg, str) else encode_json(arg).decode()

    @_signature({"types": ["array-number"]})
    def _func_sum(self, arg: Any) -> Any:
        return _sum(arg) if any(type(each) is Decimal for each in arg) else sum(arg)

    @_signature({"types": ["array-number"]})
    def _func_avg(self, arg: Any) -> Any:
        return _sum(arg) / len(arg) if arg else None

    @_signature({"types": []})
    def _func_type(self, arg: Any) -> Any:
        if isinstance(arg, Decimal):
            return "number"
        return self._convert_to_jmespath_type(type(arg).__name__)


def _with_our_types(names: Sequence[str]) -> list[str]:
    """The names of types, and of ours that stand for a number or a text beside them."""
    ours = [our for name, our in (("int", "Decimal"), ("str", "QuotedEmpty")) if name in names]
    return [*names, *ours]


_EXACT = Context(prec=2 * MAX_DIGITS)


def _sum(numbers: Sequence[Any]) -> Decimal:
    return reduce(_EXACT.add, map(_decimal, numbers), Decimal(0))


class _Interpreter(visitor.TreeInterpreter):
    def visit_comparator(self, node: Any, value: Any) -> Any:
        left = self.visit(node["children"][0], value)
        right = self.visit(node["children"][1], value)
        kinds = {type(left), type(right)}
        if kinds == {Decimal, float}:  # 0.1 as it is written, not the fraction next to it
            left, right = _decimal(left), _decimal(right)
        operator = node["value"]
        if operator in _ORDER:
            if left is None or right is None:
                return None
            if not _have_order(left, right):
                raise Unfit(
                    f"{_kind(left)} and {_kind(right)} have no order; cast them to one type first"
                )
        return self.COMPARATOR_FUNC[operator](left, right)


def _have_order(left: Any, right: Any) -> bool:
    numbers = [_is_number(left), _is_number(right)]
    if any(numbers):
        return all(numbers)
    return (isinstance(left, str) and isinstance(right, str)) or (
        type(left) is type(right) and type(left) not in _KINDS
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    return "a number" if _is_number(value) else _KINDS.get(type(value), type(value).__name__)


def _decimal(value: Any) -> Decimal:
    return exact(repr(value)) if isinstance(value, float) else Decimal(value)


_INTERPRETER = _Interpreter(visitor.Options(custom_functions=_Functions()))


def _with_exact_literals(node: Any) -> Any:
    """``node`` with the numbers of its literals as they are written."""
    if node["type"] == "literal":
        return {**node, "value": _exact(node["value"])}
    children = node.get("children", [])
    changed = [_with_exact_literals(each) if isinstance(each, dict) else each for each in children]
    return {**node, "children": changed}


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"not JMESPath: {value} is no number")
        return exact(repr(value))
    if isinstance(value, list):
        return list(map(_exact, value))
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    return value


def _check_functions(node: Any) -> None:
    """Refuse an unknown function, and one with too few or too many arguments.

    Raises:
        ValueError: As said.
    """
    if node["type"] == "function_expression":
        name, count = node["value"], len(node["children"])
        entry = _Functions.FUNCTION_TABLE.get(name)
        if entry is None:
            listed = ", ".join(sorted(_Functions.FUNCTION_TABLE))
            raise ValueError(f"not JMESPath: no function is called {name}; there are {listed}")
        signature = entry["signature"]
        variadic = bool(signature) and bool(signature[-1].get("variadic"))
        if count < len(signature) or (count > len(signature) and not variadic):
            raise ValueError(
                f"not JMESPath: {name}() takes {len(signature)} arguments"
                f"{' or more' if variadic else ''}, not {count}"
            )
    for child in node.get("children", []):
        if isinstance(child, dict):
            _check_functions(child)


def _read(node: Any, *, of_record: bool) -> Iterator[str | None]:
    """The fields of the record that ``node`` reads; None for all of them.

    ``of_record`` says whether the value that it is applied to is the record itself.
    """
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        if of_record:
            yield node["value"]
    elif kind in ("identity", "current"):
        if of_record:
            yield None
    elif kind in ("subexpression", "index_expression", "pipe"):
        # What comes after the first part is applied to its result, unless that is the record.
        yield from _read(children[0], of_record=of_record)
        for child in children[1:]:
            yield from _read(child, of_record=False)
    elif kind in ("projection", "value_projection", "filter_projection", "flatten"):
        yield from _read(children[0], of_record=of_record)
        for child in children[1:]:
            yield from _read(child, of_record=False)
    elif kind == "multi_select_dict":
        for child in children:
            yield from _read(child["children"][0], of_record=of_record)
    else:
        for child in children:
            if isinstance(child, dict):
                yield from _read(child, of_record=of_record)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
