"""The connection to Firestore: its client, patience with what passes, and errors that say what to do.

Credentials, back-off and the translation of Google's errors belong here; what is asked of Firestore does not.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import firebase_admin
import grpc
from firebase_admin import firestore
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.cloud.firestore import Client
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from grpc.experimental import ChannelOptions

from calback_assets.errors import SourceError

EMULATOR_HOST = "FIRESTORE_EMULATOR_HOST"

_PASSING = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.GatewayTimeout,
    exceptions.InternalServerError,
    exceptions.ServiceUnavailable,
    exceptions.TooManyRequests,
    exceptions.Unknown,
)
FAILURES = (exceptions.GoogleAPICallError, GoogleAuthError)
"""What may come of a call; `explain` makes one of ours of it."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long a request that fails for a passing reason is tried again, without any progress in between."""

    attempts: int = 8
    first_pause_seconds: float = 0.5
    """Doubled after each failure, with jitter: 45 seconds of pauses in all, a minute at most."""
    longest_pause_seconds: float = 30.0
    request_seconds: float = 60.0
    """After which an answer is given up, however much of it has come; a stream is then resumed."""

    def pause_after(self, error: Exception, failures: int) -> float:
        """How many seconds to wait before the next attempt.

        Args:
            error: what the last attempt raised.
            failures: how many attempts have failed in a row.

        Raises:
            Exception: `error`, where it will not pass or has come too often.
        """
        if not isinstance(error, _PASSING) or failures >= self.attempts:
            raise error
        pause = min(self.first_pause_seconds * 2.0 ** (failures - 1), self.longest_pause_seconds)
        # Jitter, so that streams that broke together do not come back together.
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets

    def told(self, error: Exception, failures: int, pause: float) -> str:
        """What to say of a pause."""
        return (
            f"Firestore broke off ({type(error).__name__}): attempt {failures + 1} of {self.attempts} in {pause:.1f} s"
        )

    def ask(self, request: Callable[[], Answer], report: Callable[[str], None]) -> Answer:
        """The answer to a request that may be repeated.

        Args:
            request: makes it.
            report: told of every pause.

        Raises:
            FAILURES: it will not pass, or has come too often.
        """
        failures = 0
        while True:
            try:
                return request()
            except exceptions.GoogleAPICallError as error:
                failures += 1
                pause = self.pause_after(error, failures)
                report(self.told(error, failures, pause))
                time.sleep(pause)


@contextmanager
def connected(project: str) -> Iterator[Client]:
    """Firebase's client of a project; at an emulator, where `FIRESTORE_EMULATOR_HOST` names one.

    Raises:
        SourceError: there are no credentials, or they are no longer valid.
    """
    is_emulated = bool(os.environ.get(EMULATOR_HOST))
    credentials = AnonymousCredentials() if is_emulated else None  # type: ignore[no-untyped-call]
    # An app keeps its client, and with it the address that it was made for: each connection has its own.
    app = firebase_admin.initialize_app(credentials, {"projectId": project}, name=f"calback-{uuid4().hex}")
    try:
        if not is_emulated:
            # Asked for here, because a stream reports credentials that fail as a service that is down.
            app.credential.get_access_token()
        client = firestore.client(app)
        try:
            yield client
        finally:
            # The client itself closes nothing of its channel.
            client._firestore_api.transport.close()
    except GoogleAuthError as error:
        raise explain(error, project) from None
    finally:
        firebase_admin.delete_app(app)


@contextmanager
def streaming(client: Client) -> Iterator[FirestoreClient]:
    """Google's generated client under a client, on a channel whose streams are read by the thread that asks.

    By default gRPC hands every message over from a thread of its own, which takes twice the processor time, and makes
    parallel streams slower than one.
    """
    options = [
        (ChannelOptions.SingleThreadedUnaryStream, 1),
        ("grpc.max_receive_message_length", -1),
        # Otherwise gRPC remembers an address that did not answer beyond its channel, and fails the next one unasked.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if host := os.environ.get(EMULATOR_HOST):
        channel = grpc.insecure_channel(host, options)
    else:
        channel = FirestoreGrpcTransport.create_channel(credentials=client._credentials, options=options)
    transport = FirestoreGrpcTransport(channel=channel)
    try:
        yield FirestoreClient(transport=transport)
    finally:
        channel.close()


def explain(error: Exception, project: str) -> SourceError:
    """An error of Google as one of ours: what to do about it, without its text, which may quote a document."""
    kind = type(error).__name__
    if isinstance(error, DefaultCredentialsError | RefreshError | exceptions.Unauthenticated):
        return SourceError(
            f"Firestore does not accept the Google credentials ({kind}); run gcloud auth application-default login, or "
            "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
        )
    if isinstance(error, exceptions.PermissionDenied):
        return SourceError(
            f"Firestore denies access to project {project} ({kind}); grant this account roles/datastore.viewer on it"
        )
    if isinstance(error, exceptions.NotFound):
        return SourceError(
            f"project {project} has no Firestore database (default); set CALBACK_GCP_PROJECT to the app's project"
        )
    if isinstance(error, exceptions.FailedPrecondition):
        return SourceError(
            f"Firestore no longer has the documents as they were when the snapshot began ({kind}): it keeps them for "
            "an hour; run it again, or switch on point-in-time recovery, which keeps them for seven days"
        )
    if isinstance(error, exceptions.TooManyRequests):
        return SourceError(
            f"Firestore's quota of project {project} is used up ({kind}); run it again tomorrow, or enable billing"
        )
    if isinstance(error, (*_PASSING, TransportError)):
        return SourceError(f"Firestore did not answer ({kind}); try again later")
    return SourceError(f"Firestore refuses the request ({kind})")
