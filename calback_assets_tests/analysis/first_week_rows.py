"""Rows as the query of `first_week_lift` finds them, made of arrays: a world for the tests and the benchmarks."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

JOINED = np.datetime64("2024-01-10")


def first_week_rows(
    did: Mapping[str, npt.NDArray[np.integer] | npt.NDArray[np.bool_]],
    returned: npt.NDArray[np.bool_],
    *,
    frequent: npt.NDArray[np.bool_] | None = None,
    active_days: npt.NDArray[np.int64] | None = None,
    sessions: npt.NDArray[np.int64] | None = None,
    joined_on: npt.NDArray[np.datetime64] | None = None,
) -> pa.Table:
    """A row a person.

    Args:
        did: for each behaviour, how often each person did it.
        returned: who came back.
        frequent: who came back often; nobody, if left out, so that nothing is computed of it.
        active_days: one a person, if left out.
        sessions: as many as active days, if left out.
        joined_on: the same day for all, if left out.
    """
    people = len(returned)
    names = sorted(did)
    times = np.column_stack([did[name] for name in names]).astype(np.int64)
    person, behaviour = np.nonzero(times)
    entries = pa.StructArray.from_arrays(
        [
            pa.array(names).take(pa.array(behaviour)),
            pa.array(times[person, behaviour]),
            pa.array(np.ones(len(person), dtype=np.int64)),
        ],
        names=["behaviour", "times", "days"],
    )
    offsets = np.concatenate([[0], np.count_nonzero(times, axis=1).cumsum()]).astype(np.int32)
    active_days = np.ones(people, dtype=np.int64) if active_days is None else active_days
    return pa.table(
        {
            "joined_on": pa.array(np.full(people, JOINED) if joined_on is None else joined_on, pa.date32()),
            "active_days": active_days,
            "sessions": active_days if sessions is None else sessions,
            "behaviours": pa.ListArray.from_arrays(pa.array(offsets), entries),
            "returned": returned,
            "frequent": np.zeros(people, dtype=bool) if frequent is None else frequent,
        }
    )
