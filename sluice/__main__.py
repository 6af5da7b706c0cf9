"""The command line of `python -m sluice`, the same as `sluice`."""

import sys

from sluice.command import main

sys.exit(main())
