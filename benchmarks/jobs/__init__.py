"""Failed records and outages.

``retries`` checks attempts, waits, kills and two processes at once; ``replay`` measures the replay of
dead letters; ``outage`` takes the database away.
"""
