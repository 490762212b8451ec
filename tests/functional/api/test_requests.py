"""What every request gets: an id, a time, one line in the log, and headers that keep browsers in bounds."""

from __future__ import annotations

import logging
import re

import pytest
import webtest
from pyramid.router import Router

from tests.functional.api.shop import Shop, sale

# The grammar that browsers read: https://www.w3.org/TR/server-timing/#the-server-timing-header-field
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
TIMING = re.compile(rf'({TOKEN})(?:;dur=([0-9]+(?:\.[0-9]+)?))?(?:;desc=(?:{TOKEN}|"[^"\\]*"))?')


def timings(header: str) -> dict[str, float]:
    """Return the milliseconds by name, as a browser shows them."""
    metrics = [TIMING.fullmatch(metric) for metric in header.split(", ")]
    assert all(metrics), header
    return {metric[1]: float(metric[2] or 0) for metric in metrics if metric}


class TestRequestId:
    @pytest.mark.parametrize("sent", ["abc-123", "a" * 128, "7f3a:1/x+y=_."])
    def test_is_taken_from_the_client(self, shop: Shop, sent: str) -> None:
        assert shop.call("GET", X_Request_Id=sent).headers["X-Request-Id"] == sent

    @pytest.mark.parametrize("sent", ["", "a" * 129, "a b", "a\tb", "é", "<script>", '"', "a;b", "a%0ab"])
    def test_is_made_where_that_is_no_good(self, shop: Shop, sent: str) -> None:
        got = shop.call("GET", X_Request_Id=sent.encode().decode("latin-1")).headers["X-Request-Id"]

        assert re.fullmatch(r"[0-9a-f]{32}", got)

    def test_is_another_for_every_request(self, shop: Shop) -> None:
        assert shop.call("GET").headers["X-Request-Id"] != shop.call("GET").headers["X-Request-Id"]

    @pytest.mark.parametrize("address", ["/nowhere", "/%ff", "/v1/ledgers?limit=x", "/docs", "/healthz"])
    def test_is_on_every_answer(self, app: webtest.TestApp, address: str) -> None:
        answer = app.get(address, headers={"X-Request-Id": "find-me"}, status="*")

        assert answer.headers["X-Request-Id"] == "find-me"
        assert set(timings(answer.headers["Server-Timing"])) == {"pool", "db", "commit", "app"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# It says how many attempts there were.
@pytest.mark.not_for("faults")
class TestLog:
    def lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "myapp.requests"]

    def test_has_one_line_for_a_request(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        with caplog.at_level(logging.INFO):
            shop.call("POST", "transactions", sale(), X_Request_Id="a", traceparent=f"00-{trace}-00f067aa0ba902b7-01")

        (line,) = self.lines(caplog)
        assert line.startswith(f"method=POST route=transactions path={shop.path}/transactions status=201 ms=")
        assert line.endswith(f" attempts=1 request_id=a trace_id={trace}")

    def test_says_key_by_key_what_the_request_did(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            shop.call("POST", "transactions", sale(), X_Request_Id="x=1:/+")

        fields = dict(field.split("=", 1) for field in self.lines(caplog)[0].split())
        assert list(fields) == [
            "method", "route", "path", "status", "ms", "pool_ms", "db_ms", "commit_ms", "statements", "rows",
            "attempts", "request_id", "trace_id",
        ]  # fmt: skip
        assert (int(fields["statements"]) > 0, fields["request_id"], fields["trace_id"]) == (True, "x=1:/+", "-")
        assert 0 < float(fields["db_ms"]) <= float(fields["ms"])

    def test_cannot_be_forged_by_an_address(self, app: webtest.TestApp, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            app.get("/a%0aGET%20/forged%20200", status=404)
            app.get("/%ff%0a", status=400)

        assert [line.split()[:4] for line in self.lines(caplog)] == [
            ["method=GET", "route=-", "path=/a%0AGET%20/forged%20200", "status=404"],
            ["method=GET", "route=-", "path=/%FF%0A", "status=400"],
        ]

    @pytest.mark.parametrize(
        "sent", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-" + "A" * 32 + "-b7-01"]
    )
    def test_names_no_trace_that_is_none(self, shop: Shop, caplog: pytest.LogCaptureFixture, sent: str) -> None:
        with caplog.at_level(logging.INFO):
            shop.call("GET", traceparent=sent)

        assert self.lines(caplog)[0].endswith(" trace_id=-")

    def test_has_no_more_of_a_method_than_any_real_one_is_long(
        self, wsgi_app: Router, caplog: pytest.LogCaptureFixture
    ) -> None:
        # WebTest's own checks know the real methods only.
        app = webtest.TestApp(wsgi_app, lint=False)
        with caplog.at_level(logging.INFO):
            refused = app.request("/healthz", method="\x1b" + "M" * 5000, status=405)

        assert refused.json["detail"].endswith(f" not \x1b{'M' * 19}.")
        assert self.lines(caplog)[0].startswith(f"method=%1B{'M' * 19} route=healthz path=/healthz status=405 ")

    def test_has_no_secrets(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            shop.call("GET", "?after=secret-parameter", Authorization="Bearer secret-key")

        assert "secret" not in caplog.text
