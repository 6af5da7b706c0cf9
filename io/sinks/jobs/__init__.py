"""Failed records as durable jobs: ``ingest_jobs``, with ``ingest_queue`` and ``ingest_claims``.

The trip of a failed record: ``first`` inserts it in the transaction that settles its batch, with
the owner of ``owner``, and puts it into the queue if it may be tried again. Once it is due, ``queue``
lets ``claims`` take it out under a lease, and ``sources.jobs`` reads it. ``outcomes`` records how the
attempt ended, with the columns of ``columns``, in the transaction that writes the row; ``rescue``
puts the jobs of a lost lease back. ``state`` tells a job's state, ``filter`` and ``stats`` select and
count jobs.

By hand: ``orders`` says what to do to which jobs, ``actions`` does it in ``chunks``, ``audit_trail``
keeps who did it and why, and ``retention`` prunes finished jobs.

Public: ``queue.SqlJobQueue``, ``store.list_jobs``, ``store.get_job``, ``store.count_jobs``.
"""
