"""MariaDB and MySQL: rows by INSERT … ON DUPLICATE KEY UPDATE, every value exact or refused."""
