"""What `make ui` serves, as other pages and programs meet it: in a browser, and by hand."""

import re
from collections.abc import Iterator

import pytest
from dagster import DagsterInstance
from playwright.sync_api import Page, expect

from calback_assets_tests.dagit.conftest import Morning
from calback_assets_tests.dagit.hostile_page import CHANGING, MARK_OF_DAGIT, READING, answered, attack, traces
from calback_assets_tests.web.hostile import changing, graphql
from calback_assets_tests.web.served import dagster_app, get, listener, served

pytestmark = pytest.mark.slow

NAMES = ("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Dagster's own application with nothing before it."""
    with (
        DagsterInstance.local_temp(str(tmp_path_factory.mktemp("alone"))) as instance,
        dagster_app(instance) as app,
        listener() as free,
        served(app, free) as port,
    ):
        yield port


@pytest.mark.browser
def test_a_page_of_another_origin_does_to_dagster_alone_what_it_likes(alone: int, site: int, stranger: Page) -> None:
    told, shown = attack(stranger.context, f"http://localhost:{site}", f"http://127.0.0.1:{alone}")
    assert traces(lambda query: answered(graphql(query).to(alone).body)) == set(CHANGING)
    assert "PipelineRunLogsSubscriptionFailure" in (told["websocket"] or "")
    assert MARK_OF_DAGIT in shown


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_another_origin_starts_changes_and_reads_nothing(
    morning: Morning, site: int, page: Page, name: str
) -> None:
    before = traces(morning.dagit.ask)
    for own_name in NAMES:
        page.goto(morning.dagit.way_in.replace("127.0.0.1", own_name))
        expect(page).to_have_title(re.compile("^Overview"))  # The browser is logged in.
        told, shown = attack(
            page.context, f"http://{name}:{site}", morning.dagit.address.replace("127.0.0.1", own_name)
        )
        assert told == dict.fromkeys(READING)
        assert MARK_OF_DAGIT not in shown
    assert traces(morning.dagit.ask) == before


@pytest.mark.browser
def test_the_browser_itself_reaches_no_other_machine_by_name_or_number(stranger: Page) -> None:
    with stranger.context.new_page() as page:
        # That nobody listens there is told in other words.
        for address in ("http://127.0.0.2:8080/", "http://example.com:8080/"):
            with page.expect_event("requestfailed") as failed:
                page.evaluate("address => fetch(address).catch(() => null)", address)
            assert failed.value.failure == "net::ERR_NAME_NOT_RESOLVED"


def test_no_hostile_request_gets_through_by_hand(morning: Morning) -> None:
    before = traces(morning.dagit.ask)
    for way, request in changing("report", morning.dagit.port).items():
        assert 400 <= request.to(morning.dagit.port, Cookie=morning.dagit.cookie).status < 500, way
    assert traces(morning.dagit.ask) == before


def test_without_the_token_there_is_a_page_to_log_in_and_nothing_else(morning: Morning) -> None:
    run = morning.tick["runIds"][0]
    paths = ("/", f"/runs/{run}", f"/logs/{run}/compute_logs/a.err", f"/download_debug/{run}", "/server_info")
    for request in [*map(get, paths), graphql("{ version }")]:
        assert request.to(morning.dagit.port).status == 401
        assert request.to(morning.dagit.port, Cookie=f"calback_{morning.dagit.port}=wrong").status == 401


def test_the_token_is_in_no_log_but_for_the_address_that_opens_dagit(morning: Morning) -> None:
    assert get("/?token=a-wrong-token").to(morning.dagit.port).status == 401
    log = morning.dagit.log.read_text(encoding="utf-8")
    assert log.count(str(morning.dagit.token)) == 1
    assert "a-wrong-token" not in log
