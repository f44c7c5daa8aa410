# SPDX-License-Identifier: Apache-2.0
"""Routes and headers by where clients are, with databases that the test makes."""
import pytest

from lib import curl, mmdb
from lib.configs import listener, pool
from lib.netns import BACKEND, CLIENT
from lib.process import wait_until
from lib.web import Web

TRUST = {"trust": [f"{CLIENT}/32"]}


@pytest.fixture
def databases(tmp_path):
    return [str(mmdb.write(tmp_path / "country.mmdb", {"192.0.2.0/24": mmdb.country("DE", "EU"),
                                                       "2001:db8::/32": mmdb.country("US", "NA")})),
            str(mmdb.write(tmp_path / "asn.mmdb", {"192.0.2.0/24": mmdb.system(64500, "Example")}))]


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


def config(web, databases):
    routes = [{"match": {"country": ["DE", "FR"]}, "respond": {"status": 200, "body": "europe"}},
              {"match": {"continent": "NA"}, "respond": {"status": 200, "body": "america"}}]
    return {"geo": {"databases": databases}, "pools": [pool(web)],
            "listeners": [listener(mode="http", forwarding=TRUST, routes=routes)]}


def ask(net, client):
    return curl.ask(net.client, "/", "-H", f"X-Forwarded-For: {client}")


def test_requests_go_by_country_and_continent_of_their_client(net, sluice, web, databases):
    sluice.start(config(web, databases))
    assert ask(net, "192.0.2.7").body == b"europe"
    assert ask(net, "::ffff:192.0.2.7").body == b"europe"
    assert ask(net, "2001:db8::7").body == b"america"
    assert ask(net, "203.0.113.7").body not in (b"europe", b"america")


def test_a_reload_takes_the_file_that_has_taken_its_place(net, sluice, web, databases):
    sluice.start(config(web, databases))
    mmdb.write(databases[0], {"203.0.113.0/24": mmdb.country("FR", "EU")})
    sluice.ctl("reload")
    assert ask(net, "203.0.113.7").body == b"europe"
    assert ask(net, "192.0.2.7").body != b"europe"


def is_in_europe(net, client):
    return ask(net, client).body == b"europe"


FRANCE = {"203.0.113.0/24": mmdb.country("FR", "EU")}


def test_a_file_that_takes_the_place_of_another_is_loaded_by_itself(net, sluice, web, databases):
    sluice.start(config(web, databases))
    mmdb.write(databases[0], FRANCE)
    wait_until(lambda: is_in_europe(net, "203.0.113.7"), 15, "the new file is in force")
    assert not is_in_europe(net, "192.0.2.7")


def test_a_file_that_is_written_over_is_loaded_by_itself(net, sluice, web, databases):
    sluice.start(config(web, databases))
    with open(databases[0], "wb") as file:
        file.write(mmdb.database(FRANCE))
    wait_until(lambda: is_in_europe(net, "203.0.113.7"), 15, "the new content is in force")


def test_a_broken_file_leaves_the_one_before_in_force_until_a_good_one_comes(net, sluice, web, databases):
    sluice.start(config(web, databases))
    with open(databases[0], "wb") as file:
        file.write(b"no database")
    refused = f"{databases[0]}: is not a database"
    wait_until(lambda: refused in sluice.process.stderr(), 15, "the file is refused")
    assert is_in_europe(net, "192.0.2.7")
    mmdb.write(databases[0], FRANCE)
    wait_until(lambda: is_in_europe(net, "203.0.113.7"), 15, "the good file is in force")
    assert sluice.process.stderr().count(refused) == 1


def test_databases_that_a_reload_brings_are_looked_after_too(net, sluice, web, databases):
    with_databases = config(web, databases)
    without = config(web, databases)
    del without["geo"]
    without["listeners"][0]["routes"] = []
    sluice.start(without)
    sluice.reload(with_databases)
    assert is_in_europe(net, "192.0.2.7")
    mmdb.write(databases[0], FRANCE)
    wait_until(lambda: is_in_europe(net, "203.0.113.7"), 15, "the new file is in force")


def test_sluicectl_shows_what_holds_of_addresses_and_who_says_so(net, sluice, web, databases):
    sluice.start(config(web, databases))
    result = sluice.ctl_json("geo", "192.0.2.7", "::ffff:192.0.2.7", "203.0.113.7")
    assert [(row["path"], row["built"]) for row in result["databases"]] == [
        (path, "2023-11-14T22:13:20.000000Z") for path in databases]
    facts = {"country": "DE", "continent": "EU", "asn": 64500, "organisation": "Example"}
    known, mapped, unknown = result["addresses"]
    for row in (known, mapped):
        assert {key: row[key] for key in facts} == facts
        assert [(by["path"], by["country"], by["asn"]) for by in row["databases"]] == [
            (databases[0], "DE", 0), (databases[1], "", 64500)]
    assert unknown == {"address": "203.0.113.7", "country": "", "continent": "", "asn": 0,
                       "organisation": "", "databases": []}
    text = sluice.ctl("geo", "192.0.2.7")
    assert "AS64500  Example" in text and databases[1] in text and "2023-11-14" in text
    assert databases[0] in sluice.ctl("geo")


def test_sluicectl_refuses_what_is_no_address_and_tells_of_no_databases(net, sluice, web, databases):
    without = config(web, databases)
    del without["geo"]
    without["listeners"][0]["routes"] = []
    sluice.start(without)
    done = sluice.ctl("geo", "192.0.2.7/32", check=False)
    assert done.returncode == 2 and "'192.0.2.7/32' is not an address" in done.stderr
    done = sluice.ctl("geo", "192.0.2.7", check=False)
    assert done.returncode == 1 and "the configuration has no geo.databases" in done.stderr
