"""How values and names are spelt for a database: identifiers, COPY text, dates, encodings."""
