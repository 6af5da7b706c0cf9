"""What concerns Beam itself: its flags, how it is imported, and its private parts.

``flags`` refuses Beam's flags that a runner ignores. ``imports`` imports Beam without what no pipeline
uses. ``private`` and ``memory`` hold every use of Beam's private parts.
"""
