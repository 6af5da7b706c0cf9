"""What a pipeline would do: it is run on a sample, and all that it writes is taken back."""
