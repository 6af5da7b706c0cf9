"""What is different from runner to runner, and nothing else knows."""
