"""Texts that a spreadsheet would take for formulas: names of events, parameters and ids come from strangers.

Which texts these are belongs here; what is done with them is for each format to say.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_BEGINS = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""As OWASP lists them: the last four are the wide forms, which Excel in Korean and Japanese takes for the same."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula."""
    return re.match(_BEGINS, text) is not None


def defused(texts: pa.Array) -> pa.Array:
    """The texts with ' before those that a spreadsheet would run."""
    is_risky = pc.match_substring_regex(texts, _BEGINS)
    return pc.if_else(is_risky, pc.binary_join_element_wise("'", texts, ""), texts)
