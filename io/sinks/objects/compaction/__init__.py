"""Larger objects from small ones, and the deletion of what no reader needs any more."""
