"""A first week as numbers: one matrix, the same for learning, for scoring and for watching drift.

What a model may read of a person belongs here. Only columns of `first_week` are read, so nothing after day 7 is; what
becomes of the numbers stands in `models`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calback_assets.analysis.arrays import Floats, Ints

COUNTS = ("active_days", "sessions", "events", "app_opens")
PLATFORM, BEHAVIOURS = "platform", "behaviours"
COLUMNS = (*COUNTS, PLATFORM, BEHAVIOURS)
"""The columns of `first_week` that are read, and no others."""
LEAST_SHARE = 0.01
LEAST_PEOPLE = 20
"""So many of the people who are learned from must have done something, and as large a share, for it to be a feature."""
MOST_BEHAVIOURS = 200
"""A log of any product may have thousands of names: the most common are taken."""


@dataclass(frozen=True)
class Vocabulary:
    """The features of a model: what is counted of every person, and what some of them did or used."""

    platforms: tuple[str, ...]
    """A platform is told by its place in here, from 1; 0 is any other, or none."""
    behaviours: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The names, in the order of the columns of the matrix."""
        return (*COUNTS, PLATFORM, *self.behaviours)

    def to_json(self) -> Mapping[str, Sequence[str]]:
        """As JSON can hold it; `Vocabulary(**…)` is the way back."""
        return asdict(self)

    def __post_init__(self) -> None:
        """Take lists as well, which JSON makes of tuples."""
        object.__setattr__(self, "platforms", tuple(self.platforms))
        object.__setattr__(self, "behaviours", tuple(self.behaviours))


def vocabulary_of(weeks: pa.Table) -> Vocabulary:
    """The platforms and behaviours that enough of these people have; in the order of their names.

    Args:
        weeks: the people who are learned from, and nobody else.
    """
    least = max(LEAST_PEOPLE, LEAST_SHARE * weeks.num_rows)
    behaviours = done_by(weeks, least)
    return Vocabulary(
        platforms=tuple(sorted(_supported(weeks[PLATFORM], least))),
        behaviours=tuple(sorted(behaviours[:MOST_BEHAVIOURS])),
    )


def matrix(weeks: pa.Table, vocabulary: Vocabulary) -> Floats:
    """A row a person and a column a feature: counts as they are, the platform as its place in the vocabulary."""
    features = np.zeros((weeks.num_rows, len(vocabulary.features)))
    for position, name in enumerate(COUNTS):
        features[:, position] = weeks[name].to_numpy()
    features[:, len(COUNTS)] = _places(weeks[PLATFORM], vocabulary.platforms) + 1
    features[:, len(COUNTS) + 1 :] = times_of(weeks, vocabulary.behaviours)
    return features


def done_by(weeks: pa.Table, least: float) -> list[str]:
    """The behaviours of at least so many of these people, the most common first."""
    return _supported(_flat(weeks).field("behaviour"), least)


def times_of(weeks: pa.Table, behaviours: Sequence[str]) -> Ints:
    """How often each person did each of the behaviours: (person, behaviour)."""
    done = _flat(weeks)
    place = _places(done.field("behaviour"), behaviours)
    is_known = place >= 0
    person = pc.list_parent_indices(_joined(weeks[BEHAVIOURS])).to_numpy()[is_known]
    times = np.zeros((weeks.num_rows, len(behaviours)), dtype=np.int64)
    times[person, place[is_known]] = done.field("times").to_numpy(zero_copy_only=False)[is_known]
    return times


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _flat(weeks: pa.Table) -> pa.StructArray:
    """What all people did, one after the other."""
    return pc.list_flatten(_joined(weeks[BEHAVIOURS]))


def _supported(names: pa.Array | pa.ChunkedArray, least: float) -> list[str]:
    """The names that are there at least so often, the most common first."""
    counted = zip(*(pc.value_counts(names).field(part).to_pylist() for part in ("values", "counts")), strict=True)
    ordered = sorted((-count, name) for name, count in counted if name is not None and count >= least)
    return [name for _, name in ordered]


def _places(names: pa.Array | pa.ChunkedArray, known: Sequence[str]) -> Ints:
    """The place of each name among those that are known; -1 for any other."""
    found = pc.fill_null(pc.index_in(names, value_set=pa.array(known, pa.string())), -1)
    return np.asarray(found, dtype=np.int64)
