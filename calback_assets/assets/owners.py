"""Who answers for the assets; the one place that says so."""

OWNERS = ["team:analytics"]
