"""A bucket of Google Cloud Storage, under a prefix.

Objects and Google's errors belong here; an object is replaced whole or not at all by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.exceptions import GoogleCloudError
from google.cloud.storage.retry import DEFAULT_RETRY

from calback_assets.errors import DeliveryError
from calback_assets.sources.bigquery.client import FAILURES, no_access

_CHUNK_BYTES = 16 * 1024 * 1024
"""Sent in one request, and so in memory at once."""
_SECONDS = 300.0
"""How long one request may stay without an answer."""


class BucketStore:
    """A bucket and a prefix."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Name them; nothing is called yet."""
        self._bucket = bucket
        self._prefix = prefix

    @property
    def where(self) -> str:
        """As Google's tools write it."""
        return f"gs://{self._bucket}/{self._prefix}".rstrip("/")

    @contextmanager
    def opened(self, name: str) -> Iterator["BucketShelf"]:
        """The shelf of an export; of two that write it at once the last wins, object by object.

        Raises:
            DeliveryError: no credentials, no such bucket, no right to write it, or no answer.
        """
        folder = "/".join(part for part in (self._prefix, name) if part)
        try:
            # STORAGE_EMULATOR_HOST, which the client knows, names a server in Google's place.
            with TemporaryDirectory(prefix="calback-export-") as workshop:
                bucket = storage.Client(project=None).bucket(self._bucket)  # It has one of its own.
                yield BucketShelf(bucket, f"{folder}/", Path(workshop))
        except (*FAILURES, GoogleCloudError, GoogleAuthError) as error:
            raise DeliveryError(f"{name}: {self._explain(error)}; the old files stand") from None
        except OSError as error:
            raise DeliveryError(
                f"{name}: a file cannot be made in the folder for temporary files ({error.strerror}); the old files "
                "stand; make room there, or set TMPDIR to another folder"
            ) from None

    def _explain(self, error: Exception) -> str:
        if problem := no_access(error):
            return problem
        if isinstance(error, exceptions.NotFound):
            return f"there is no bucket {self._bucket}; make it, or name another"
        if isinstance(error, exceptions.Forbidden):
            return f"bucket {self._bucket} may not be written; grant this account roles/storage.objectUser on it"
        return f"bucket {self._bucket} did not take it ({type(error).__name__}); try again later"


@dataclass(frozen=True)
class BucketShelf:
    """The objects of one export."""

    bucket: storage.Bucket
    prefix: str
    workshop: Path

    def put(self, made: Path, name: str) -> None:
        """Send a file; readers see the old object until the new one is whole."""
        # An object is replaced by the same one, however often it is sent.
        self.bucket.blob(self.prefix + name, chunk_size=_CHUNK_BYTES).upload_from_filename(
            made, retry=DEFAULT_RETRY, timeout=_SECONDS, checksum="crc32c"
        )
        made.unlink()

    def names(self) -> list[str]:
        """Of all objects."""
        found = self.bucket.list_blobs(prefix=self.prefix, timeout=_SECONDS)
        return [blob.name.removeprefix(self.prefix) for blob in found]

    def read(self, name: str) -> bytes:
        """What is in an object."""
        return bytes(self.bucket.blob(self.prefix + name).download_as_bytes(timeout=_SECONDS))

    def remove(self, name: str) -> None:
        """Take an object away."""
        self.bucket.delete_blobs([self.prefix + name], on_error=lambda _: None)
