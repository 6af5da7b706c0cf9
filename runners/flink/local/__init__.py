"""A Flink cluster on this machine, for development and tests: ``python -m runners.flink.local``.

``cluster`` starts and stops it, with the settings and commands of ``config``. ``parts`` fetches what
it consists of, once for each user; ``patches`` patches Beam's job server on the way. ``processes``
keeps track of programs that outlive the command. Nothing in production imports this package.
"""
