"""Contracts of the insight tables: who comes back, what they do, and who will come back.

Definitions stand in `docs/insight.md`. A person's *first week* is days 1–7, of which day 1 is the day they joined;
their *outcome window* is days 8–37. An interval is at 95 %, and a share is of 1.
"""

from calback_assets.tables.contract import EVENT_DATE, Column, Table

_BEHAVIOURS = "ARRAY<STRUCT<behaviour STRING, times INT64, days INT64>>"

_FIRST_WEEK = (
    Column("user_id", "STRING", "The person.", required=True, is_personal=True),
    Column("joined_on", "DATE", "Day 1: the day the person joined.", required=True),
    Column("basis", "STRING", "What joining is: registration or first_activity.", required=True),
    Column("active_days", "INT64", "Active days of the first week.", required=True),
    Column("sessions", "INT64", "GA4 sessions of the first week.", required=True),
    Column("events", "INT64", "Activity events of the first week.", required=True),
    Column("app_opens", "INT64", "App opens of the first week.", required=True),
    Column("platform", "STRING", "The platform of most of their events of the first week; NULL where none is known."),
    Column(
        "behaviours",
        _BEHAVIOURS,
        "What they did in the first week, how often and on how many days, in the order of the names.",
    ),
)

FIRST_WEEK = Table(
    name="first_week",
    description="What each new person did in their first week, stored under its last day: nothing later is in it.",
    grain="user",
    use="Look here at how new people begin; chances to return are made of it.",
    caution="Not what became of them: nothing later than day 7 is in it.",
    defined_in="insight.md#the-first-week-and-what-came-after",
    key=("user_id",),
    clustering=("user_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(Column(EVENT_DATE, "DATE", "Day 7 of the person.", required=True), *_FIRST_WEEK),
)

FIRST_WEEK_FEATURES = Table(
    name="first_week_features",
    description="What each new person did in days 1–7, and whether they came back in days 8–37; stored under day 37, "
    "so that everybody in it has had the whole chance.",
    grain="user",
    use="Compare here who came back with who did not.",
    caution="Not everybody who joined: who has not had 37 days yet has no row.",
    defined_in="insight.md#the-first-week-and-what-came-after",
    key=("user_id",),
    clustering=("user_id",),
    person=("user_id",),
    stands_alone=True,
    declared=(
        Column(EVENT_DATE, "DATE", "Day 37 of the person.", required=True),
        *_FIRST_WEEK,
        Column("outcome_active_days", "INT64", "Active days of days 8–37.", required=True),
        Column("returned", "BOOL", "Active on any of days 8–37.", required=True),
        Column("frequent", "BOOL", "Active on at least three of days 8–37, or as the settings say.", required=True),
    ),
)

USER_LIFECYCLE = Table(
    name="user_lifecycle",
    description="Where the active people of each day come from and where they go: new, returning, resurrected, "
    "dormant, and the flows between these.",
    grain="day",
    use="Draw it over days, to see whether those who come make up for those who go.",
    caution="Not who has left for good: the dormant may be resurrected. In the first 30 days of the data, new people "
    "are too many.",
    defined_in="insight.md#where-people-come-from-and-go",
    key=(EVENT_DATE,),
    declared=(
        Column(EVENT_DATE, "DATE", "The day.", required=True),
        Column("current_users", "INT64", "People active in the 30 days that end with the day.", required=True),
        Column("new_users", "INT64", "Active for the first time ever.", required=True),
        Column("returning_users", "INT64", "Active, and within the 30 days before as well.", required=True),
        Column("resurrected_users", "INT64", "Active, and earlier, but not within the 30 days before.", required=True),
        Column(
            "dormant_users",
            "INT64",
            "Gone dormant on the day: last active 30 days before it. Current users are those of the day before, and "
            "the new and the resurrected, less the dormant.",
            required=True,
        ),
        Column("active_to_active", "INT64", "Returning from the day before.", required=True),
        Column("idle_to_active", "INT64", "Returning after a pause of at most 30 days.", required=True),
        Column("active_to_idle", "INT64", "Active the day before, and not on the day.", required=True),
        Column("idle_to_idle", "INT64", "Active on neither day, but within 30 days.", required=True),
    ),
)

POWER_CURVE = Table(
    name="power_curve",
    description="How many people were active on how many of the last 30 days (L30).",
    grain="day × active days",
    use="Draw `users` over `active_days` of one day; a rise towards 30 is a core of people who are always there.",
    caution="Not to be added up over days: the same people stand in each. Within a day they add up to `mau`.",
    defined_in="insight.md#where-people-come-from-and-go",
    key=(EVENT_DATE, "active_days"),
    declared=(
        Column(EVENT_DATE, "DATE", "The day that the 30 days end with.", required=True),
        Column("active_days", "INT64", "Active days of the 30; a number that nobody has has no row.", required=True),
        Column("users", "INT64", "People with so many.", required=True),
    ),
)

RETENTION_COHORTS = Table(
    name="retention_cohorts",
    description="How many of those who joined in a week came back, by weeks since and on days 1, 3, 7, 14 and 30, over "
    "those who have had the chance.",
    grain="cohort × measure × period",
    use="Take one `measure`, and draw `share` over `period`, a line a cohort; compare cohorts that are `is_complete`.",
    caution="No share of the cohort, but of those whom the period has passed for: `eligible`.",
    defined_in="insight.md#retention",
    key=("cohort_week", "measure", "period"),
    is_partitioned=False,
    declared=(
        Column("as_of", "DATE", "The last day that is counted.", required=True),
        Column("cohort_week", "DATE", "Monday of the week in which they joined.", required=True),
        Column("basis", "STRING", "What joining is: registration or first_activity.", required=True),
        Column(
            "measure",
            "STRING",
            "week: active in the 7 days that begin 7 × period days after day 1. day: active exactly period days after "
            "day 1. unbounded: active then or later. bracket: active after the day of the measure before, up to it.",
            required=True,
        ),
        Column("period", "INT64", "Weeks since joining, or days.", required=True),
        Column("cohort_size", "INT64", "People who joined in the week.", required=True),
        Column("eligible", "INT64", "Those of them for whom the period has passed.", required=True),
        Column("retained", "INT64", "Those of the eligible who were active.", required=True),
        Column("share", "FLOAT64", "retained / eligible; NULL where nobody is eligible."),
        Column("share_low", "FLOAT64", "Lower end of Wilson's interval."),
        Column("share_high", "FLOAT64", "Upper end."),
        Column("is_complete", "BOOL", "Whether everybody of the cohort is eligible.", required=True),
    ),
)

FREQUENT_USER_BEHAVIOUR = Table(
    name="frequent_user_behaviour",
    description="What frequent users do that other active people do not, within the last 30 days: how many do it, how "
    "often, and how often for each day that they are there.",
    grain="behaviour",
    use="Sort by `rate_ratio`, and mind its interval: what lies across 1 is no difference.",
    caution="No cause: what frequent users do now is not what made them come.",
    defined_in="insight.md#what-frequent-users-do",
    key=("behaviour",),
    is_partitioned=False,
    declared=(
        Column("as_of", "DATE", "The day that the 30 days end with.", required=True),
        Column("behaviour", "STRING", "What they did.", required=True),
        Column("frequent_users", "INT64", "Frequent users.", required=True),
        Column("other_users", "INT64", "Other people who were active.", required=True),
        Column("frequent_did", "INT64", "Frequent users who did it.", required=True),
        Column("other_did", "INT64", "Others who did it.", required=True),
        Column("frequent_share", "FLOAT64", "frequent_did / frequent_users; NULL where there are none."),
        Column("frequent_share_low", "FLOAT64", "Lower end of Wilson's interval."),
        Column("frequent_share_high", "FLOAT64", "Upper end."),
        Column("other_share", "FLOAT64", "other_did / other_users; NULL where there are none."),
        Column("other_share_low", "FLOAT64", "Lower end of Wilson's interval."),
        Column("other_share_high", "FLOAT64", "Upper end."),
        Column("frequent_per_person", "FLOAT64", "Times per frequent user."),
        Column("other_per_person", "FLOAT64", "Times per other active person."),
        Column("frequent_per_active_day", "FLOAT64", "Times per active day of frequent users."),
        Column("other_per_active_day", "FLOAT64", "Times per active day of others."),
        Column("rate_ratio", "FLOAT64", "frequent_per_active_day / other_per_active_day; NULL where one is 0."),
        Column("rate_ratio_low", "FLOAT64", "Lower end of its interval, people as the unit (delta method)."),
        Column("rate_ratio_high", "FLOAT64", "Upper end."),
    ),
)

FIRST_WEEK_LIFT = Table(
    name="first_week_lift",
    description="What in the first week goes together with coming back: each behaviour against each outcome, by itself "
    "and with activity and the other behaviours held fixed.",
    grain="behaviour × threshold × outcome × period",
    use="Filter `is_found`, and read `adjusted_odds_ratio` with its interval.",
    caution="No cause: nobody was made to do anything. Who does a thing may differ in what nothing measures "
    "(`e_value`).",
    defined_in="insight-lift.md",
    key=("behaviour", "at_least", "outcome", "period"),
    is_partitioned=False,
    declared=(
        Column("behaviour", "STRING", "What was done in the first week.", required=True),
        Column(
            "at_least", "INT64", "How often at least: 1, or a threshold chosen on the older cohorts.", required=True
        ),
        Column("outcome", "STRING", "returned or frequent.", required=True),
        Column(
            "period",
            "STRING",
            "all; the month of joining, YYYY-MM; or newer: the cohorts on which a threshold is confirmed.",
            required=True,
        ),
        Column("joined_from", "DATE", "First day of joining of the people who are compared.", required=True),
        Column("joined_to", "DATE", "Last day.", required=True),
        Column("people", "INT64", "People who are compared.", required=True),
        Column("did", "INT64", "Those who did it.", required=True),
        Column("did_came_back", "INT64", "Those of them with the outcome.", required=True),
        Column("others_came_back", "INT64", "Those of the others with the outcome.", required=True),
        Column("share_did", "FLOAT64", "did_came_back / did; NULL where nobody did it."),
        Column("share_others", "FLOAT64", "The same of the others."),
        Column(
            "relative_risk", "FLOAT64", "share_did / share_others; NULL without support, and where a cell is empty."
        ),
        Column("relative_risk_low", "FLOAT64", "Lower end of Katz's interval."),
        Column("relative_risk_high", "FLOAT64", "Upper end."),
        Column("odds_ratio", "FLOAT64", "By itself; NULL without support, and where a cell is empty."),
        Column("odds_ratio_low", "FLOAT64", "Lower end of Woolf's interval."),
        Column("odds_ratio_high", "FLOAT64", "Upper end."),
        Column("p_value", "FLOAT64", "Of no association: Fisher's exact where an expected count is under 5, else χ²."),
        Column("q_value", "FLOAT64", "After Benjamini and Hochberg, over the behaviours of this outcome and period."),
        Column("adjusted_odds_ratio", "FLOAT64", "With active days, sessions and the other behaviours held fixed."),
        Column("adjusted_low", "FLOAT64", "Lower end of its interval."),
        Column("adjusted_high", "FLOAT64", "Upper end."),
        Column("adjusted_p", "FLOAT64", "Of no association, adjusted."),
        Column("adjusted_q", "FLOAT64", "After Benjamini and Hochberg."),
        Column("adjustment", "STRING", "How it was estimated, or why it was not.", required=True),
        Column(
            "e_value",
            "FLOAT64",
            "How strong something unseen would have to be, as a risk ratio with both the "
            "behaviour and the outcome, to explain the adjusted association away (VanderWeele and Ding).",
        ),
        Column("e_value_limit", "FLOAT64", "The same for the end of the interval that is nearer to 1."),
        Column(
            "detectable_odds_ratio",
            "FLOAT64",
            "The smallest odds ratio above 1 that this many people would show by itself, at 5 % and uncorrected, with "
            "a chance of 80 %.",
        ),
        Column(
            "is_supported", "BOOL", "Whether enough people did it, and enough did not, to say anything.", required=True
        ),
        Column(
            "is_found",
            "BOOL",
            "Supported, and still there after adjustment and correction: adjusted_q under 0.05; of "
            "a threshold, also confirmed on the newer cohorts.",
            required=True,
        ),
    ),
)

_DECILES = (
    "ARRAY<STRUCT<decile INT64, people INT64, came_back INT64, mean_score FLOAT64, share FLOAT64, lift FLOAT64, "
    "lift_low FLOAT64, lift_high FLOAT64>>"
)

RETURN_MODEL = Table(
    name="return_model",
    description="Models that say from the first week whether a person returns, each judged on the newest people, of "
    "whom it has learned nothing.",
    grain="model",
    use="Take the row that `is_promoted`, if there is one; `verdict` says why.",
    caution="Not good because it is promoted: compare `auc` and `brier` with those of `base_rate`.",
    defined_in="insight-model.md",
    key=("model",),
    is_partitioned=False,
    declared=(
        Column("model", "STRING", "base_rate, logistic or boosting.", required=True),
        Column(
            "version", "STRING", "Hash of what it was learned from and of how; the same from the same.", required=True
        ),
        Column("is_promoted", "BOOL", "Whether scores are made with it; true for one at most.", required=True),
        Column("verdict", "STRING", "Why it is promoted, or is not.", required=True),
        Column("learned_from", "DATE", "First day of joining of the people it learned from."),
        Column("learned_to", "DATE", "Last day."),
        Column("learned_people", "INT64", "How many.", required=True),
        Column("judged_from", "DATE", "First day of joining of the people it was judged on."),
        Column("judged_to", "DATE", "Last day."),
        Column("judged_people", "INT64", "How many.", required=True),
        Column("base_rate", "FLOAT64", "Share of the judged who returned."),
        Column("auc", "FLOAT64", "Area under the ROC curve, on the judged."),
        Column("auc_low", "FLOAT64", "Lower end of its bootstrap interval."),
        Column("auc_high", "FLOAT64", "Upper end."),
        Column("pr_auc", "FLOAT64", "Average precision."),
        Column("pr_auc_low", "FLOAT64", "Lower end of its bootstrap interval."),
        Column("pr_auc_high", "FLOAT64", "Upper end."),
        Column("brier", "FLOAT64", "Mean squared error of the chance."),
        Column("brier_low", "FLOAT64", "Lower end of its bootstrap interval."),
        Column("brier_high", "FLOAT64", "Upper end."),
        Column("calibration_slope", "FLOAT64", "1 where chances are neither too bold nor too timid."),
        Column("calibration_offset", "FLOAT64", "Mean of the scores less the share who returned."),
        Column("deciles", _DECILES, "The judged in ten parts by score, the lowest first."),
        Column(
            "importance",
            "ARRAY<STRUCT<feature STRING, auc_lost FLOAT64, auc_lost_sd FLOAT64>>",
            "What is lost of the AUC when a feature is shuffled among the judged, the most important first.",
        ),
        Column(
            "worst_served",
            "ARRAY<STRUCT<group_name STRING, people INT64, base_rate FLOAT64, mean_score FLOAT64, auc FLOAT64>>",
            "Groups of at least 50 of the judged, the worst calibrated first.",
        ),
        Column("features", "ARRAY<STRING>", "What it reads, in its order: counts, the platform, behaviours."),
        Column(
            "feature_bins",
            "ARRAY<STRUCT<feature STRING, edges ARRAY<FLOAT64>, shares ARRAY<FLOAT64>>>",
            "How the features of those it learned from are distributed; `propensity` is the model's own score.",
        ),
        Column("parameters", "STRING", "What the search chose, JSON.", required=True),
        Column(
            "content", "STRING", "The model itself, as JSON: its vocabulary, and coefficients or LightGBM's own text."
        ),
    ),
)

RETURN_PROPENSITY = Table(
    name="return_propensity",
    description="The chance of each new person to return in days 8–37, as the promoted model sees it at the end of "
    "their first week.",
    grain="user",
    use="Compare groups of new people by their mean chance, before their 37 days are over.",
    caution="No verdict on a person, and NULL where no model is promoted.",
    defined_in="insight-model.md",
    key=("user_id",),
    clustering=("user_id",),
    person=("user_id",),
    declared=(
        Column(EVENT_DATE, "DATE", "Day 7 of the person.", required=True),
        Column("user_id", "STRING", "The person.", required=True, is_personal=True),
        Column("joined_on", "DATE", "Day 1.", required=True),
        Column("propensity", "FLOAT64", "The chance, 0 to 1; NULL where no model is promoted."),
        Column("model", "STRING", "The promoted model; NULL where there is none."),
        Column("model_version", "STRING", "Its version; a model that is learned later scores later people."),
    ),
)
