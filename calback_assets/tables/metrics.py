"""Contracts of the metric and cohort tables that stakeholders read.

Each column's description is its definition in one sentence; the long form stands in `docs/metrics.md`.
"""

from calback_assets.tables.contract import EVENT_DATE, Column, Table

DAILY_ACTIVE_USERS = Table(
    name="daily_active_users",
    description="How many people used Calback each day, week and month, and how many of them were new, "
    "came back, or came back after a long pause.",
    grain="day",
    use="Draw it over days; for a week or a month, take `wau` or `mau` of its last day.",
    caution="Not to be added up over days, which would count people twice. Not Google Analytics' active users, who are "
    "engaged for a while.",
    defined_in="metrics.md",
    key=(EVENT_DATE,),
    declared=(
        Column(EVENT_DATE, "DATE", "The day.", required=True),
        Column("dau", "INT64", "People active on the day.", required=True),
        Column("wau", "INT64", "People active in the 7 days that end with the day.", required=True),
        Column("mau", "INT64", "People active in the 30 days that end with the day.", required=True),
        Column("stickiness", "FLOAT64", "dau / mau; NULL when mau is 0."),
        Column("new_users", "INT64", "Active for the first time ever.", required=True),
        Column("returning_users", "INT64", "Active also within the 30 days before.", required=True),
        Column("resurrected_users", "INT64", "Active earlier, but not within the 30 days before.", required=True),
        Column("identified_users", "INT64", "Active people known by their user id.", required=True),
        Column("anonymous_users", "INT64", "Active people known only by a device.", required=True),
        Column("app_opens", "INT64", "App opens of the day.", required=True),
        Column("sessions", "INT64", "GA4 sessions of the day.", required=True),
        Column("events", "INT64", "Activity events of the day.", required=True),
        Column("meetings_created", "INT64", "Meetings made on the day, proposals left out.", required=True),
    ),
)

ACTIVE_USERS_BY = Table(
    name="active_users_by",
    description="How many people used Calback on a day by platform, by country and by version of the app.",
    grain="day × dimension × value",
    use="Take the rows of one dimension, and draw a line for each value over days.",
    caution="Not to be added up: whoever used two platforms on a day is counted in both, so that the values of a day "
    "may be more than its `dau`. Counts of fewer than ten people are in it; show them to nobody.",
    defined_in="metrics.md",
    key=(EVENT_DATE, "dimension", "value"),
    clustering=("dimension",),
    declared=(
        Column(EVENT_DATE, "DATE", "The day.", required=True),
        Column("dimension", "STRING", "platform, country or app_version.", required=True),
        Column(
            "value",
            "STRING",
            "Of the dimension, as GA4 has it; unknown for the people of whom no event of the day tells it.",
            required=True,
        ),
        Column("dau", "INT64", "People active on the day with this value.", required=True),
        Column("new_users", "INT64", "Those of them who were active for the first time ever.", required=True),
        Column(
            "is_final",
            "BOOL",
            "False while Google Analytics may still change the day's events; NULL where it has none of them.",
            wall_clock=True,
        ),
    ),
)

FREQUENT_USERS = Table(
    name="frequent_users",
    description="The people who keep coming back: at least as many active days as the settings ask for, in the window "
    "that they name or since the 1st of the month; by default three in 30.",
    grain="user × day",
    use="Take the rows of one day: with `is_frequent` who came often of late, with `is_frequent_month` who did this "
    "month.",
    caution="Not everybody active: who is frequent by neither reading has no row. A person has a row a day.",
    defined_in="metrics.md",
    key=(EVENT_DATE, "user_id"),
    clustering=("user_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "The day that windows end with.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
        Column("active_days_30d", "INT64", "Active days in the 30 days that end with the day.", required=True),
        Column("active_days_mtd", "INT64", "Active days from the 1st of the month to the day.", required=True),
        Column("is_frequent", "BOOL", "Enough active days in the window: by default three in 30.", required=True),
        Column(
            "is_frequent_month", "BOOL", "Enough active days in the month to date: by default three.", required=True
        ),
    ),
)
