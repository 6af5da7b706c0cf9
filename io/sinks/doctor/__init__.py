"""What is wrong with a database and the pipelines in it, by checks that only read."""
