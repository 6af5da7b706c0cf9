"""Failed records that are due again: one more source beside those of the user.

``source`` claims due jobs of the target table under a lease and hands them out as batches, which
are parsed, checked and written like fresh records. ``ahead`` makes the next claim meanwhile. The
table ``ingest_jobs``, and what becomes of a job, are the sink's: this folder only knows the
contract ``transforms.read.job_queue.JobQueue``.

Public: ``source.JobsSource``.
"""
