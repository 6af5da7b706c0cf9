"""CSV: its options, the header line and where each record ends."""
