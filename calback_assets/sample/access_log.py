"""The sample's access log: one line each time the app opens, as the Kafka connector lands it.

Only the lines and their delivery belong here. Earliest days have no Kafka coordinates; later some messages
are delivered twice.
"""

from pathlib import Path

import numpy as np

from calback_assets.sample.people import People
from calback_assets.sample.randomness import generator
from calback_assets.sample.records import Sessions
from calback_assets.sample.timeline import date_of

_TOPIC = "app-open"
_PARTITIONS = 3
_BARE_DAYS = 31
"""January, in which the connector kept no coordinates; in a short sample its first third."""
_REDELIVERED = 0.005
_SECOND_OPEN = 0.15
"""Chance that the app is opened again within a session, which GA4 does not count and the log does."""


class AccessLog:
    """Writes one file a day; remembers the next offset of each partition."""

    def __init__(self, folder: Path, seed: int, people: People, days: int) -> None:
        """`folder` exists and is empty."""
        self._folder = folder
        self._seed = seed
        self._people = people
        self._bare_days = min(_BARE_DAYS, days // 3)
        self._next_offset = [0] * _PARTITIONS

    def add(self, day: int, sessions: Sessions) -> int:
        """Write a day's file; returns its number of lines."""
        rng = generator(self._seed, "access log", day)
        signed_in = sessions.picked(sessions.signed_in)
        signed_in = signed_in.picked(np.argsort(signed_in.start, kind="stable"))
        opens = np.repeat(signed_in.person, 1 + (rng.random(len(signed_in.start)) < _SECOND_OPEN))
        again = rng.random(len(opens)) < _REDELIVERED
        date = date_of(day).isoformat()
        folder = self._folder / f"date={date}"
        folder.mkdir()
        lines: list[str] = []
        for person, redelivered in zip(opens.tolist(), again.tolist(), strict=True):
            head = f'{{"userId":"{self._people.user_id[person]}","date":"{date}"'
            if day < self._bare_days:
                lines.append(head + "}\n")
                continue
            partition = person % _PARTITIONS
            offset = self._next_offset[partition]
            self._next_offset[partition] += 1
            line = f'{head},"topic":"{_TOPIC}","partition":{partition},"offset":{offset}}}\n'
            lines.extend([line] * (1 + redelivered))
        (folder / "part-0.jsonl").write_bytes("".join(lines).encode())
        return len(lines)
