"""What other pages and programs send to Dagster's web application, and what it leaves behind where it gets through.

Everything here is known to work on the application alone; the tests say so before they say that the guard refuses it.
"""

import json
from urllib.parse import quote

from dagster import AssetCheckKey, AssetKey, DagsterInstance

from calback_assets_tests.web.served import Request

JSON = {"Content-Type": "application/json"}


def mutation(trace: str) -> str:
    """A change of the instance that needs no definitions and is named by its trace."""
    return f'mutation {{ setConcurrencyLimit(concurrencyKey: "{trace}", limit: 1) }}'


def graphql(query: str) -> Request:
    """A query as Dagit sends it."""
    return Request("POST", "/graphql", JSON, json.dumps({"query": query}).encode())


def in_the_address(trace: str) -> str:
    return f"/graphql?query={quote(mutation(trace))}"


def changing(trace: str, port: int) -> dict[str, Request]:
    """Requests that change something, by what is hostile in them."""
    as_dagit = graphql(mutation(trace))

    def with_head(**headers: str) -> Request:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request("POST", "/graphql", {**JSON, **named}, as_dagit.body)

    def typed(content_type: str, target: str, body: bytes) -> Request:
        return Request("POST", target, {"Content-Type": content_type}, body)

    return {
        "a mutation by GET": Request("GET", in_the_address(trace), {}),
        "a mutation by GET for an image": Request("GET", in_the_address(trace), {"Accept": "image/*,*/*;q=0.8"}),
        "a form": typed("application/x-www-form-urlencoded", in_the_address(trace), b"a=1"),
        "a form of text": typed("text/plain", in_the_address(trace), b"a=1"),
        "a form with a file": typed("multipart/form-data; boundary=x", in_the_address(trace), b"--x--"),
        "nothing in the body": Request("POST", in_the_address(trace), {}),
        "a bare query": typed("application/graphql", "/graphql", mutation(trace).encode()),
        "text that names JSON": typed("text/plain; application/json", "/graphql", as_dagit.body or b""),
        "a foreign host": with_head(Host=f"rebound.example:{port}"),
        "a foreign host that looks like ours": with_head(Host=f"127.0.0.1.rebound.example:{port}"),
        "the origin of a site": with_head(Origin="https://hostile.example"),
        "the origin of another port": with_head(Origin=f"http://127.0.0.1:{port + 1}"),
        "the origin of another name of this machine": with_head(Origin=f"http://localhost:{port}"),
        "the origin of a page without one": with_head(Origin="null"),
        "a browser's word that it is of another site": with_head(Sec_Fetch_Site="cross-site"),
        "a browser's word that it is of another port": with_head(Sec_Fetch_Site="same-site"),
        "a link that posts": with_head(
            Origin="null", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document"
        ),
        "a materialization": Request("POST", f"/report_asset_materialization/{trace}", {}),
        "a materialization as JSON": Request("POST", f"/report_asset_materialization/{trace}", JSON, b"{}"),
        "an observation": Request("POST", f"/report_asset_observation/{trace}", {}),
        "a check": Request("POST", f"/report_asset_check/{trace}?check_name=c&passed=true", {}),
    }


def left(instance: DagsterInstance, trace: str) -> bool:
    """Whether something was changed under this name."""
    storage = instance.event_log_storage
    return (
        trace in storage.get_concurrency_keys()
        or storage.has_asset_key(AssetKey(trace))
        or bool(storage.get_asset_check_execution_history(AssetCheckKey(AssetKey(trace), "c"), limit=1))
    )
