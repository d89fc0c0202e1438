"""Where an emulator of BigQuery listens, and clients of both of its interfaces.

How it is started stands in `emulator`.
"""

from dataclasses import dataclass

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport


class Client(bigquery.Client):
    """A client that reads results over REST alone: the emulator's Storage API would be sought at Google."""

    def _ensure_bqstorage_client(self, *_: object, **__: object) -> None:
        return None


def client(url: str, project: str) -> Client:
    """A client of the emulator at the URL; close it."""
    return Client(project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": url})


@dataclass(frozen=True)
class Emulator:
    """Where a running emulator listens; any project may be used."""

    url: str
    """Its REST interface."""
    storage_endpoint: str
    """Its Storage API, host and port."""

    def reader(self) -> BigQueryReadClient:
        """A client of the Storage Read API, which takes messages as large as Google's own channel does."""
        channel = grpc.insecure_channel(self.storage_endpoint, [("grpc.max_receive_message_length", -1)])
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
