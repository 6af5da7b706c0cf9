"""What flows through a pipeline: records, their batches, splits and coders."""
