"""Pages for people who look: from the rows of insight tables to sentences, pictures and HTML.

What is shown, and in which words, belongs here; nothing is computed that a table does not hold.
"""
