"""This project beside its peers: one command, the same records, the same server.

``python -m benchmarks.peers`` (``__main__.py``) lays out the records (``records.py``), starts a server
(``stage.py``), makes an environment for each peer (``environment.py``) and runs all of them in turns
(``contest.py``, ``rounds.py``). ``peer.py`` lists the peers, ``programs/`` has their programs and
``requirements/`` the versions that they run with; ``figures.py`` and ``table.py`` say what came out.
"""
