"""Asset `user_first_seen`: the first active day of everyone, right in whatever order days are built."""

from pathlib import Path

from calback_assets.assets.sql_asset import Ripple, SqlAsset
from calback_assets.partitions import EARLIER, LATER, SAME_DAY
from calback_assets.tables.core import USER_DAILY_ACTIVITY, USER_FIRST_SEEN

ASSET = SqlAsset(
    USER_FIRST_SEEN,
    Path(__file__).with_suffix(".sql"),
    reads={"user_daily_activity": SAME_DAY},
    own_days={"seen_before": EARLIER},
    ripple=Ripple(
        Path(__file__).with_suffix(".ripple.sql"),
        reads={
            "seen": (USER_FIRST_SEEN, SAME_DAY),
            "seen_later": (USER_FIRST_SEEN, LATER),
            "activity": (USER_DAILY_ACTIVITY, SAME_DAY),
            "activity_later": (USER_DAILY_ACTIVITY, LATER),
        },
    ),
)
