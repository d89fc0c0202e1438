"""The wide table that a person reads: per day and person, who came and what they did, a column an action.

Its shape and how rows of `user_daily_activity` come into it belong here; files do not.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calback_assets.tables import Column, Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.rows import arrow_schema

WHO_DID_WHAT = "who_did_what"
ACTIONS = "actions"
"""The column of `user_daily_activity` that is spread out."""
KEPT = tuple(
    column for column in USER_DAILY_ACTIVITY.columns if column.name != ACTIONS and not column.name.endswith("_event_at")
)
"""The columns that stay as they are; a person who only opened the app has zeros in all others."""
READ = (*(column.name for column in KEPT), ACTIONS)
"""The columns that are read."""
MOST_ACTIONS = 1_000
"""Anybody can send events of any name, and a spreadsheet takes 16,384 columns."""
_LONGEST_NAME = 60
_CELLS = 2_000_000
"""As many counts as are in memory at once."""


@dataclass(frozen=True)
class WhoDidWhat:
    """The columns for the actions of some days, and rows in them."""

    actions: Sequence[str]
    """The names of the events that have a column each, in the order of the names."""
    is_cut: bool
    """Whether there are more, whose events are counted together in the last column."""

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], most: int = MOST_ACTIONS) -> "WhoDidWhat":
        """The columns that the actions of these rows need: all of them, or those that were done most often."""
        counted: Counter[str] = Counter()
        for batch in batches:
            actions = batch[ACTIONS].flatten()
            by_name = pa.table(
                {"name": pc.struct_field(actions, "event_name"), "events": pc.struct_field(actions, "events")}
            )
            for found in by_name.group_by("name").aggregate([("events", "sum")]).to_pylist():
                counted[found["name"]] += found["events_sum"]
        kept = sorted(counted, key=lambda name: (-counted[name], name))[:most]
        return cls(sorted(kept), len(counted) > most)

    @property
    def table(self) -> Table:
        """The shape of the rows."""
        names = column_names([*self.actions, *(["other actions"] if self.is_cut else [])], [c.name for c in KEPT])
        said = [f"How often the person did {action!r} on the day." for action in self.actions]
        said += [f"How often they did anything but the {len(self.actions):,} most frequent actions."] * self.is_cut
        columns = (Column(name, "INT64", text, required=True) for name, text in zip(names, said, strict=True))
        return Table(
            name=WHO_DID_WHAT,
            description="Who came on each day and what they did: a row for each person and day, a column for each "
            "action, with how often.",
            grain=USER_DAILY_ACTIVITY.grain,
            key=USER_DAILY_ACTIVITY.key,
            person=USER_DAILY_ACTIVITY.person,
            declared=(*KEPT, *columns),
        )

    def rows(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of `user_daily_activity`, spread out."""
        schema = arrow_schema(self.table)
        width = len(schema) - len(KEPT)
        at_once = max(_CELLS // max(width, 1), 1)
        places = pa.array(self.actions, pa.string())
        for batch in batches:
            for start in range(0, batch.num_rows, at_once):
                part = batch.slice(start, at_once)
                counts = np.zeros((part.num_rows, width), np.int64)
                actions = part[ACTIONS]
                done = actions.flatten()
                place = pc.index_in(pc.struct_field(done, "event_name"), places).fill_null(len(self.actions))
                times = pc.struct_field(done, "events").to_numpy(zero_copy_only=False)
                np.add.at(counts, (pc.list_parent_indices(actions).to_numpy(), place.to_numpy()), times)
                kept = [part[column.name] for column in KEPT]
                yield pa.RecordBatch.from_arrays([*kept, *map(pa.array, counts.T.copy())], schema=schema)


def column_names(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Names of columns for names that come from strangers.

    Letters, digits and underscores, in any script, at most 60 of them, and no two alike whatever the case: what other
    programs take for a name, and for nothing else.
    """
    used = {name.casefold() for name in taken}
    made = []
    for name in names:
        plain = re.sub(r"\W+", "_", name)[:_LONGEST_NAME] or "_"
        one, number = plain, 1
        while one.casefold() in used:
            number += 1
            one = f"{plain}_{number}"
        used.add(one.casefold())
        made.append(one)
    return made
