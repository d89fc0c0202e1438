"""The table contracts: one declaration a table, the single truth for columns, types, keys, layout and privacy.

`TABLES` is the registry: every `Table` that a module here declares, by name. No SQL and nothing of an engine belongs
here.
"""

from calback_assets.tables import core, insight, metrics, raw
from calback_assets.tables.contract import EVENT_DATE, Column, Privacy, Table

TABLES: dict[str, Table] = {
    declared.name: declared
    for module in (raw, core, metrics, insight)
    for declared in vars(module).values()
    if isinstance(declared, Table)
}

__all__ = ["EVENT_DATE", "TABLES", "Column", "Privacy", "Table"]
