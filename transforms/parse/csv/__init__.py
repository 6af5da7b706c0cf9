"""CSV: ``rows`` reads them, ``columns`` gives their cells names, and ``cells`` tells NULL from text."""
