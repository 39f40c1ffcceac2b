"""Static files: addresses that follow the content, and vendored files that are what they claim to be."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from flask import Flask

from tests.support.browsing import Browser
from webapp import ROOT
from webapp.web.static_files import FOR_EVER, content_hash

VENDOR = ROOT / "static" / "vendor"
LOCK = json.loads((VENDOR / "vendor.lock").read_text())
FIRST_LOAD_LIMIT = 200_000


def test_every_file_of_a_page_is_kept_for_ever_under_its_hash(browser: Browser) -> None:
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', browser.get("/login").text)

    assert len(addresses) >= 5
    for address in addresses:
        response = browser.get(address)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == FOR_EVER
        assert hashlib.sha256(response.data).hexdigest().startswith(address.split("/")[2])
        response.close()


def test_an_old_hash_answers_with_the_present_file_and_is_not_kept(browser: Browser) -> None:
    response = browser.get("/assets/0000000000000000/site.css")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"
    response.close()


@pytest.mark.parametrize("path", ["nothing.css", "../wsgi.py", "..%2fwsgi.py", "vendor"])
def test_what_is_not_a_static_file_is_not_found(browser: Browser, path: str) -> None:
    assert browser.get(f"/assets/0000000000000000/{path}").status_code == 404


def test_a_changed_file_gets_another_address(app: Flask, tmp_path: Path) -> None:
    app.static_folder = str(tmp_path)
    file = tmp_path / "some.css"
    with app.app_context():
        file.write_text("a {}")
        before = content_hash("some.css")
        file.write_text("b {color: red}")
        assert content_hash("some.css") != before


def test_vendored_files_are_those_of_the_lock() -> None:
    locked = {path: digest for entry in LOCK for path, digest in entry["files"].items()}
    present = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendor.lock"
    }

    assert present == locked


@pytest.mark.parametrize("entry", LOCK, ids=lambda entry: entry["name"])
def test_a_vendored_library_says_its_version_and_brings_its_licence(entry: dict[str, object]) -> None:
    folder = f"{entry['name']}@{entry['version']}"

    assert entry["licence"]
    assert any(Path(path).name.startswith("LICENSE") for path in entry["files"])  # type: ignore[attr-defined]
    assert all(path.startswith(f"{folder}/") for path in entry["files"])  # type: ignore[attr-defined]


def test_the_first_load_stays_light(browser: Browser) -> None:
    page = browser.get("/login")
    sizes = [len(page.data)]
    for address in set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)):
        response = browser.get(address)
        sizes.append(len(response.data))
        response.close()

    assert sum(sizes) < FIRST_LOAD_LIMIT
