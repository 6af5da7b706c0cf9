"""Prism: the Go runner of Beam, built and started on this machine."""
