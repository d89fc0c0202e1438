"""The one browser that tests drive: Debian's Chromium without a window, skipped where it is missing, but not in CI.

It is the build that Playwright itself drives, and takes a tenth less time than the whole browser told to show nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium-headless-shell")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, until its tests are over."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is missing; install it: apt-get install {CHROMIUM.name}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                # Chromium refuses its sandbox to root, and phones home on its own account unless told not to.
                *("--no-sandbox", "--disable-background-networking", "--disable-component-update"),
                # Nor do pages get anywhere but to us. Playwright's own way, a route, would end caching, too.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ],
        )
        yield browser
        browser.close()


@contextmanager
def quiet(window: Page) -> Iterator[Page]:
    """A window as if it were new, whose pages say nothing on the console, and ask for nothing but files of ours.

    One that is new starts two more processes beside that of its page.
    """
    said: list[str] = []
    listeners = {
        "console": lambda message: said.append(message.text),
        "pageerror": lambda error: said.append(str(error)),
        "request": lambda asked: None if asked.url.startswith(("file:", "blob:")) else said.append(asked.url),
    }
    window.set_viewport_size({"width": 1440, "height": 900})
    window.emulate_media(media="null", color_scheme="null")
    for event, listener in listeners.items():
        window.on(event, listener)  # type: ignore[call-overload]
    yield window
    window.goto("about:blank")
    for event, listener in listeners.items():
        window.remove_listener(event, listener)
    assert said == []
