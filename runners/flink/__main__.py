"""The command line of `python -m runners.flink`."""

import sys

from runners.flink.jobs import main

sys.exit(main())
