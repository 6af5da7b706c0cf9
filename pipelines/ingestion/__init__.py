"""What `pipelines.ingest` is made of: its flags, their configuration, user steps, the summary.

`flags` declares every option; `options` turns a command line into the frozen dataclasses of
`config`; `steps` applies the user's own transforms and names the pipeline; `summary` reports
what a run did.
"""
