"""The command line of `python -m runners.flink.local`."""

import sys

from runners.flink.local.cluster import main

sys.exit(main())
