"""The language of the models: which of it may be used, how a model is read, and how it is said to each engine.

No model belongs here, and nothing that runs one.
"""
