"""A client of the Firestore that these tests are of: the library that the project uses, over the loopback interface."""

from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from calback_assets_tests.firestore.server import Firestore


@pytest.fixture
def client(firestore: Firestore) -> Iterator[Client]:
    client = Client(project=firestore.project, credentials=AnonymousCredentials())
    yield client
    client.close()
