"""The export of Google Analytics 4, from files and from BigQuery.

What an event means does not belong here.
"""
