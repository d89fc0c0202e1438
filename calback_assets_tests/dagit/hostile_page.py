"""A page of another origin, and all that its script does to a Dagit that the same browser is logged in to."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext

from calback_assets_tests.dagit.server import LOCATION, REPOSITORY

CHANGING = ("image", "script", "form", "form_of_text", "fetch_get", "fetch_post", "report")
"""The ways in which the page tries to change something, by which it marks what it changed."""
READING = ("fetch_read", "fetch_json", "websocket")
"""The ways in which it tries to read something."""
MARK_OF_DAGIT = 'id="initialization-data"'
"""What every page of Dagit has, and no page of a browser that refuses to show it."""

_LAUNCH = {
    "selector": {
        "repositoryLocationName": LOCATION,
        "repositoryName": REPOSITORY,
        "jobName": "daily_metrics",
        "assetSelection": [{"path": ["raw_users"]}],
    },
    "runConfigData": "{}",
}
_TRACES = """{ instance { concurrencyLimits { concurrencyKey } }
    assetsOrError { ... on AssetConnection { nodes { key { path } } } }
    runsOrError { ... on Runs { results { id } } } }"""
_SCRIPT = """async ({target, launch}) => {
    const mutation = way => `mutation($launch: ExecutionParams!) {
        setConcurrencyLimit(concurrencyKey: "${way}", limit: 1) launchRun(executionParams: $launch) { __typename } }`;
    const variables = encodeURIComponent(JSON.stringify({launch}));
    const address = way => `${target}/graphql?query=${encodeURIComponent(mutation(way))}&variables=${variables}`;
    const loaded = element => new Promise(done => {
        element.onload = element.onerror = done;
        document.body.append(element);
    });
    const submitted = (way, enctype) => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.name = way;
        document.body.append(frame);
        frame.onload = done;
        const form = document.createElement("form");
        Object.assign(form, {method: "post", action: address(way), enctype, target: way});
        document.body.append(form);
        form.submit();
    });
    const element = (name, fields) => Object.assign(document.createElement(name), fields);
    const blind = {mode: "no-cors", credentials: "include"};
    const silent = promise => promise.catch(() => null);
    await loaded(element("img", {src: address("image")}));
    await loaded(element("script", {src: address("script")}));
    await submitted("form", "application/x-www-form-urlencoded");
    await submitted("form_of_text", "text/plain");
    await silent(fetch(address("fetch_get"), blind));
    await silent(fetch(address("fetch_post"), {...blind, method: "POST", body: "a"}));
    await silent(fetch(`${target}/report_asset_materialization/report`, {...blind, method: "POST"}));
    await loaded(element("iframe", {src: `${target}/runs`, name: "shown"}));
    const read = (path, options) =>
        fetch(target + path, {credentials: "include", ...options}).then(answer => answer.text()).catch(() => null);
    const socket = new Promise(done => {
        const opened = new WebSocket(`${target.replace("http", "ws")}/graphql`, "graphql-ws");
        const query = 'subscription { pipelineRunLogs(runId: "a") { __typename } }';
        opened.onopen = () => opened.send(JSON.stringify({type: "start", id: "1", payload: {query}}));
        opened.onmessage = message => done(message.data);
        opened.onerror = opened.onclose = () => done(null);
    });
    return {
        fetch_read: await read("/server_info", {}),
        fetch_json: await read("/graphql", {
            method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({query: "{ version }"}),
        }),
        websocket: await socket,
    };
}"""


class _Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Hostile</title><body>")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def foreign_site() -> Iterator[int]:
    """The port of a web server of somebody else's, with one empty page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def attack(context: BrowserContext, site: str, target: str) -> tuple[dict[str, str | None], str]:
    """What a page of the site reads of the target by each of `READING`, and what its frame of the target shows."""
    page = context.new_page()
    try:
        page.goto(site)
        # Playwright hears of the frame from another process than of the script, and so sooner or later than that ends.
        with page.expect_event("framenavigated", lambda frame: frame.name == "shown") as navigated:
            told: dict[str, str | None] = page.evaluate(_SCRIPT, {"target": target, "launch": _LAUNCH})
        return told, navigated.value.content()
    finally:
        page.close()


def traces(ask: Callable[[str], dict[str, Any]]) -> set[str]:
    """By which of `CHANGING` something was changed, and the ids of all runs."""
    data = ask(_TRACES)
    limits = {limit["concurrencyKey"] for limit in data["instance"]["concurrencyLimits"]}
    assets = {"/".join(node["key"]["path"]) for node in data["assetsOrError"]["nodes"]}
    runs = {run["id"] for run in data["runsOrError"]["results"]}
    return limits | (assets & set(CHANGING)) | runs


def answered(body: bytes) -> dict[str, Any]:
    """The data of a GraphQL answer."""
    data: dict[str, Any] = json.loads(body)["data"]
    return data
