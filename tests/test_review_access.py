"""Who may talk to the server of `make review`: this machine, who has the address, and the page itself; and what it gives and takes."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from tests import review_site
from tests.review_site import Site, status


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with review_site.running(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_only_this_machine_can_connect(site: Site) -> None:
    addresses = [each.laddr.ip for each in psutil.Process(site.process.pid).net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert addresses == ["127.0.0.1"]
    rebound = urllib.request.Request(site.address, headers={"Host": "evil.example"})
    assert status(rebound) == 400


def test_only_who_has_the_address_can_listen_or_edit(site: Site) -> None:
    token = site.address.split("/")[-2]
    paths = [
        "",
        "config",
        "gradio_api/file=x",
        "gradio_api/queue/join",
        "x/" + token,
        token,
        token[:-1] + "/",
        token[:-1] + ("1/" if token.endswith("0") else "0/"),
        token.upper() + "/",
    ]
    assert {path: status(urllib.request.Request(site.origin + path)) for path in paths} == dict.fromkeys(paths, 401)
    assert status(urllib.request.Request(site.address)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_foreign_pages_are_refused(site: Site, headers: dict[str, str]) -> None:
    for path, data in (("", None), ("gradio_api/queue/join", b"{}")):
        assert status(urllib.request.Request(site.address + path, data=data, headers=headers)) == 403


def test_no_other_page_may_frame_it(site: Site) -> None:
    for path in ("", "config", "assets/none.js"):
        try:
            answer = urllib.request.urlopen(site.address + path, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        assert answer.headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["gradio_api/upload", "upload", "gradio_api/upload/", "gradio_api/process_recording", "gradio_api/component_server", "login"]
)
def test_no_file_can_be_sent(site: Site, path: str) -> None:
    copies = site.folder / ".cache"
    before = sorted(copies.rglob("*"))
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.html"\r\n\r\n<script>\r\n--x--\r\n'
    request = urllib.request.Request(site.address + path, data=form, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert status(request) == 403
    assert sorted(copies.rglob("*")) == before


def test_a_large_request_is_refused_before_it_is_read(site: Site) -> None:
    connection = http.client.HTTPConnection(site.origin.split("/")[2], timeout=30)
    connection.putrequest("POST", f"/{site.address.split('/')[-2]}/gradio_api/queue/join")
    connection.putheader("Content-Length", str(2 << 20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("path", ["notes/page.html", "c.csv", "data/transcripts/manifest.jsonl", "params.yaml", "/etc/passwd"])
def test_only_opened_sounds_can_be_fetched(site: Site, path: str) -> None:
    assert status(urllib.request.Request(f"{site.address}gradio_api/file={site.folder / path}")) == 403
