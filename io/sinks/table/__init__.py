"""The target table: its columns and keys, rows made to fit them, one writer for each database."""
