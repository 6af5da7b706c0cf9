"""Steps that a user puts between Validate and Write, and the identity of a pipeline.

``EachRecord`` (``each_record``) applies a function to every record and keeps its failures with the
batch, ``Retry`` (``retry``) gives those failures a policy, ``Explode`` (``explode``) makes one
element of each record.

``PipelineIdentity`` (``pipeline_identity``) is a name and the labels of the steps: a failed record
goes back through the steps of its own pipeline only. ``fingerprint`` hashes their code.
"""
