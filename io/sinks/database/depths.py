"""How deep a table lies in the graph of foreign keys: what it refers to is written before it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Table = TypeVar("Table", bound=Hashable)


def depths_of(references: Iterable[tuple[Table, Table]]) -> dict[Table, int]:
    """The depth of each table: 0 if it refers to none, else 1 more than the deepest it refers to.

    Tables that refer to each other in a circle have one depth. The graph is that of all tables, not
    only of those that are written, so that every process has the same order.

    Args:
        references: Each a table and one that it refers to.

    >>> depths_of([("line", "order"), ("order", "customer")])
    {'line': 2, 'order': 1, 'customer': 0}
    """
    graph: dict[Table, set[Table]] = {}
    for child, parent in references:
        graph.setdefault(child, set())
        graph.setdefault(parent, set())
        if child != parent:
            graph[child].add(parent)
    depths: dict[Table, int] = {}
    for circle in _circles(graph):
        outside = {parent for table in circle for parent in graph[table]} - circle
        depth = 1 + max((depths[parent] for parent in outside), default=-1)
        depths.update(dict.fromkeys(circle, depth))
    return {table: depths[table] for table in graph}


def _circles(graph: Mapping[Table, set[Table]]) -> list[set[Table]]:
    """The tables by the circle that they are in, those that others refer to first (Tarjan, 1972).

    A table in no circle is alone. Without recursion: a catalogue may have long chains.
    """
    order: dict[Table, int] = {}
    low: dict[Table, int] = {}
    waiting: list[Table] = []
    on_path: set[Table] = set()
    circles: list[set[Table]] = []
    for root in graph:
        if root in order:
            continue
        path = [(root, iter(graph[root]))]
        order[root] = low[root] = len(order)
        waiting.append(root)
        on_path.add(root)
        while path:
            table, ahead = path[-1]
            for parent in ahead:
                if parent not in order:
                    order[parent] = low[parent] = len(order)
                    waiting.append(parent)
                    on_path.add(parent)
                    path.append((parent, iter(graph[parent])))
                    break
                if parent in on_path:
                    low[table] = min(low[table], order[parent])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[table])
                if low[table] == order[table]:
                    cut = waiting.index(table)
                    circles.append(set(waiting[cut:]))
                    on_path.difference_update(waiting[cut:])
                    del waiting[cut:]
    return circles
