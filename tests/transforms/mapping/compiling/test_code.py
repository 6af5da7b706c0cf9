from __future__ import annotations

from transforms.mapping.compiling.code import Code


def test_values_are_bound_and_never_become_source() -> None:
    name = 'x\'); raise SystemExit  #\n"""{}'
    code = Code("def f(r):")
    code.line("if {name} in r:", name=name)
    code.indent()
    code.line("return r[{name}]", name=name)
    code.dedent()
    code.line("return {other}", other=[1])
    function = code.function("f")
    assert function({name: 5}) == 5
    assert function({}) == [1]


def test_names_differ() -> None:
    code = Code("def f():")
    assert len({code.bind(1), code.bind(1), code.fresh(), code.fresh()}) == 4
