"""What leaves the warehouse after each materialization.

Assets that deliver belong here; formats, targets and manifests stand in `calback_assets.delivery`.
"""
