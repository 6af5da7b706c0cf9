"""Commands by which operators steer pipelines that run, and what they do: ``pause``, ``resume``, ``drain``,
``rate`` and ``rewind``. Each writes a row that the processes of the pipeline ask for, on every runner
(docs/control.md)."""
