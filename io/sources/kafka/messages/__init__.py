"""What the messages of a topic hold: ``batches`` makes records of them, and ``elements`` several of each."""
