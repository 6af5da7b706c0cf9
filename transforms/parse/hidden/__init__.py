"""What is shown of records that have hidden fields: ``paths`` names them, ``preview`` masks them."""
