"""Commands by which operators steer pipelines that run: ``pause``, ``resume``, ``drain`` and ``rate``. Each
writes a row that the processes of the pipeline ask for, on every runner (docs/control.md)."""
