"""Benchmarks of the platform: one module a question, each against a named peer on the same machine in the same run.

`python -m benchmarks` answers all of them at full size; what was measured, and where, stands in `README.md`.
"""
