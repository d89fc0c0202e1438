"""The table contracts: one declaration a table, the single truth for columns, types, keys, layout and privacy.

`TABLES` is the registry that tests and the command line walk. No SQL and nothing of an engine belongs here.
"""

from calback_assets.tables.contract import EVENT_DATE, Column, Privacy, Table
from calback_assets.tables.core import DEVICE_IDENTITY, UNIFIED_EVENTS, USER_DAILY_ACTIVITY, USER_FIRST_SEEN
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        RAW_USERS,
        RAW_MEETINGS,
        RAW_EVENTS,
        RAW_ACCESS_LOG,
        DEVICE_IDENTITY,
        UNIFIED_EVENTS,
        USER_DAILY_ACTIVITY,
        USER_FIRST_SEEN,
        DAILY_ACTIVE_USERS,
        FREQUENT_USERS,
    )
}

__all__ = ["EVENT_DATE", "TABLES", "Column", "Privacy", "Table"]
