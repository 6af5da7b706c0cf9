"""Other projects' own interoperability files, read as messages of a schema registry."""
