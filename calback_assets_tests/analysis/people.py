"""First weeks of the sample's people, made straight from its arrays: no file is written, and no warehouse is asked.

Only these people belong here; what they did is what is planted, without the app's other events.
"""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from calback_assets.sample import planted
from calback_assets.sample.people import NEVER, make_people
from calback_assets.tables.insight import FIRST_WEEK_FEATURES
from calback_assets.warehouse.rows import arrow_schema

BEGIN = date(2024, 1, 1)
PLATFORMS = ("ANDROID", "IOS", None)
SCHEMA = arrow_schema(FIRST_WEEK_FEATURES)


def first_weeks(seed: int, users: int, days: int) -> pa.Table:
    """Rows of `first_week_features` of those who sign up within the days; all have had their whole windows."""
    people, _ = make_people(seed, users, days)
    rng = np.random.default_rng(seed)
    active_days = people.week.sum(axis=1)
    sessions = active_days + rng.poisson(active_days * 0.7)
    events = sessions + rng.poisson(8 * sessions)
    platform = rng.integers(len(PLATFORMS), size=people.count)
    returned = people.return_day != NEVER
    rows = []
    for number in np.flatnonzero((people.first_day >= 0) & (np.arange(people.count) < people.registered)):
        joined_on = BEGIN + timedelta(days=int(people.first_day[number]))
        done = people.action_day[:, number] != NEVER
        names = sorted(behaviour.name for behaviour, did in zip(planted.BEHAVIOURS, done, strict=True) if did)
        rows.append(
            {
                "event_date": joined_on + timedelta(days=36),
                "user_id": str(people.user_id[number]),
                "joined_on": joined_on,
                "basis": "registration",
                "active_days": int(active_days[number]),
                "sessions": int(sessions[number]),
                "events": int(events[number]),
                "app_opens": int(sessions[number]),
                "platform": PLATFORMS[platform[number]],
                "behaviours": [{"behaviour": name, "times": 1, "days": 1} for name in names],
                "outcome_active_days": int(returned[number]),
                "returned": bool(returned[number]),
                "frequent": False,
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def shuffled_outcomes(rows: pa.Table, seed: int) -> pa.Table:
    """The same people, and whether one comes back has nothing to do with what they did."""
    order = np.random.default_rng(seed).permutation(rows.num_rows)
    return rows.set_column(rows.schema.get_field_index("returned"), "returned", rows["returned"].take(pa.array(order)))
