"""Tables in BigQuery that others have written, whatever they hold: which there are, and how their rows are read.

The warehouse in BigQuery does not belong here.
"""
