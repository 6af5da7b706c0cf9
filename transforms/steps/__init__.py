"""Steps that a user puts between Validate and Write, and the identity of a pipeline.

``EachRecord`` (``each_record``, by ``apply``) applies a function to every record and keeps its failures with the
batch, ``Retry`` (``retry``) gives those failures a policy, ``Explode`` (``explode``) makes one
element of each record.

A step that calls a service has options (``step_options``): ``attempt`` makes the calls of a batch, ``calls``
and ``rate`` bound them. ``unavailable`` tells what an exception says of the service, ``service`` keeps what
is known of it, and ``passage`` is how a step gives back to the reader what it cannot take now.
``inline_calls`` are those in the thread of the bundle. ``source_function`` is a function of a file that
travels as text.

``PipelineIdentity`` (``pipeline_identity``) is a name and the labels of the steps: a failed record
goes back through the steps of its own pipeline only. ``fingerprint`` hashes their code.
"""
