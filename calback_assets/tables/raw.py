"""Contracts of the raw tables: what the sources sent, typed, and with personal fields dropped or hashed.

Definitions of the sources' fields: Firestore's `userCollection` and `meetingsCollection`, the GA4 BigQuery export
schema (Analytics help 7029846), and the access log that Kafka lands. Nothing derived by analytics belongs here.
"""

from calback_assets.tables.contract import EVENT_DATE, Column, Privacy, Table

EVENT_PARAMS = (
    "ARRAY<STRUCT<key STRING, value STRUCT<string_value STRING, int_value INT64, float_value FLOAT64, "
    "double_value FLOAT64>>>"
)

_SNAPSHOT_COLUMNS = (
    Column("created_at", "TIMESTAMP", "When Firestore created the document.", required=True),
    Column("updated_at", "TIMESTAMP", "When Firestore last changed the document.", required=True),
    Column(
        "deleted_at",
        "TIMESTAMP",
        "When a snapshot first missed the document; NULL while it exists.",
        wall_clock=True,
    ),
    Column("snapshot_at", "TIMESTAMP", "The snapshot that last held the document.", required=True, wall_clock=True),
)

RAW_USERS = Table(
    name="raw_users",
    description="Every person who ever had a Calback account, as last seen in Firestore, without personal data.",
    grain="user",
    use="Look here at what Firestore holds; count sign-ups in `unified_events`. Who still has an account has no "
    "`deleted_at`.",
    caution="No history: the row is the newest state of the account, whatever day is looked at.",
    defined_in="privacy.md#what-happens-to-each-field",
    key=("user_id",),
    is_partitioned=False,
    clustering=("user_id",),
    tombstone="deleted_at",
    person=("user_id",),
    declared=(
        Column(
            "user_id",
            "STRING",
            "Document id in `userCollection`; the app's user id everywhere.",
            required=True,
            is_personal=True,
        ),
        Column("name", "STRING", "Display name.", privacy=Privacy.DROP),
        Column("photoUrl", "STRING", "Address of the profile picture.", privacy=Privacy.DROP),
        Column("token", "STRING", "The device's push token, a secret.", privacy=Privacy.DROP),
        Column("email_hash", "STRING", "Keyed hash of the e-mail address.", privacy=Privacy.HASH, is_personal=True),
        Column("has_photo", "BOOL", "Whether a profile picture is set."),
        Column("has_push_token", "BOOL", "Whether push notifications can reach a device."),
        Column("flag", "INT64", "The app's own counter of meetings the user created."),
        Column("friend_count", "INT64", "Friends in the app."),
        Column("blocked_count", "INT64", "Users this user blocked."),
        Column("requests_received", "INT64", "Open friend and meeting requests received."),
        Column("requests_sent", "INT64", "Open friend and meeting requests sent."),
        Column("open_privacy", "BOOL", "Whether the calendar is open to everybody."),
        *_SNAPSHOT_COLUMNS,
    ),
)

RAW_MEETINGS = Table(
    name="raw_meetings",
    description="Every meeting and meeting proposal ever made in Calback, as last seen in Firestore, without titles.",
    grain="meeting",
    use="Look here at what Firestore holds; count what people make of it in `user_behaviour`. Proposals are "
    "`is_pending`.",
    caution="Not who attended: `involved_ids` are those who accepted, as last seen, and nothing tells when.",
    defined_in="privacy.md#what-happens-to-each-field",
    key=("meeting_id",),
    is_partitioned=False,
    clustering=("meeting_id",),
    tombstone="deleted_at",
    person=("owner_id",),
    declared=(
        Column("meeting_id", "STRING", "Document id in `meetingsCollection`.", required=True),
        Column("owner_id", "STRING", "User who made the meeting.", is_personal=True),
        Column("content", "STRING", "The title.", privacy=Privacy.DROP),
        Column("starts_at", "TIMESTAMP", "Start of the meeting."),
        Column("ends_at", "TIMESTAMP", "End of the meeting."),
        Column("is_all_day", "BOOL", "Whether the meeting takes whole days."),
        Column("is_pending", "BOOL", "True for a proposal (the id begins with `pending`).", required=True),
        Column("is_recurring", "BOOL", "Whether the meeting has a recurrence rule."),
        Column("content_length", "INT64", "Characters of the dropped title."),
        Column(
            "involved_ids",
            "ARRAY<STRING>",
            "Users who accepted, the owner among them where the app says so.",
            is_personal=True,
        ),
        Column("involved_count", "INT64", "Users who accepted; NULL in documents that predate the field."),
        Column("pending_involved_count", "INT64", "Users invited who have not answered; NULL where absent."),
        *_SNAPSHOT_COLUMNS,
    ),
)

RAW_EVENTS = Table(
    name="raw_events",
    description="App events of one day as Google Analytics 4 exported them, copies included.",
    grain="exported event",
    use="Look here at what Google sent; count events in `unified_events`.",
    caution="No count of events: copies are in it, and events that fire without a person. Until `is_final`, a day may "
    "still change.",
    defined_in="forms.md#forms-of-the-ga4-export",
    key=(),
    clustering=("event_name", "user_pseudo_id"),
    person=("user_id", "user_pseudo_id"),
    declared=(
        Column(EVENT_DATE, "DATE", "Day of the event in the platform's time zone, from its timestamp.", required=True),
        Column("event_timestamp", "INT64", "Microseconds since 1970 in UTC.", required=True),
        Column("event_name", "STRING", "Name of the event.", required=True),
        Column("event_params", EVENT_PARAMS, "Parameters of the event.", is_personal=True),
        Column("event_bundle_sequence_id", "INT64", "Upload bundle of the event."),
        Column("event_server_timestamp_offset", "INT64", "Microseconds between collection and upload."),
        Column("batch_event_index", "INT64", "Order within the upload batch; NULL in older exports."),
        Column("batch_ordering_id", "INT64", "Order of network requests of a page; NULL in older exports."),
        Column("batch_page_id", "INT64", "Page within the batch; NULL in older exports."),
        Column("user_id", "STRING", "The app's user id; NULL until signed in.", is_personal=True),
        Column("user_pseudo_id", "STRING", "Device id; NULL without consent.", is_personal=True),
        Column("user_first_touch_timestamp", "INT64", "Microseconds; may be as early as 1970."),
        Column("user_properties", EVENT_PARAMS, "Free-form, may name a person.", privacy=Privacy.DROP),
        Column("platform", "STRING", "ANDROID, IOS or WEB."),
        Column("stream_id", "STRING", "Data stream of the property."),
        Column("device_category", "STRING", "`device.category`: mobile, tablet or desktop."),
        Column("operating_system", "STRING", "`device.operating_system`."),
        Column("country", "STRING", "`geo.country`."),
        Column("app_version", "STRING", "`app_info.version`."),
        Column("is_active_user", "BOOL", "GA4's own verdict on the user's day; NULL in intraday and older exports."),
        Column(
            "is_final",
            "BOOL",
            "False while the export may still change: an intraday or fresh table, or less than three days old.",
            required=True,
            wall_clock=True,
        ),
    ),
)

RAW_ACCESS_LOG = Table(
    name="raw_access_log",
    description="App opens of one day as the backend logged them, redelivered copies included.",
    grain="delivered log row",
    use="Look here at what the backend sent; count app opens in `user_daily_activity`.",
    caution="No count of app opens, since copies are in it, and no times of day: a row tells a day alone.",
    defined_in="forms.md#the-access-logs-files",
    key=(),
    clustering=("user_id",),
    person=("user_id",),
    declared=(
        Column(EVENT_DATE, "DATE", "Day the app was opened.", required=True),
        Column("user_id", "STRING", "User who opened the app.", required=True, is_personal=True),
        Column("topic", "STRING", "Kafka topic; NULL where the connector did not keep it."),
        Column("partition", "INT64", "Kafka partition."),
        Column("offset", "INT64", "Kafka offset; with topic and partition it identifies the message."),
    ),
)
