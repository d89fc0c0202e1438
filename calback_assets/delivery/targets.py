"""From the text that names a target to the target, and from the name of an export to the export.

Only choosing belongs here. What a person may name is in the settings' words: `EXPORT_TO_EXPECTED`.
"""

import re
from pathlib import Path

from calback_assets.delivery.files import FilesTarget, Store
from calback_assets.delivery.folder import FolderStore
from calback_assets.delivery.formats import FORMATS
from calback_assets.delivery.piece import Target
from calback_assets.errors import DeliveryError
from calback_assets.settings import EXPORT_TO_EXPECTED, Settings, export_to, takes_files


def target_of(settings: Settings, into: str, file_format: str | None) -> Target:
    """The target that a text names; nothing is opened yet.

    Args:
        settings: of the deployment, whose own warehouse is no target.
        into: a folder, a bucket, a dataset of BigQuery or the URL of a database, which no error quotes.
        file_format: of files; None where rows go into a table.

    Raises:
        DeliveryError: the text names no target, or the format and the target do not go together.
    """
    if export_to(into) is None:
        raise DeliveryError(f"there is no such target; name {EXPORT_TO_EXPECTED}")
    if takes_files(into) != (file_format is not None):
        raise DeliveryError(
            f"{into if takes_files(into) else 'a database'} takes "
            f"{'files: name a format, one of ' + ', '.join(FORMATS) if takes_files(into) else 'rows, and no format'}"
        )
    if file_format is not None:
        return FilesTarget(_store(into), FORMATS[file_format])
    if dataset := re.fullmatch("bigquery://([^/]+)/([^/]+)", into):
        # Google's libraries take a second to import.
        from calback_assets.delivery.bigquery import DatasetTarget

        own = settings.bigquery
        if own and (own.project, own.dataset) == dataset.groups():
            raise DeliveryError(f"{into} is the warehouse itself; name another dataset, one for readers")
        return DatasetTarget(*dataset.groups())
    from calback_assets.delivery.database import DatabaseTarget

    return DatabaseTarget(into)


def _store(into: str) -> Store:
    if bucket := re.fullmatch("gs://([^/]+)(?:/(.*?))?/?", into):
        from calback_assets.delivery.bucket import BucketStore

        return BucketStore(bucket[1], bucket[2] or "")
    return FolderStore(Path(into))
