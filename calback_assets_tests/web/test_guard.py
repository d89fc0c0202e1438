"""The guard before Dagster's own application: what gets through to it, and what does not."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from dagster import DagsterInstance
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from calback_assets.web.guard import guarded
from calback_assets_tests.web.hostile import changing, graphql, left, mutation
from calback_assets_tests.web.served import Request, dagster_app, get, listener, served

TOKEN = "a-token-of-the-tests"  # noqa: S105
PUBLIC_NAME = "dagit.calback.example"
WAYS = changing("", 0).keys()
PATHS = ("/", "/assets/raw_users", "/server_info", "/logs/a/out", "/notebook", "/download_debug/a", "/favicon.png")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as made:
        yield made


@pytest.fixture(scope="module")
def alone(instance: DagsterInstance) -> Iterator[int]:
    """Dagster's application with nothing before it."""
    with dagster_app(instance) as app, listener() as free, served(app, free) as port:
        yield port


@pytest.fixture(scope="module")
def guard(instance: DagsterInstance) -> Iterator[int]:
    """The same application behind the guard."""
    with dagster_app(instance) as app, listener() as free:
        behind = guarded(app, token=TOKEN, port=free.getsockname()[1], hosts=[PUBLIC_NAME])
        with served(behind, free) as port:
            yield port


@pytest.fixture(scope="module")
def to_look(instance: DagsterInstance) -> Iterator[int]:
    """An application that changes nothing, behind a guard that lets everybody look."""
    with dagster_app(instance, read_only=True) as app, listener() as free:
        behind = guarded(app, token=None, port=free.getsockname()[1])
        with served(behind, free) as port:
            yield port


def cookie(port: int, token: str = TOKEN) -> str:
    return f"calback_{port}={token}"


def websocket(port: int, origin: str | None, cookies: str) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-ws")],
        origin=None if origin is None else Origin(origin),
        additional_headers={"Cookie": cookies},
        proxy=None,
    )


def asked(connection: ClientConnection, query: str) -> object:
    connection.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
    return json.loads(connection.recv(timeout=60))


@pytest.mark.parametrize("way", WAYS)
def test_what_changes_dagster_alone_does_not_get_past_the_guard(
    instance: DagsterInstance, alone: int, guard: int, way: str
) -> None:
    trace = "".join(letter if letter.isalnum() else "_" for letter in way)
    assert changing(trace, alone)[way].to(alone).status == 200
    assert left(instance, trace)
    # The browser has the cookie: what is refused is the way, not the person.
    refused = changing(f"{trace}_guarded", guard)[way].to(guard, Cookie=cookie(guard))
    assert 400 <= refused.status < 500
    assert refused.headers["content-type"].startswith("text/plain")
    assert len(refused.body) < 100
    assert not left(instance, f"{trace}_guarded")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT"])
def test_a_method_that_dagit_does_not_use_is_refused(guard: int, method: str) -> None:
    refused = Request(method, "/graphql", {"Cookie": cookie(guard)}).to(guard)
    assert refused.status == 405
    assert not any(name.startswith("access-control-") for name in refused.headers)


@pytest.mark.parametrize("target", ["/graphql/", "//graphql", "/GraphQL", "/assets", "/report_asset_new/a"])
def test_only_graphql_is_posted_to(guard: int, instance: DagsterInstance, target: str) -> None:
    sent = graphql(mutation("posted_elsewhere"))
    assert Request("POST", target, sent.headers, sent.body).to(guard, Cookie=cookie(guard)).status == 405
    assert not left(instance, "posted_elsewhere")


def test_a_person_with_the_token_changes_what_they_like(instance: DagsterInstance, guard: int) -> None:
    sent = graphql(mutation("of_the_person"))
    answer = sent.to(guard, Cookie=cookie(guard), Origin=f"http://127.0.0.1:{guard}", Sec_Fetch_Site="same-origin")
    assert answer.status == 200
    assert left(instance, "of_the_person")


@pytest.mark.parametrize("given", ["", "calback_1=a-token-of-the-tests", "token=a-token-of-the-tests"])
def test_nothing_of_dagit_is_shown_without_the_cookie_of_this_port(guard: int, given: str) -> None:
    for request in [*(get(path) for path in PATHS), graphql("{ version }")]:
        answer = request.to(guard, Cookie=given)
        assert answer.status == 401
        assert b"Dagit is opened with its token" in answer.body


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], f"{TOKEN}x", "", "t\u00f6ken"])
def test_a_wrong_token_is_refused_wherever_it_is_given(guard: int, token: str) -> None:
    assert get("/").to(guard, Cookie=cookie(guard, token)).status == 401
    answer = get(f"/?token={quote(token)}").to(guard)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_the_address_with_the_token_gives_a_cookie_and_leads_away_from_itself(guard: int) -> None:
    answer = get(f"/?token={TOKEN}").to(guard)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    given, *attributes = answer.headers["set-cookie"].split("; ")
    assert given == cookie(guard)
    assert {attribute.lower() for attribute in attributes} == {"httponly", "path=/", "samesite=strict"}
    assert get("/").to(guard, Cookie=given).status == 200


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(guard: int) -> None:
    answer = get(f"/?token={TOKEN}").to(guard, Host=PUBLIC_NAME, X_Forwarded_Proto="https")
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", PUBLIC_NAME])
def test_the_names_of_this_machine_and_the_public_one_are_answered(guard: int, host: str) -> None:
    sent = graphql("{ version }")
    for port in ("", f":{guard}"):
        # A browser writes the name in Origin as it does in Host.
        assert sent.to(guard, Cookie=cookie(guard), Host=host + port, Origin=f"http://{host}{port}").status == 200


@pytest.mark.parametrize("host", ["", "10.0.0.1", "127.0.0.2", "rebound.example", "localhost.rebound.example", "[::2]"])
def test_no_other_host_is(guard: int, to_look: int, host: str) -> None:
    for port in (guard, to_look):
        answer = get("/").to(port, Cookie=cookie(port), Host=f"{host}:{port}")
        assert (answer.status, answer.body) == (400, b"Invalid host header")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("place", ["image", "script", "iframe", "empty", "style", "object"])
def test_no_other_page_embeds_what_is_shown(guard: int, to_look: int, site: str, place: str) -> None:
    mode = "navigate" if place in ("iframe", "object") else "no-cors"
    for path in PATHS:
        for port in (guard, to_look):
            embedded = get(path, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=place)
            answer = embedded.to(port, Cookie=cookie(port))
            assert (answer.status, answer.body) == (403, b"refused: the request comes from another page\n")


def test_a_link_on_another_page_is_followed(to_look: int) -> None:
    followed = get("/runs", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert followed.to(to_look).status == 200


def test_the_query_editor_is_shown_and_executes_nothing_by_its_address(guard: int, instance: DagsterInstance) -> None:
    editor = changing("by_the_editor", guard)["a mutation by GET"].to(guard, Cookie=cookie(guard), Accept="text/html")
    assert editor.status == 200
    assert b"GraphiQL" in editor.body
    assert not left(instance, "by_the_editor")


@pytest.mark.parametrize("path", [*PATHS, "/graphql"])
def test_every_answer_forbids_frames_and_other_origins(guard: int, path: str) -> None:
    for given in (cookie(guard), ""):
        headers = get(path).to(guard, Cookie=given).headers
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["content-security-policy"].split(", ")[-1] == "frame-ancestors 'self'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_policy_of_dagits_pages_stands_beside_that_of_frames(to_look: int) -> None:
    policies = get("/").to(to_look).headers["content-security-policy"].split(", ")
    assert len(policies) == 2
    assert "script-src 'nonce-" in policies[0]


@pytest.mark.parametrize("origin", ["https://hostile.example", "http://localhost:{port}", "http://127.0.0.1:1", "null"])
def test_no_other_page_opens_a_websocket(alone: int, guard: int, to_look: int, origin: str) -> None:
    with websocket(alone, origin.format(port=alone), "") as connection:
        assert asked(connection, 'subscription { pipelineRunLogs(runId: "a") { __typename } }')
    for port in (guard, to_look):
        with pytest.raises(InvalidStatus) as refused, websocket(port, origin.format(port=port), cookie(port)):
            pass
        assert refused.value.response.status_code == 403


def test_a_websocket_wants_the_cookie(guard: int) -> None:
    with pytest.raises(InvalidStatus) as refused, websocket(guard, f"http://127.0.0.1:{guard}", ""):
        pass
    assert refused.value.response.status_code == 401


def test_a_websocket_subscribes_and_changes_nothing(guard: int, instance: DagsterInstance) -> None:
    with websocket(guard, f"http://127.0.0.1:{guard}", cookie(guard)) as connection:
        told = asked(connection, 'subscription { pipelineRunLogs(runId: "a") { __typename } }')
        assert told == {
            "type": "data",
            "id": "1",
            "payload": {"data": {"pipelineRunLogs": {"__typename": "PipelineRunLogsSubscriptionFailure"}}},
        }
    with websocket(guard, f"http://127.0.0.1:{guard}", cookie(guard)) as connection:
        asked(connection, mutation("by_websocket"))
    assert not left(instance, "by_websocket")


def test_to_look_nobody_needs_a_token_and_nobody_changes_anything(to_look: int, instance: DagsterInstance) -> None:
    assert all(get(path).to(to_look).status in (200, 404) for path in ("/", "/server_info", "/logs/a/out"))
    assert graphql("{ version }").to(to_look).status == 200
    refused = graphql(mutation("of_who_looks")).to(to_look, Origin=f"http://127.0.0.1:{to_look}")
    assert b"GrapheneUnauthorizedError" in refused.body
    assert not left(instance, "of_who_looks")
