"""What is not read: objects passed over by name, and those that cannot be read now.

``selection`` passes over what a glob matches but nobody means, and notes what is left for a later
run. ``leaving`` ends the reading of one object to which access is refused. ``put_off`` remembers,
while watching, when such an object is tried again.

Public: ``selection.Selection``.
"""
