"""What differs from runner to runner; no other package knows."""
