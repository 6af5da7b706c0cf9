"""JSON that is not one value a line: what the user says of it, what is detected, and its framing.

``layout`` looks at the start of an object, and names the layouts in partitions. ``values`` finds
the end of a value. ``array`` cuts the elements of arrays, which ``wrapper`` looks for within an
object; ``sequence`` cuts values that stand one after another. What they cut is parsed later
(``transforms.parse.json``). JSON lines are cut by ``sources.files.framing``.

Public: ``options.JsonOptions``, ``layout.Layout``, ``layout.read_layout``.
"""
