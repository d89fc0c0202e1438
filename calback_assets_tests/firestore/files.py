"""Documents from the files that the `local` deployment reads: `{"id", "create_time", "update_time", "data"}` a line."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from calback_assets_tests.firestore.store import Store

# Fields that are timestamps in Firestore; JSON has none.
TIMESTAMPS = {"meetingsCollection": ("from", "to", "recurrenceExceptionDates")}


def load_folder(store: Store, folder: Path) -> int:
    """Loads every collection of a folder, each from `<collection>.jsonl`; returns how many documents there are."""
    return sum(load(store, path, path.stem, TIMESTAMPS.get(path.stem, ())) for path in sorted(folder.glob("*.jsonl")))


def load(store: Store, path: Path, collection: str, timestamps: Collection[str] = ()) -> int:
    """Loads a file's documents with their ids and times into a collection; returns how many there are.

    Args:
        store: where to.
        path: the file.
        collection: the collection's path.
        timestamps: fields whose texts, or whose lists' texts, become timestamps where they can be read as such.

    Raises:
        ValueError: a line that is none of a document; names file and line.
    """
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = orjson.loads(line)
                data = record["data"]
                for name in timestamps:
                    if name in data:
                        data[name] = _timestamps(data[name])
                store.put(
                    f"{collection}/{record['id']}",
                    data,
                    create_time=datetime.fromisoformat(record["create_time"]),
                    update_time=datetime.fromisoformat(record["update_time"]),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name}, line {number}: {type(error).__name__}: {error}") from error
    return number


def _timestamps(value: Any) -> Any:
    if isinstance(value, list):
        return [_timestamps(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return time if time.tzinfo else value
