"""Exports: tables of the contract as files and in databases, where people work with them.

Formats, targets and the manifest belong here; what a table holds, and when it is exported, does not.
"""
