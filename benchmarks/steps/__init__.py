"""Steps that call a service: how fast, and what a service that is slow, gone or silent does to a run."""
