from __future__ import annotations

from transforms.mapping.compiling.compiled import compiled
from transforms.mapping.mapping import Mapping


def test_a_mapping_is_one_part_and_two_around_its_last_unnest() -> None:
    operations = [{"unnest": "a"}, {"trim": "a"}, {"unnest": "a"}, {"filter": "a"}]

    def parts(*chosen: int) -> list[tuple[bool, bool]]:
        mapping = Mapping.of([operations[index] for index in chosen])
        return [(part.unnests, part.filters) for part in compiled(mapping.operations, csv=False)]

    assert parts() == []
    assert parts(1) == [(False, False)]
    assert parts(3, 1) == [(False, True)]
    assert parts(0) == [(True, False)]
    assert parts(0, 1, 2, 3) == [(True, False), (False, True)]
    assert parts(0, 3, 2) == [(True, True)]
