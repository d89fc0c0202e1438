"""Contracts of the core tables: who did what, when, from all sources, in one shape.

Everything that is not yet a metric belongs here; sources' own shapes stand in `raw`.
"""

from calback_assets.tables.contract import EVENT_DATE, Column, Table
from calback_assets.tables.raw import EVENT_PARAMS

DEVICE_IDENTITY = Table(
    name="device_identity",
    description="Which signed-in users were seen on which device on a day: it tells whose the events before a sign-in "
    "are.",
    grain="device × day × user",
    use="Join it by device and day, to tell whose an event without a user id is; `unified_events` has done so.",
    caution="No list of devices: one on which nobody signed in has no row.",
    defined_in="metrics.md#whose-event-is-it",
    key=(EVENT_DATE, "user_pseudo_id", "user_id"),
    clustering=("user_pseudo_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "Day the user was seen on the device.", required=True),
        Column("user_pseudo_id", "STRING", "Device id of Google Analytics.", required=True, is_personal=True),
        Column("user_id", "STRING", "User seen on the device.", required=True, is_personal=True),
        Column("first_seen_at", "TIMESTAMP", "First event of the user on the device that day.", required=True),
        Column("last_seen_at", "TIMESTAMP", "Last event of the user on the device that day.", required=True),
    ),
)

UNIFIED_EVENTS = Table(
    name="unified_events",
    description="Everything that happened on a day in one list: app events, sign-ups, meetings and app opens, "
    "each with the person it belongs to.",
    grain="event",
    use="Start here with a question that no other table answers; keep `is_activity` for what people did.",
    caution="Not activity alone: events that fire by themselves, and events of nobody, are in it.",
    defined_in="metrics.md#whose-event-is-it",
    key=("event_id",),
    clustering=("source", "event_name", "user_id"),
    person=("user_id",),
    # But where a device is shared, or another's event named the person: those days the sweep itself finds.
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "Day of the event.", required=True),
        Column("event_id", "STRING", "Identifies the event; the same input gives the same id.", required=True),
        Column("event_timestamp", "TIMESTAMP", "When it happened; the day's start for app opens.", required=True),
        Column("user_id", "STRING", "The person: a user id, else the device's; NULL without either.", is_personal=True),
        Column("is_anonymous", "BOOL", "True where no user id is known and the device stands in.", required=True),
        Column("source", "STRING", "analytics, users, meetings or access_log.", required=True),
        Column("event_name", "STRING", "What happened.", required=True),
        Column(
            "is_activity",
            "BOOL",
            "Whether a person or device that is known did it: false for events that fire by themselves.",
            required=True,
        ),
        Column("is_active_user", "BOOL", "GA4's own verdict on the user's day, where it gives one."),
        Column("session_id", "STRING", "Device and GA4 session; NULL where the export has none.", is_personal=True),
        Column("platform", "STRING", "ANDROID, IOS or WEB."),
        Column("country", "STRING", "The country that GA4 places the device in."),
        Column("app_version", "STRING", "The version of the app, where GA4 tells it."),
        Column(
            "properties",
            EVENT_PARAMS,
            "What else is known of the event, in the shape of GA4's parameters.",
            is_personal=True,
        ),
    ),
)

USER_DAILY_ACTIVITY = Table(
    name="user_daily_activity",
    description="One row for each person and day on which they did something in the app.",
    grain="user × day",
    use="Count active people of any days here; the metrics are made of it.",
    caution="No calendar: a day on which a person did nothing has no row. `is_anonymous` people are devices.",
    defined_in="metrics.md",
    key=(EVENT_DATE, "user_id"),
    clustering=("user_id",),
    person=("user_id",),
    declared=(
        Column(EVENT_DATE, "DATE", "Day the person was active.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
        Column("is_anonymous", "BOOL", "True where only the device is known.", required=True),
        Column("events", "INT64", "Activity events of the day.", required=True),
        Column("sessions", "INT64", "GA4 sessions of the day.", required=True),
        Column(
            "app_opens", "INT64", "Access-log rows; GA4 session starts on a day without an access log.", required=True
        ),
        Column("meetings_created", "INT64", "Meetings the person made that day, proposals left out.", required=True),
        Column("first_event_at", "TIMESTAMP", "First activity of the day.", required=True),
        Column("last_event_at", "TIMESTAMP", "Last activity of the day.", required=True),
        Column(
            "actions",
            "ARRAY<STRUCT<event_name STRING, events INT64>>",
            "Activity events per event name, in the order of the names.",
        ),
    ),
)

USER_BEHAVIOUR = Table(
    name="user_behaviour",
    description="What each person did on a day, by behaviour: every activity event of the app under its own name, and "
    "behaviours that are declared, such as a meeting with others.",
    grain="user × day × behaviour",
    use="Count here who did what, and how often; `user_daily_activity` says who was there and did not.",
    caution="Not to be added up over behaviours: a meeting with others is a meeting that was made as well.",
    defined_in="insight.md#behaviours",
    key=(EVENT_DATE, "user_id", "behaviour"),
    clustering=("behaviour", "user_id"),
    person=("user_id",),
    declared=(
        Column(EVENT_DATE, "DATE", "The day.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
        Column("behaviour", "STRING", "Name of the event, or of a declared behaviour.", required=True),
        Column("times", "INT64", "How often the person did it on the day.", required=True),
        Column(
            "times_on_android",
            "INT64",
            "How often on ANDROID; no platform is known of meetings and app opens.",
            required=True,
        ),
        Column("times_on_ios", "INT64", "How often on IOS.", required=True),
        Column("times_on_web", "INT64", "How often on WEB.", required=True),
    ),
)

USER_FIRST_SEEN = Table(
    name="user_first_seen",
    description="The first day on which each person was ever active.",
    grain="user",
    use="Join it to tell who is new on a day.",
    caution="Not the day of registration, which is in `user_joined`. Who was there before the data began looks new in "
    "it.",
    defined_in="metrics.md#order-and-late-days",
    key=("user_id",),
    clustering=("user_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "The person's first active day.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
    ),
)

USER_JOINED = Table(
    name="user_joined",
    description="The day on which each person joined, which says the cohort they belong to.",
    grain="user",
    use="Group people into cohorts by it.",
    caution="Not everybody: who registered before the data begins belongs to no cohort.",
    defined_in="insight.md#joining",
    key=("user_id",),
    clustering=("user_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "The day the person joined.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
        Column(
            "basis",
            "STRING",
            "registration: the account's creation. first_activity: where there are no accounts at all, the first "
            "active day, but for the first 30 days of the data, whose people may have been there before.",
            required=True,
        ),
    ),
)
