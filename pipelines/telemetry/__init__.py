"""What a process shows of itself and of the database: ``server`` answers over HTTP, ``exporter`` reads
the database again and again, and ``table`` has the name and meaning of every metric."""
