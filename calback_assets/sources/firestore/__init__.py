"""The app's documents, live and from what others have exported of them.

What a user or a meeting is to a metric does not belong here.
"""
