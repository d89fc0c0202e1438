"""The page that answers the question: findings made of the insight tables, words for them, pictures, and the page.

Pure functions from the tables' rows to text; where the rows come from and where pages go is not known here.
"""
