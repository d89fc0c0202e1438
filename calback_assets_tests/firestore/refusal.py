"""How a request is refused: with a gRPC status, and a message that says why."""

import grpc


class Refusal(Exception):  # noqa: N818, it is an answer
    """The answer to a request that Firestore would not serve, or that this server does not."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """The answer to what the service refuses too."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def unserved(what: str) -> Refusal:
    """The answer to what the service does, and this server does not."""
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, f"{what} is not served by the Firestore of the tests.")
