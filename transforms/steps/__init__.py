"""Steps that a user adds between Validate and Write, and a pipeline's identity."""
