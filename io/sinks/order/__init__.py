"""Which record of a key wins, whatever order records come in: positions, deletes, and the rows of both."""
