"""Where the bytes of objects are: list what a glob matches, read ranges of one pinned version.

``objects`` is the contract. ``local`` (files) and ``s3`` fulfil it. A version that has changed
since it was listed is refused, never mixed with another; only ``local`` follows a file that is
appended to, which it recognizes by its ``tails``. ``stream`` reads an object in order and fetches
ahead.

Public: ``objects.Storage``, ``local.LocalStorage``, ``s3.S3Storage``, ``stream.PlainStream``.
"""
