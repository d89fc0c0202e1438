"""Statistics and models over rows of tables: pure functions, by libraries made for them.

What is computed of people belongs here. Where rows come from and go to does not, and neither does how it is shown.
"""
