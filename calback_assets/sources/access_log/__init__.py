"""The backend's access log, from files and from a table in BigQuery.

What a visit is does not belong here.
"""
