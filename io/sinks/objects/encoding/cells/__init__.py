"""The values of a column as Arrow's arrays (``arrays``), each exactly as it is, or refused (``unfit``)."""
