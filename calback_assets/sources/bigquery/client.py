"""The connection to BigQuery: its reader, patience with what passes, and Google's errors in words that say what to do.

What every caller of the service shares belongs here; what is asked of it does not.
"""

import os
import re

import requests.exceptions
from google.api_core import exceptions, retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from calback_assets.errors import SourceError, UnavailableError
from calback_assets.sources.bigquery.query import Dataset

EMULATOR_HOST = "BIGQUERY_EMULATOR_HOST"
PATIENCE_SECONDS = 120.0
"""How long a request that fails for a passing reason is tried again."""
REQUEST_SECONDS = 60.0
"""How long one request may stay without an answer; the client's own default is to wait for ever."""
STREAM_SECONDS = 3600.0
"""How long a table may stream; Google's default is a day, which a stream that falls silent would take."""
LOOK_SECONDS = 8.0
"""In place of both of the first for whoever only looks: a last request that began in time ends within twice that."""

_TRANSIENT = (
    exceptions.TooManyRequests,
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    TransportError,
)
FAILURES = (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError, *_TRANSIENT)
"""What may come of a call; `explain` makes one of ours of it."""


def reader_of(client: bigquery.Client) -> BigQueryReadClient | None:
    """A client of the Storage Read API; None at an emulator, whose variable names its REST interface alone."""
    if os.environ.get(EMULATOR_HOST):
        return None
    return BigQueryReadClient(credentials=client._credentials)  # type: ignore[no-untyped-call]


def retrying(patience_seconds: float = PATIENCE_SECONDS) -> retry.Retry:
    """Google's own back-off, with jitter, for what passes."""
    return retry.Retry(
        predicate=lambda error: isinstance(error, _TRANSIENT),
        initial=0.1,
        maximum=20.0,
        multiplier=2.0,
        timeout=patience_seconds,
    )


def explain(error: Exception, dataset: Dataset, table: str) -> SourceError:
    """What went wrong while a source's table was read, without the values that Google's message may quote."""
    if problem := no_access(error) or no_answer(error):
        return UnavailableError(problem)
    if isinstance(error, exceptions.Forbidden):
        return UnavailableError(
            f"{dataset.setting}: table {dataset.name}.{table} in project {dataset.project} may not be read; grant the "
            "platform's account roles/bigquery.dataViewer on its dataset, and roles/bigquery.readSessionUser and "
            "roles/bigquery.jobUser on the project that CALBACK_GCP_PROJECT names"
        )
    if isinstance(error, exceptions.NotFound):
        return SourceError(f"{dataset.name}.{table}: went away while it was read. Run the day again.")
    return SourceError(f"{dataset.name}.{table}: BigQuery refuses to read it: {redacted(error)}")


def no_access(error: Exception) -> str | None:
    """The sentence for credentials that are not there or no longer valid; None for any other error."""
    if not isinstance(error, DefaultCredentialsError | RefreshError | exceptions.Unauthorized):
        return None
    problem = "were found" if isinstance(error, DefaultCredentialsError) else "are valid any more"
    return (
        f"no Google credentials {problem}; run gcloud auth application-default login, or set "
        "GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
    )


def no_answer(error: Exception) -> str | None:
    """The sentence for a service that does not answer; None for any other error."""
    if not isinstance(error, (exceptions.RetryError, *_TRANSIENT)):
        return None
    cause = error.cause if isinstance(error, exceptions.RetryError) else error
    return f"BigQuery did not answer ({type(cause).__name__}); what was there before stands; try again later"


def redacted(error: Exception) -> str:
    """As much of Google's message as quotes no value."""
    message = error.message if isinstance(error, exceptions.GoogleAPICallError) else type(error).__name__
    # Only what stands before the first quote: a quoted value may itself hold quotes and line ends.
    return re.split(r"['\"\n]", str(message), maxsplit=1)[0].rstrip() + " …"
