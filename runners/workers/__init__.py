"""Worker processes of one run on this machine: how many, how they begin and end, and how they are talked to."""
