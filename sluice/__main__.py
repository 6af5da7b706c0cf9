"""The command line of `python -m sluice`, the same as `sluice`."""

from sluice.command import program

program()
