"""The manifest of what was delivered: how many rows, which bytes, which columns, and whether it may still change.

Its shape belongs here, and nothing of where it is kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calback_assets.delivery.piece import Piece


@dataclass(frozen=True)
class File:
    """One file that belongs to a piece."""

    name: str
    rows: int
    bytes: int
    sha256: str


def manifest_of(piece: Piece, rows: int, files: Sequence[File], notes: Sequence[str]) -> dict[str, Any]:
    """All there is to say of a piece."""
    days = piece.days
    return {
        "export": piece.table.name,
        "description": piece.table.description,
        "row_is": piece.table.grain,
        "first_day": str(days.first) if days else None,
        "last_day": str(days.last) if days else None,
        "rows": rows,
        "files": [vars(file) for file in files],
        "columns": columns_of(piece),
        "holds_personal_data": any(column.is_personal for column in piece.table.columns),
        "is_final": piece.is_final,
        "final_from": str(piece.final_from) if piece.final_from else None,
        "notes": list(notes),
        "version": piece.version,
        "run_id": piece.run_id,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def columns_of(piece: Piece) -> list[dict[str, Any]]:
    """The schema, with what each column means."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "required": column.required,
            "is_personal": column.is_personal,
            "description": column.description,
        }
        for column in piece.table.columns
    ]


def as_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as it is written."""
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
