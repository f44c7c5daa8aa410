# SPDX-License-Identifier: Apache-2.0
"""Requests as spans: what the backend learns of the trace, and what the collector gets."""
import json
import re

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND, CLIENT
from lib.process import wait_until
from lib.web import Web, answer, field

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
COLLECTOR = ("127.0.0.1", 4318)


class Collector:
    def __init__(self, namespace, status="200 OK"):
        self.posts, self.status = [], status
        self.web = Web(namespace, COLLECTOR)
        self.web.on("/v1/traces", self._take)

    def _take(self, sock, message):
        assert message.get("content-type") == "application/json"
        self.posts.append(json.loads(message.body))
        answer(sock, b"{}", self.status)
        return False

    def spans(self):
        return [span for post in self.posts for resource in post["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def close(self):
        self.web.close()


def attributes(span):
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


@pytest.fixture
def serve(net, sluice, keep):
    def start(tracing=None, trust=()):
        web = keep(Web(net.backend, (BACKEND, 7000)))
        forwarding = {"trust": list(trust)} if trust else {}
        routes = [{"name": "api", "match": {"path_prefix": ["/api"]}, "pool": "main"}]
        front = listener(mode="http", forwarding=forwarding, routes=routes)
        sluice.start({"listeners": [front], "pools": [pool(web)],
                      **({"tracing": tracing} if tracing else {})})
        return lambda path="/api/x?q=1", *argv: curl.ask(net.client, path, *argv)
    return start


TO_COLLECTOR = {"collector": "127.0.0.1:4318", "service": "edge"}


def test_a_request_is_a_span(net, serve, keep):
    collector = keep(Collector(net.proxy))
    got = serve(TO_COLLECTOR)()
    wait_until(collector.spans, 10, "a span")
    span, = collector.spans()
    facts = attributes(span)
    assert field(got, "traceparent") == f"00-{span['traceId']}-{span['spanId']}-01"
    assert "parentSpanId" not in span and span["kind"] == 2 and span["name"] == "GET"
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 10 ** 18
    assert facts["url.path"] == "/api/x" and facts["url.query"] == "q=1"
    assert facts["http.response.status_code"] == "200" and facts["client.address"] == CLIENT
    assert facts["sluice.route"] == "api" and facts["sluice.endpoint"] == f"{BACKEND}:7000"
    resource = collector.posts[0]["resourceSpans"][0]["resource"]["attributes"]
    assert resource == [{"key": "service.name", "value": {"stringValue": "edge"}}]


@pytest.mark.parametrize("flags, recorded", [("01", True), ("00", False)])
def test_a_trusted_proxy_s_trace_goes_on_as_it_decided(net, serve, keep, sluice, flags, recorded):
    collector = keep(Collector(net.proxy))
    ask = serve(TO_COLLECTOR, trust=["10.77.1.0/24"])
    got = ask("/api", "-H", f"traceparent: 00-{TRACE}-{PARENT}-{flags}")
    assert re.fullmatch(f"00-{TRACE}-(?!{PARENT})[0-9a-f]{{16}}-{flags}", field(got, "traceparent"))
    ask("/api")  # begins a trace, which is recorded
    wait_until(lambda: len(collector.spans()) >= 1 + recorded, 10, "the spans")
    assert {span.get("parentSpanId") for span in collector.spans()} == ({PARENT, None} if recorded else {None})


def test_a_client_s_own_trace_is_not_believed(net, serve, keep):
    collector = keep(Collector(net.proxy))
    got = serve(TO_COLLECTOR)("/api", "-H", f"traceparent: 00-{TRACE}-{PARENT}-01")
    assert TRACE not in field(got, "traceparent")
    wait_until(collector.spans, 10, "a span")
    assert "parentSpanId" not in collector.spans()[0]


def test_without_tracing_the_field_passes(serve):
    given = f"00-{TRACE}-{PARENT}-01"
    assert field(serve()("/api", "-H", f"traceparent: {given}"), "traceparent") == given


def test_nothing_is_sampled_at_zero(net, serve, sluice):
    got = serve({**TO_COLLECTOR, "sample": "0%"})()
    assert field(got, "traceparent").endswith("-00")
    assert 'sluice_tracing_spans_total{result="failed"} 0' in sluice.ctl("metrics")


@pytest.mark.parametrize("status", [None, "503 Busy"])
def test_a_collector_that_takes_nothing_costs_spans_alone(net, serve, keep, sluice, status):
    if status:
        keep(Collector(net.proxy, status))
    ask = serve(TO_COLLECTOR)
    assert ask().status == 200 and ask("/none").status == 200
    wait_until(lambda: 'sluice_tracing_spans_total{result="failed"} 2' in sluice.ctl("metrics"), 10,
               "both spans are given up")
    assert sluice.process.stderr().count("spans are lost") == 1
