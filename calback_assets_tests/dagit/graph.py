"""The graph that design.md draws, written out: what Dagit and the definitions must show."""

from dataclasses import dataclass, field

from calback_assets.tables import TABLES


@dataclass(frozen=True)
class Node:
    """One asset as a person sees it."""

    group: str
    kind: str
    upstream: set[str] = field(default_factory=set)
    is_daily: bool = True


GRAPH = {
    "raw_users": Node("raw", "firebase", is_daily=False),
    "raw_meetings": Node("raw", "firebase", is_daily=False),
    "raw_events": Node("raw", "googleanalytics"),
    "raw_access_log": Node("raw", "kafka"),
    "device_identity": Node("core", "sql", {"raw_events"}),
    "unified_events": Node(
        "core", "sql", {"raw_users", "raw_meetings", "raw_events", "raw_access_log", "device_identity"}
    ),
    "user_daily_activity": Node("core", "sql", {"unified_events"}),
    "user_first_seen": Node("core", "sql", {"user_daily_activity"}),
    "daily_active_users": Node("metrics", "sql", {"user_daily_activity", "user_first_seen"}),
    "active_users_by": Node("metrics", "sql", {"unified_events", "user_first_seen", "raw_events"}),
    "frequent_users": Node("cohorts", "sql", {"user_daily_activity"}),
    "user_joined": Node("core", "sql", {"raw_users", "unified_events", "user_first_seen"}),
    "user_behaviour": Node("core", "sql", {"raw_meetings", "unified_events"}),
    "first_week": Node("insight", "sql", {"user_joined", "user_behaviour", "user_daily_activity"}),
    "first_week_features": Node("insight", "sql", {"first_week", "user_daily_activity"}),
    "first_week_lift": Node("insight", "sql", {"first_week_features"}, is_daily=False),
    "user_lifecycle": Node("insight", "sql", {"user_daily_activity", "user_first_seen"}),
    "power_curve": Node("insight", "sql", {"user_daily_activity"}),
    "retention_cohorts": Node("insight", "sql", {"user_joined", "user_daily_activity"}, is_daily=False),
    "frequent_user_behaviour": Node(
        "insight", "sql", {"frequent_users", "user_behaviour", "user_daily_activity"}, is_daily=False
    ),
    "return_model": Node("insight", "sql", {"first_week_features"}, is_daily=False),
    "return_propensity": Node("insight", "sql", {"first_week", "return_model"}),
    "insight_report": Node(
        "insight",
        "python",
        {
            "retention_cohorts",
            "user_lifecycle",
            "power_curve",
            "frequent_user_behaviour",
            "first_week_lift",
            "return_model",
        },
        is_daily=False,
    ),
    "dashboard": Node(
        "delivery",
        "python",
        {
            "daily_active_users",
            "active_users_by",
            "retention_cohorts",
            "user_lifecycle",
            "power_curve",
            "frequent_user_behaviour",
            "first_week_lift",
            "return_model",
        },
        is_daily=False,
    ),
}
DAILY = [name for name, node in GRAPH.items() if node.is_daily]
STORED = [name for name in GRAPH if name in TABLES]
"""Those that are tables: the report is pages."""
