"""First weeks as arrays: what people did in theirs, how often, and whether they came back.

Reading rows of `first_week_features` belongs here; what is computed of them does not.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from calback_assets.analysis.arrays import Bools, Days, Ints
from calback_assets.analysis.features import done_by, times_of

MIN_PEOPLE = 20
"""So many must have done something, and so many not, before anything is said of it: an interval of fewer spans nearly
everything, and a handful of people is not to be looked at one by one."""

OUTCOMES = ("returned", "frequent")


@dataclass(frozen=True)
class FirstWeeks:
    """People whose first week and outcome window are both over; one entry each."""

    joined_on: Days
    active_days: Ints
    sessions: Ints
    behaviours: tuple[str, ...]
    """What at least `MIN_PEOPLE` of all people did, in the order of the names."""
    times: Ints
    """(person, behaviour): how often."""
    outcomes: dict[str, Bools]

    @classmethod
    def read(cls, rows: pa.Table) -> "FirstWeeks":
        """The people of the rows, in an order that hangs on what they did and not on how the rows came."""
        names = tuple(sorted(done_by(rows, MIN_PEOPLE)))
        times = times_of(rows, names)
        outcomes = {name: rows[name].to_numpy() for name in OUTCOMES}
        active_days, sessions = rows["active_days"].to_numpy(), rows["sessions"].to_numpy()
        joined_on = rows["joined_on"].to_numpy().astype("datetime64[D]")
        # Sums of floating point numbers differ in their last bits from one order to another.
        order = np.lexsort((*times.T, sessions, active_days, *outcomes.values(), joined_on))
        return cls(joined_on, active_days, sessions, names, times, outcomes).only(order)

    def only(self, who: Bools | Ints) -> "FirstWeeks":
        """Some of the people."""
        return FirstWeeks(
            self.joined_on[who],
            self.active_days[who],
            self.sessions[who],
            self.behaviours,
            self.times[who],
            {name: came_back[who] for name, came_back in self.outcomes.items()},
        )
