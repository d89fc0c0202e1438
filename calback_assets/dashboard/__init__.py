"""The dashboard: a static site, made from rows of the metric tables.

Pages, pictures and what stands in them belong here; where rows come from and where the files go does not.
"""
