"""Where the time of an ingest goes: a run under py-spy, summed by thread and function."""
