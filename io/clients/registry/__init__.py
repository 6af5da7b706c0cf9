"""Schema registries with Confluent's API: Confluent's own, Apicurio's, Karapace's.

``config`` holds the settings, with references in the place of secrets; ``client`` asks; ``token`` gets
tokens of OAuth; ``schemas`` is what a pipeline holds: it makes its client in each process.
"""
