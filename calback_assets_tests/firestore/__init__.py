"""A Firestore for tests, behind the real gRPC protocol, and the tests that hold it to what the service does."""
