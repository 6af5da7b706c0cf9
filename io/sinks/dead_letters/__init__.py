"""Where dead letters go besides the database: files, objects and topics, chosen by URI."""
