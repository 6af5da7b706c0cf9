"""What differs from database to database: one file for each, and one for all others."""
