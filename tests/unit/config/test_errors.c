// SPDX-License-Identifier: Apache-2.0
/* Every message that a wrong file can bring, word for word, with its place. */
#include "config/config.h"
#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* A listener and a pool without errors, and such with something to be wrong. */
#define L                 "listeners: [{name: l, bind: ':80', pool: p}]\n"
#define H                 "listeners: [{name: l, bind: ':80', mode: http, pool: p}]\n"
#define P                 "pools: [{name: p, endpoints: ['10.0.0.1:1']}]\n"
#define LISTENER(options) "listeners: [{name: l, bind: ':80', pool: p" options "}]\n"
#define POOL(options)     "pools: [{name: p, endpoints: ['10.0.0.1:1']" options "}]\n"
#define BINDS(list)       "listeners: [{name: l, bind: [" list "], pool: p}]\n"
#define ROUTES(list)      "listeners: [{name: l, bind: ':80', routes: [" list "]}]\n"
#define HTTP_ROUTES(list) "listeners: [{name: l, bind: ':80', mode: http, routes: [" list "]}]\n"
#define DISPATCH(bind, options) \
	"listeners: [{name: l, mode: dispatch, bind: " bind ", pool: p, dispatch: " options "}]\n"
#define MAGLEV(options) \
	"pools: [{name: p, balance: maglev, endpoints: ['10.0.0.1:1']" options "}]\n"
#define BY_PLACE(routes)                                                                 \
	"geo: {databases: /x}\n"                                                         \
	"listeners: [{name: l, mode: dispatch, bind: '10.1.0.1:80', pool: p, dispatch: " \
	"{forward: l2}, routes: [" routes "]}]\n" MAGLEV("")
#define ENDPOINTS(list) "pools: [{name: p, endpoints: [" list "]}]\n"
#define TEN             "aaaaaaaaaa"
#define HUNDRED         TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text;
	const char *errors; /* lines without "t:" */
} cases[] = {
	/* The guard */
	{"guard: {mode: on}\n" L P,
	 "1:15: mode: \"on\" is unknown; expected one of off, monitor, enforce\n"},
	{"guard: {source: {packets: many}}\n" L P,
	 "1:27: packets: \"many\" is not a number; expected a number from 0 to 100000000\n"},
	{"guard: {amplification: [53, 70000]}\n" L P,
	 "1:29: amplification: \"70000\" is out of range; expected a number from 1 to 65535\n"},
	{"guard: {block: ''}\n" L P, "1:16: block: \"\" is empty; expected a path\n"},
	{"guard: {burst: 1ms}\n" L P,
	 "1:16: burst: \"1ms\" is out of range; expected a duration such as 250ms, from 10ms to "
	 "1m\n"},
	{LISTENER(", guard: {syns: -1}") P,
	 "1:59: syns: \"-1\" is not a number; expected a number from 0 to 100000000\n"},

	/* What TLS can do for HTTP alone */
	{"listeners: [{name: l, bind: ':80', pool: p, tls: {certificates: [a], early_data: 1KiB, "
	 "host_check: sni}}]\n" P,
	 "1:82: early_data is not for mode tcp; expected mode http with it\n"
	 "1:100: host_check is not for mode tcp; expected mode http with it\n"},
	{"listeners: [{name: l, mode: http, bind: ':80', pool: p, tls: {certificates: [a], "
	 "early_data: "
	 "1KiB, tickets: false}}]\n" P,
	 "1:94: early_data: nobody can resume without tickets; expected tickets: true\n"},

	/* Endpoints that are listeners */
	{L ENDPOINTS("'10.0.0.1:1', '127.0.0.1:80'"),
	 "2:45: address: \"127.0.0.1:80\" is listener l, which sends back here: a loop; expected "
	 "another server\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:8000-8010', mode: http, pool: p}]\n" ENDPOINTS(
		 "{address: '10.0.0.1:8010'}"),
	 "2:41: address: \"10.0.0.1:8010\" is listener l, which sends back here: a loop; expected "
	 "another server\n"},
	{"listeners: [{name: l, bind: 'unix:/l', pool: p}]\n" ENDPOINTS("'unix:/l'"),
	 "2:31: address: \"unix:/l\" is listener l, which sends back here: a loop; expected "
	 "another server\n"},
	{"listeners: [{name: a, bind: '10.0.0.1:1', pool: b}, {name: b, bind: '10.0.0.1:2', pool: "
	 "a}]\n"
	 "pools: [{name: a, endpoints: ['10.0.0.1:1']}, {name: b, endpoints: ['10.0.0.1:2']}]\n",
	 "2:31: address: \"10.0.0.1:1\" is listener a, which sends back here: a loop; expected "
	 "another server\n"
	 "2:69: address: \"10.0.0.1:2\" is listener b, which sends back here: a loop; expected "
	 "another server\n"},

	/* Mode dispatch */
	{DISPATCH("'10.1.0.1:80'", "{source: 10.2.0.1, source_ports: 9-8, gue_port: 0}") MAGLEV(""),
	 "1:112: source_ports: \"9-8\" has a range that ends before it begins; expected ports such "
	 "as 10000-32767\n"
	 "1:127: gue_port: \"0\" is out of range; expected a number from 1 to 65535\n"},
	{DISPATCH("':53/udp'", "{forward: ipip}") MAGLEV(""),
	 "1:45: bind: \":53/udp\" is every address, which mode dispatch does not take; expected "
	 "the service's own\n"},
	{DISPATCH("'unix:/x'", "{forward: ipip}") MAGLEV(""),
	 "1:45: bind: \"unix:/x\" is a unix socket, which mode dispatch does not take; expected "
	 "an IP address\n"
	 "1:62: pool: \"p\" has an endpoint of another family; expected the listener's\n"},
	{DISPATCH("['10.1.0.1:80', '[fd00::1]:80']", "{forward: ipip}") MAGLEV(""),
	 "1:61: bind: \"[fd00::1]:80\" is of another family than the first; expected a listener "
	 "for each\n"},
	{DISPATCH("'10.1.0.1:80', tls: {certificates: [a]}, keepalive: 1s", "{forward: l2}")
		 MAGLEV(""),
	 "1:65: tls is not for mode dispatch; expected none\n"
	 "1:97: keepalive is not for mode dispatch; expected none\n"},
	{DISPATCH("'10.1.0.1:80'", "{}") MAGLEV(""),
	 "1:79: 0 source addresses in dispatch; forward: nat wants one to eight addresses of ours "
	 "towards the endpoints\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: gue, source: [10.0.0.1, 10.0.0.2]}") MAGLEV(""),
	 "1:102: 2 source addresses in dispatch; forward: gue takes one at most\n"},
	{DISPATCH("'10.1.0.1:80', guard: {syn_cookie_threshold: 5}", "{forward: l2}") MAGLEV(""),
	 "1:90: syn_cookie_threshold is for forward: nat, where answers come by us; expected none, "
	 "or a limit of syns\n"},
	{DISPATCH("'10.1.0.1:80'", "{source: '::1'}") MAGLEV(""),
	 "1:88: source has an address of another family than bind; expected the same\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: dnat, source: 10.0.0.1}") MAGLEV(""),
	 "1:103: 1 source addresses in dispatch; forward: dnat keeps the client's\n"},
	{DISPATCH("['10.1.0.1:80', '10.1.0.2:80']", "{forward: dnat}") MAGLEV(""),
	 "1:83: pool: \"p\" has an endpoint of which two services of forward: dnat would get "
	 "answers from one port; expected another port for each, or another forward\n"},
	{DISPATCH("['10.1.0.1:1-8', '10.1.0.2:8']",
		  "{forward: dnat}") "pools: [{name: p, balance: maglev, endpoints: "
				     "['10.0.0.1:8']}]\n",
	 "1:83: pool: \"p\" has an endpoint of which two services of forward: dnat would get "
	 "answers from one port; expected another port for each, or another forward\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: l2}") P,
	 "1:66: pool: \"p\" has a balance that mode dispatch does not have; expected maglev, "
	 "source or least_conn\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: l2}") MAGLEV(", proxy_protocol: v2"),
	 "1:66: pool: \"p\" has proxy_protocol, which mode dispatch does not do; expected none\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: l2}") MAGLEV(", nearest: true"),
	 "2:72: nearest: there is nothing to look clients up in; expected geo.databases\n"
	 "2:72: nearest: no endpoint has a location; expected one that has\n"},
	{BY_PLACE("{match: {sni: [a.b], country: [DE], port: [1]}, pool: p}"),
	 "2:117: sni is not for mode dispatch; expected a condition of country, continent, asn\n"
	 "2:145: port is not for mode dispatch; expected a condition of country, continent, asn\n"},
	{BY_PLACE("{match: {}, pool: p}, {pool: p}"),
	 "2:111: a route of mode dispatch has no conditions; expected country, continent or asn\n"
	 "2:125: a route of mode dispatch has no conditions; expected country, continent or asn\n"},
	{BY_PLACE("{match: {asn: [1]}, deny: 403}"),
	 "2:129: deny is not for routes of mode dispatch; expected match and pool\n"},
	{"geo: {databases: /x}\n" DISPATCH(
		 "'10.1.0.1:80'", "{forward: l2}, routes: [{match: {asn: [1]}, pool: other}]") //
	 "pools: [{name: p, balance: maglev, endpoints: ['10.0.0.1:1']}, {name: other, balance: "
	 "source, endpoints: ['10.0.0.2:1']}]\n",
	 "2:129: pool: \"other\" has another balance than the listener's own pool; expected the "
	 "same\n"},
	{"geo: {databases: /x}\n" DISPATCH(
		 "'10.1.0.1:80'", "{forward: l2}, routes: [{match: {asn: [1]}, pool: other}]") //
	 "pools: [{name: p, balance: maglev, endpoints: ['10.0.0.1:1']}, {name: other, balance: "
	 "maglev, endpoints: ['[::1]:1']}]\n",
	 "2:129: pool: \"other\" has an endpoint of another family; expected the listener's\n"},
	{DISPATCH("'10.1.0.1:80'", "{forward: l2}, routes: [{match: {asn: [1]}, pool: p}]")
		 MAGLEV(""),
	 "1:117: asn: there is nothing to look it up in; expected geo.databases\n"},
	{"listeners: [{name: l, mode: dispatch, bind: '10.1.0.1:80', dispatch: {forward: l2}}]\n" P,
	 "1:13: a listener of mode dispatch has no pool; expected one\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', quic_server_id: 0a1}"),
	 "2:71: quic_server_id: \"0a1\" is not a server id; expected one to eight bytes in "
	 "hexadecimal, such as 0a01\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', quic_server_id: 0a}, '10.0.0.2:1'"),
	 "2:76: quic_server_id is of another length than the first endpoint's; expected all or "
	 "none to have one, of one length\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', quic_server_id: 0a}, {address: '10.0.0.2:1', "
		     "quic_server_id: 0A}"),
	 "2:116: quic_server_id is another endpoint's too; expected one of its own\n"},
	{L ENDPOINTS("{address: 'a:1', resolve: dns, quic_server_id: 0a}"),
	 "2:78: quic_server_id is of a name, which may have several addresses; expected an "
	 "address\n"},
	{LISTENER(", dispatch: {forward: l2}") P,
	 "1:55: dispatch is not for mode tcp; expected mode dispatch with it\n"},
	{"listeners: [{name: l, bind: {a: ':80', b: ':81', c: ':82'}, pool: p}]\n" P,
	 "1:29: bind is a mapping; expected a list\n"},
	{BINDS("':80', ':53/udp'") P, "1:37: bind: \":53/udp\" is UDP, which mode tcp does not "
				      "take; expected mode dispatch with "
				      "it\n"},
	{"listeners: [{name: l, bind: ':80', pool: p}, {name: m, mode: dispatch, bind: "
	 "['10.1.0.1:80', '10.1.0.1:80/udp'], pool: p, dispatch: {forward: l2}}, {name: n, mode: "
	 "dispatch, bind: '10.1.0.1:70-90', pool: p, dispatch: {forward: l2}}]\n" MAGLEV(""),
	 "1:181: bind: \"10.1.0.1:70-90\" clashes with bind \"10.1.0.1:80\" on line 1; expected an "
	 "address that nothing else listens on\n"},

	/* Places */
	{"geo: {databases: /x}\n" ROUTES("{match: {country: [DE, UK], asn: AS0}, pool: p}") P,
	 "2:68: country: \"UK\" is no country (the United Kingdom is GB); expected a code of ISO "
	 "3166 such as DE\n"
	 "2:78: asn: \"AS0\" is out of range; expected a number such as 64500 or AS64500\n"},
	{"geo: {databases: /x}\n" ROUTES("{match: {continent: DE, asn: x}, pool: p}") P,
	 "2:65: continent: \"DE\" is no continent; expected one of AF, AN, AS, EU, NA, OC, SA\n"
	 "2:74: asn: \"x\" is not the number of an autonomous system; expected a number such as "
	 "64500 or AS64500\n"},
	{ROUTES("{match: {country: DE, continent: EU}, pool: p}") P,
	 "1:63: country: there is nothing to look it up in; expected geo.databases\n"
	 "1:78: continent: there is nothing to look it up in; expected geo.databases\n"},

	{"guard: {geo: {block: {country: KP, asn: 1}}}\n" L P,
	 "1:32: country: there is nothing to look it up in; expected geo.databases\n"
	 "1:41: asn: there is nothing to look it up in; expected geo.databases\n"},
	{"geo: {databases: []}\nguard: {geo: {block: {continent: Asia}}}\n" L P,
	 "2:34: continent: \"Asia\" is no continent; expected one of AF, AN, AS, EU, NA, OC, SA\n"
	 "2:34: continent: there is nothing to look it up in; expected geo.databases\n"},
	{"geo: {databases: /x}\nguard: {geo: {allow: {country: DE}}}\n" L P,
	 "2:22: allow makes exceptions from geo.block, and that names no place; what is not "
	 "blocked passes anyway\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', location: {latitude: 90.1, longitude: -180.5}}"),
	 "2:76: latitude: \"90.1\" is out of range; expected degrees from -90 to 90\n"
	 "2:93: longitude: \"-180.5\" is out of range; expected degrees from -180 to 180\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', location: {latitude: 5e1, longitude: '1.'}}"),
	 "2:76: latitude: \"5e1\" is not a number of degrees; expected degrees from -90 to 90\n"
	 "2:92: longitude: \"1.\" is not a number of degrees; expected degrees from -180 to 180\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', location: {latitude: -90, longtude: 0}}"),
	 "2:65: a location has no longitude; expected degrees from -180 to 180\n"
	 "2:81: unknown option \"longtude\" in a location; expected one of latitude, longitude; "
	 "did you mean \"longitude\"?\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', location: [52.52, 13.4]}"),
	 "2:65: a location is a list; expected \"name: value\" pairs\n"},
	{L "pools: [{name: p, nearest: true, endpoints: [{address: '10.0.0.1:1', location: "
	   "{latitude: 0, longitude: 0}}]}]\n",
	 "2:28: nearest: there is nothing to look clients up in; expected geo.databases\n"},
	{"geo: {databases: /x}\n" L POOL(", nearest: true"),
	 "3:55: nearest: no endpoint has a location; expected one that has\n"},

	/* The file as a whole */
	{"", "1:1: the file is empty; expected at least listeners\n"},
	{"# nothing but a comment\n", "1:1: the file is empty; expected at least listeners\n"},
	{"---\n", "1:1: the file is empty; expected at least listeners\n"},
	{"just text\n", "1:1: the file is a single value; expected \"name: value\" pairs\n"},
	{"[1, 2]\n", "1:1: the file is a list; expected \"name: value\" pairs\n"},
	{"a: b: c\n",
	 "1:5: YAML syntax: mapping values are not allowed in this context; expected valid YAML\n"},
	{"a: [1\n", "2:1: YAML syntax: while parsing a flow sequence, did not find expected ',' or "
		    "']'; expected valid YAML\n"},
	{"a: \"\\q\"\n", "1:5: YAML syntax: while parsing a quoted scalar, found unknown escape "
			 "character; expected valid YAML\n"},
	{"\tworkers: 1\n", "1:1: YAML syntax: while scanning for the next token, found character "
			   "that cannot start any token; expected spaces, not a tab\n"},
	{"listeners:\n\t- x\n", "2:1: YAML syntax: while scanning for the next token, found "
				"character that cannot start any token; expected spaces, not a "
				"tab\n"},
	{"# \xc3\xa4\n\tx: 1\n", "2:1: YAML syntax: while scanning for the next token, found "
				 "character that cannot start any token; expected spaces, not a "
				 "tab\n"},
	{"workers: 1\n\xff: 2\n", "2:1: byte 0xff is not UTF-8; expected a file in UTF-8\n"},
	{"workers: \xc3", "1:10: byte 0xc3 is not UTF-8; expected a file in UTF-8\n"},
	{"workers: \x01\n",
	 "1:10: YAML syntax: control characters are not allowed; expected valid YAML\n"},
	{"workers: \"\\0\"\n" L P, "1:10: a NUL byte in the value; expected text\n"},
	{L P "---\nworkers: 1\n", "3:1: a second document begins here; expected one in a file\n"},
	{"workers: &w 1\n" L P, "1:10: anchor \"w\" is not supported; expected the value alone, "
				"written out wherever it is needed\n"},
	{"workers: *w\n" L P,
	 "1:10: alias \"w\" is not supported; expected the value itself, written out\n"},
	{"workers: !!int 1\n" L P,
	 "1:10: tag \"tag:yaml.org,2002:int\" is not supported; expected the value alone\n"},
	{"log: &l {level: info}\n" L P, "1:6: anchor \"l\" is not supported; expected the value "
					"alone, written out wherever it is needed\n"},
	{"workers: 1\nworkers: 2\n" L P,
	 "2:1: duplicate key \"workers\", first on line 1; expected it once\n"},
	{"[a]: 1\n" L P, "1:1: a key that is no word; expected \"name: value\"\n"},
	{"workres: 2\n" L P,
	 "1:1: unknown option \"workres\" in the file; expected one of workers, io, acceleration, "
	 "dispatch, geo, guard, user, group, zone, drain_timeout, log, access_log, tracing, admin, "
	 "limits, "
	 "listeners, "
	 "pools; did "
	 "you mean \"workers\"?\n"},
	{"nonsense: 2\n" L P,
	 "1:1: unknown option \"nonsense\" in the file; expected one of workers, io, acceleration, "
	 "dispatch, geo, guard, user, group, zone, drain_timeout, log, access_log, tracing, admin, "
	 "limits, "
	 "listeners, "
	 "pools\n"},
	{"Workers: 2\n" L P,
	 "1:1: unknown option \"Workers\" in the file; expected one of workers, io, acceleration, "
	 "dispatch, geo, guard, user, group, zone, drain_timeout, log, access_log, tracing, admin, "
	 "limits, "
	 "listeners, "
	 "pools; did "
	 "you mean \"workers\"?\n"},
	{L, "1:42: pool: \"p\" is unknown; expected the name of a pool\n"},
	{P, "1:1: the file has no listeners; expected a list\n"},
	{"listeners: []\n" P, "1:12: listeners is an empty list; expected at least one\n"},
	{"listeners:\n" P, "1:11: listeners has no value; expected a list\n"},
	{"listeners: {}\n" P, "1:12: listeners is a mapping; expected a list\n"},
	{"listeners: [x]\n" P,
	 "1:13: a listener is a single value; expected \"name: value\" pairs\n"},
	{"listeners: [[]]\n" P, "1:13: a listener is a list; expected \"name: value\" pairs\n"},
	{"pools: []\n" L, "2:42: pool: \"p\" is unknown; expected the name of a pool\n"},
	/* Kinds of values */
	{"workers: [1]\n" L P,
	 "1:10: workers is a list; expected auto or a number from 1 to 1024\n"},
	{"workers: {a: 1}\n" L P,
	 "1:10: workers is a mapping; expected auto or a number from 1 to 1024\n"},
	{"workers:\n" L P, "1:9: workers has no value; expected auto or a number from 1 to 1024\n"},
	{"workers: ~\n" L P,
	 "1:10: workers has no value; expected auto or a number from 1 to 1024\n"},
	{"workers: ''\n" L P,
	 "1:10: workers: \"\" is not a number; expected auto or a number from 1 to 1024\n"},
	{"log: info\n" L P, "1:6: log is a single value; expected \"name: value\" pairs\n"},
	{"log: [info]\n" L P, "1:6: log is a list; expected \"name: value\" pairs\n"},
	{LISTENER(", routes: x") P, "1:53: routes is a single value; expected a list\n"},
	{LISTENER(", routes: {pool: p}") P, "1:53: routes is a mapping; expected a list\n"},
	{LISTENER(", proxy_protocol: {accept: {}}") P,
	 "1:70: accept is a mapping; expected a list\n"},
	{"listeners: [{name: l, bind: [], pool: p}]\n" P,
	 "1:29: bind is an empty list; expected at least one\n"},
	{"listeners: [{name: l, bind: [[':80']], pool: p}]\n" P,
	 "1:30: bind is a list; expected an address such as 0.0.0.0:80, [::]:80, *:8000-8010 or "
	 "unix:/run/x.sock\n"},
	/* Numbers, words, units */
	{"workers: 0\n" L P,
	 "1:10: workers: \"0\" is out of range; expected auto or a number from 1 to 1024\n"},
	{"workers: 1025\n" L P,
	 "1:10: workers: \"1025\" is out of range; expected auto or a number from 1 to 1024\n"},
	{"workers: 99999999999999999999\n" L P,
	 "1:10: workers: \"99999999999999999999\" is out of range; expected auto or a number from "
	 "1 to 1024\n"},
	{"workers: -1\n" L P,
	 "1:10: workers: \"-1\" is not a number; expected auto or a number from 1 to 1024\n"},
	{"workers: aut\n" L P, "1:10: workers: \"aut\" is not a number; expected auto or a number "
			       "from 1 to 1024; did you mean \"auto\"?\n"},
	{"io: iouring\n" L P, "1:5: io: \"iouring\" is unknown; expected one of auto, io_uring, "
			      "epoll; did you mean \"io_uring\"?\n"},
	{"io: EPOLL\n" L P, "1:5: io: \"EPOLL\" is unknown; expected one of auto, io_uring, epoll; "
			    "did you mean \"epoll\"?\n"},
	{"io: select\n" L P,
	 "1:5: io: \"select\" is unknown; expected one of auto, io_uring, epoll\n"},
	{"acceleration: {mode: on}\n" L P,
	 "1:22: mode: \"on\" is unknown; expected one of auto, splice, sockmap, off\n"},
	{"log: {level: trace, format: xml}\n" L P,
	 "1:14: level: \"trace\" is unknown; expected one of error, warn, info, debug\n"
	 "1:29: format: \"xml\" is unknown; expected one of text, json\n"},
	{"drain_timeout: 30\n" L P, "1:16: drain_timeout: \"30\" has no unit; expected a duration "
				    "such as 250ms, from 0 to 1d\n"},
	{"drain_timeout: 30 s\n" L P, "1:16: drain_timeout: \"30 s\" has an unknown unit; expected "
				      "a duration such as 250ms, from 0 to 1d\n"},
	{"drain_timeout: 30sec\n" L P, "1:16: drain_timeout: \"30sec\" has an unknown unit; "
				       "expected a duration such as 250ms, from 0 to 1d\n"},
	{"drain_timeout: soon\n" L P, "1:16: drain_timeout: \"soon\" is not a duration; expected a "
				      "duration such as 250ms, from 0 to 1d\n"},
	{"drain_timeout: 25h\n" L P, "1:16: drain_timeout: \"25h\" is out of range; expected a "
				     "duration such as 250ms, from 0 to 1d\n"},
	{"limits: {relay_buffer_size: 256KB}\n" L P,
	 "1:29: relay_buffer_size: \"256KB\" has an unknown unit; expected a size such as 16KiB, "
	 "from 4KiB to 64MiB\n"},
	{"limits: {relay_buffer_size: big}\n" L P,
	 "1:29: relay_buffer_size: \"big\" is not a size; expected a size such as 16KiB, from 4KiB "
	 "to 64MiB\n"},
	{"limits: {relay_buffer_size: 1KiB}\n" L P,
	 "1:29: relay_buffer_size: \"1KiB\" is out of range; expected a size such as 16KiB, from "
	 "4KiB to 64MiB\n"},
	{"limits: {relay_buffer_size: 5G}\n" L P,
	 "1:29: relay_buffer_size: \"5G\" is out of range; expected a size such as 16KiB, from "
	 "4KiB to 64MiB\n"},
	{"limits: {source_prefix: {v4: 33, v6: 0}}\n" L P,
	 "1:30: v4: \"33\" is out of range; expected a number from 1 to 32\n"
	 "1:38: v6: \"0\" is out of range; expected a number from 1 to 128\n"},
	{"admin: {socket_mode: '0990'}\n" L P,
	 "1:22: socket_mode: \"0990\" is not an octal mode; expected an octal mode such as "
	 "\"0660\", at most 0777\n"},
	{"admin: {socket_mode: '7777'}\n" L P,
	 "1:22: socket_mode: \"7777\" is out of range; expected an octal mode such as \"0660\", at "
	 "most 0777\n"},
	{"admin: {socket_mode: rw}\n" L P,
	 "1:22: socket_mode: \"rw\" is not an octal mode; expected an octal mode such as \"0660\", "
	 "at most 0777\n"},
	{LISTENER(", v6only: yes") P,
	 "1:53: v6only: \"yes\" is not a boolean; expected true or false\n"},
	{LISTENER(", mode: http, routes: [{match: {sni: [a.b], host: [a.b]}, pool: p}]") P,
	 "1:80: sni is not for mode http; expected a condition of host, path, path_prefix, "
	 "path_regex, method, headers, query, cookies, "
	 "certificate, source, country, continent, asn, port\n"},
	{LISTENER(", routes: [{match: {path: [/a]}, pool: p}]") P,
	 "1:69: path is not for mode tcp; expected a condition of sni, alpn, source, country, "
	 "continent, asn, port\n"},
	{LISTENER(", mode: http, routes: [{match: {path: [a], method: [get]}, pool: p}]") P,
	 "1:82: path: \"a\" does not begin with \"/\"; expected a path such as /healthz\n"
	 "1:95: method: \"get\" is not a method; expected a method such as GET\n"},
	{LISTENER(", mode: tpc") P, "1:51: mode: \"tpc\" is unknown; expected one of tcp, http, "
				    "dispatch; did you mean \"tcp\"?\n"},
	{LISTENER(", backlog: 0") P,
	 "1:54: backlog: \"0\" is out of range; expected a number from 1 to 65535\n"},
	{LISTENER(", keepalive: 10h") P, "1:56: keepalive: \"10h\" is out of range; expected a "
					 "duration such as 250ms, from 0 to 9h\n"},
	{"listeners: [{name: l, bind: ':80', pool: p, tls: {}}]\n" P,
	 "1:50: tls has no certificates; expected a list\n"},
	{"listeners: [{name: l, bind: ':80', pool: p, tls: {certificates: [a], client_auth: "
	 "{mode: required}}}]\n" P,
	 "1:83: client_auth has no ca; expected a file with the clients' authorities\n"},
	{"listeners: [{name: l, bind: ':80', pool: p, tls: {certificates: [a], profile: modern, "
	 "max_version: '1.2'}}]\n" P,
	 "1:100: max_version: 1.2 is below the oldest version that is spoken; expected \"1.3\"\n"},
	{L POOL(", tls: {key: k}"), "2:57: key: stands without cert; expected both\n"},
	{L "pools: [{name: p, endpoints: ['unix:/x'], tls: {}}]\n",
	 "2:48: tls to the unix socket on line 2 has no server_name; expected the name in its "
	 "certificate, or verify: false\n"},
	{L POOL(", outlier: {max_ejected: 50}"),
	 "2:69: max_ejected: \"50\" has no % sign; expected a percentage such as 50%, from 0% to "
	 "100%\n"},
	{L POOL(", outlier: {max_ejected: 101%}"),
	 "2:69: max_ejected: \"101%\" is out of range; expected a percentage such as 50%, from 0% "
	 "to 100%\n"},
	{L POOL(", outlier: {max_ejected: half}"),
	 "2:69: max_ejected: \"half\" is not a percentage; expected a percentage such as 50%, from "
	 "0% to 100%\n"},
	{L POOL(", outlier: {max_ejected: 5x}"),
	 "2:69: max_ejected: \"5x\" is not a percentage; expected a percentage such as 50%, from "
	 "0% to 100%\n"},
	{L POOL(", balance: roundrobin"),
	 "2:55: balance: \"roundrobin\" is unknown; expected one of round_robin, random, "
	 "least_conn, p2c, maglev, source; did you mean \"round_robin\"?\n"},
	{L POOL(", proxy_protocol: v3"),
	 "2:62: proxy_protocol: \"v3\" is unknown; expected one of off, v1, v2\n"},
	{L POOL(", connect_retries: 8"),
	 "2:63: connect_retries: \"8\" is out of range; expected a number from 0 to 7\n"},
	{L POOL(", queue: {timeout: 0}"), "2:63: timeout: \"0\" is out of range; expected a "
					  "duration such as 250ms, from 1ms to 10m\n"},
	{L POOL(", transparent: 1"),
	 "2:59: transparent: \"1\" is not a boolean; expected true or false\n"},
	/* Names and text */
	{"zone: 'a b'\n" L P, "1:7: zone: \"a b\" has a character that names do not have; expected "
			      "a name of letters, digits, \"_\", \".\" and \"-\"\n"},
	{"zone: ''\n" L P,
	 "1:7: zone: \"\" is empty; expected a name of letters, digits, \"_\", \".\" and \"-\"\n"},
	{"zone: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" L P,
	 "1:7: zone: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\" is "
	 "longer than 64 bytes; expected a name of letters, digits, \"_\", \".\" and \"-\"\n"},
	{"zone: \"\\e[31m\\x7f\"\n" L P,
	 "1:7: zone: \"\\x1b[31m\\x7f\" has a character that names do not have; expected a name of "
	 "letters, digits, \"_\", \".\" and \"-\"\n"},
	{"access_log: {path: ''}\n" L P, "1:20: path: \"\" is empty; expected a path or off\n"},
	/* Addresses */
	{"listeners: [{name: l, bind: '10.0.0.1', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1\" has no port; expected an address such as 0.0.0.0:80, [::]:80, "
	 "*:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: 'localhost:80', pool: p}]\n" P,
	 "1:29: bind: \"localhost:80\" is not an IP address and port; expected an address such as "
	 "0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:http', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1:http\" is not an IP address and port; expected an address such as "
	 "0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:65536', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1:65536\" has a port above 65535; expected an address such as "
	 "0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:90-80', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1:90-80\" has a range that ends before it begins; expected an "
	 "address such as 0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:0-80', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1:0-80\" has a range that begins at port 0; expected an address "
	 "such as 0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '10.0.0.1:80-', pool: p}]\n" P,
	 "1:29: bind: \"10.0.0.1:80-\" is not an IP address and port; expected an address such as "
	 "0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '::1:80', pool: p}]\n" P,
	 "1:29: bind: \"::1:80\" is an IPv6 address without brackets or port; expected an address "
	 "such as 0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: '[fe80::1%nosuchif]:80', pool: p}]\n" P,
	 "1:29: bind: \"[fe80::1%nosuchif]:80\" names an interface that does not exist; expected "
	 "an address such as 0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: 'unix:', pool: p}]\n" P,
	 "1:29: bind: \"unix:\" is not an address; expected an address such as 0.0.0.0:80, "
	 "[::]:80, *:8000-8010 or unix:/run/x.sock\n"},
	{"listeners: [{name: l, bind: 'unix:/" HUNDRED "/12345678', pool: p}]\n" P,
	 "1:29: bind: \"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\" has a "
	 "path of more than 107 bytes; expected an address such as 0.0.0.0:80, [::]:80, "
	 "*:8000-8010 or unix:/run/x.sock\n"},
	{"admin: {listen: 9901}\n" L P, "1:17: listen: \"9901\" is not an address; expected an "
					"address such as 127.0.0.1:9901 or [::1]:9901, or off\n"},
	{"admin: {listen: 'unix:/x'}\n" L P,
	 "1:17: listen: \"unix:/x\" is not an IP address and port; expected an address such as "
	 "127.0.0.1:9901 or [::1]:9901, or off\n"},
	{"admin: {listen: '127.0.0.1:99999'}\n" L P,
	 "1:17: listen: \"127.0.0.1:99999\" has a port above 65535; expected an address such as "
	 "127.0.0.1:9901 or [::1]:9901, or off\n"},
	{"admin: {socket: /" HUNDRED "/12345678}\n" L P,
	 "1:17: admin.socket has a path of more than 107 bytes; expected a shorter one\n"},
	{LISTENER(", proxy_protocol: {accept: [10.0.0.1/8, 10.0.0.0/33, 10/8]}") P,
	 "1:71: accept: \"10.0.0.1/8\" has bits set beyond its prefix; expected a network such as "
	 "10.0.0.0/8 or 2001:db8::/32\n"
	 "1:83: accept: \"10.0.0.0/33\" has a prefix that is too long; expected a network such as "
	 "10.0.0.0/8 or 2001:db8::/32\n"
	 "1:96: accept: \"10/8\" is not a network; expected a network such as 10.0.0.0/8 or "
	 "2001:db8::/32\n"},
	{LISTENER(", proxy_protocol: {timeout: 1s}") P,
	 "1:61: proxy_protocol has no accept; expected a network such as 10.0.0.0/8 or "
	 "2001:db8::/32\n"},
	{LISTENER(", proxy_protocol: {accept: []}") P,
	 "1:70: accept is an empty list; expected at least one\n"},
	{L POOL(", source_address: '10.0.0.1:0'"),
	 "2:62: source_address: \"10.0.0.1:0\" is not an IP address; expected an IP address such "
	 "as 192.0.2.1 or 2001:db8::1, without a port\n"},
	{L ENDPOINTS("'api.internal:80'"),
	 "2:31: address: \"api.internal:80\" is a host name without resolve: dns; expected an "
	 "address such as 10.0.0.1:8080, [2001:db8::1]:8080 or unix:/run/x.sock\n"},
	{L ENDPOINTS("{address: '10.0.0.1:80', resolve: dns}"),
	 "2:41: address: \"10.0.0.1:80\" is an address, not a name to resolve; expected a host "
	 "name and port such as www.example.com:80\n"},
	{L ENDPOINTS("{address: 'unix:/x', resolve: dns}"),
	 "2:41: address: \"unix:/x\" is an address, not a name to resolve; expected a host name "
	 "and port such as www.example.com:80\n"},
	{L ENDPOINTS("{address: 'api.internal', resolve: dns}"),
	 "2:41: address: \"api.internal\" has no port; expected a host name and port such as "
	 "www.example.com:80\n"},
	{L ENDPOINTS("{address: 'api.internal:0', resolve: dns}"),
	 "2:41: address: \"api.internal:0\" has port 0; expected a host name and port such as "
	 "www.example.com:80\n"},
	{L ENDPOINTS("{address: 'a..b:1', resolve: dns}"),
	 "2:41: address: \"a..b:1\" is not a host name and port; expected a host name and port "
	 "such as www.example.com:80\n"},
	{L ENDPOINTS("'10.0.0.1:0'"),
	 "2:31: address: \"10.0.0.1:0\" has port 0; expected an address such as 10.0.0.1:8080, "
	 "[2001:db8::1]:8080 or unix:/run/x.sock\n"},
	{L ENDPOINTS("'10.0.0.1'"),
	 "2:31: address: \"10.0.0.1\" is not an address; expected an address such as "
	 "10.0.0.1:8080, [2001:db8::1]:8080 or unix:/run/x.sock\n"},
	{L ENDPOINTS("''"), "2:31: address: \"\" is not an address; expected an address such as "
			    "10.0.0.1:8080, [2001:db8::1]:8080 or unix:/run/x.sock\n"},
	{L ENDPOINTS("{weight: 1}"), "2:31: an endpoint has no address; expected an address such "
				     "as 10.0.0.1:8080, [2001:db8::1]:8080 or unix:/run/x.sock\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', weight: 257}"),
	 "2:63: weight: \"257\" is out of range; expected a number from 0 to 256\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', backup: true, tier: 1}"),
	 "2:75: tier stands beside backup; expected one of the two\n"},
	{L ENDPOINTS(""), "2:30: endpoints is an empty list; expected at least one\n"},
	{L ENDPOINTS("[]"), "2:31: an endpoint is a list; expected \"name: value\" pairs\n"},
	/* Routes */
	{ROUTES("{match: {sni: ['*.', 'a b', '', 'x.*.y']}, pool: p}") P,
	 "1:60: sni: \"*.\" is not a server name; expected a name such as www.example.com, "
	 "*.example.com or *\n"
	 "1:66: sni: \"a b\" is not a server name; expected a name such as www.example.com, "
	 "*.example.com or *\n"
	 "1:73: sni: \"\" is not a server name; expected a name such as www.example.com, "
	 "*.example.com or *\n"
	 "1:77: sni: \"x.*.y\" is not a server name; expected a name such as www.example.com, "
	 "*.example.com or *\n"},
	{ROUTES("{match: {alpn: ''}, pool: p}") P,
	 "1:60: alpn: \"\" is empty; expected an ALPN protocol such as h2\n"},
	{ROUTES("{match: {port: [0, 65536]}, pool: p}") P,
	 "1:61: port: \"0\" is out of range; expected a number from 1 to 65535\n"
	 "1:64: port: \"65536\" is out of range; expected a number from 1 to 65535\n"},
	{ROUTES("{match: {source: here}, pool: p}") P,
	 "1:62: source: \"here\" is not a network; expected a network such as 10.0.0.0/8 or "
	 "2001:db8::/32\n"},
	{HTTP_ROUTES("{match: {path_regex: [\"a(b\"]}, pool: p}") P,
	 "1:79: path_regex: \"a(b\" is no pattern (missing closing parenthesis at offset 3); "
	 "expected a regular expression such as ^/[a-z]+$\n"},
	{HTTP_ROUTES("{match: {path_regex: [\"\"]}, pool: p}") P,
	 "1:79: path_regex: \"\" is empty; expected a regular expression such as ^/[a-z]+$\n"},
	{ROUTES("{match: {headers: [X]}, pool: p}") P,
	 "1:63: headers is not for mode tcp; expected a condition of sni, alpn, source, country, "
	 "continent, asn, port\n"},
	{HTTP_ROUTES("{match: {headers: [{name: X, value: a, regex: b}]}, pool: p}") P,
	 "1:103: regex stands beside value; expected one of the two\n"},
	{HTTP_ROUTES("{match: {headers: [{value: a}], query: x}, pool: p}") P,
	 "1:76: a condition has no name; expected the value of a header field\n"
	 "1:96: query is a single value; expected a list\n"},
	{HTTP_ROUTES("{match: {certificate: {verified: false, serial: 0x}}, pool: p}") P,
	 "1:90: verified: a certificate that is not there says nothing; expected verified alone\n"
	 "1:105: serial: \"0x\" is not a serial number; expected up to 40 hexadecimal digits, "
	 "with or without colons\n"},
	{"listeners: [{name: l, mode: http, bind: ':80', pool: p, forwarding: {client_cert: leaf}}]"
	 "\n" P,
	 "1:83: client_cert: the listener asks clients for none; expected tls.client_auth\n"},
	{HTTP_ROUTES("{match: {certificate: {}}, pool: p}") P,
	 "1:79: certificate: the listener asks clients for none; expected tls.client_auth\n"},
	{HTTP_ROUTES(
		 "{match: {certificate: {verified: false, subject: a, fingerprint: 00}}, pool: p}")
		 P,
	 "1:90: verified: a certificate that is not there says nothing; expected verified alone\n"
	 "1:122: fingerprint: \"00\" is not a SHA-256 fingerprint; expected 64 hexadecimal digits, "
	 "with or without colons\n"},
	{ROUTES("{match: {cookie: x}, pool: p}") P,
	 "1:54: unknown option \"cookie\" in match; expected one of host, path, path_prefix, "
	 "path_regex, method, headers, query, cookies, certificate, sni, alpn, source, country, "
	 "continent, asn, port; did "
	 "you mean \"cookies\"?\n"},
	{ROUTES("{match: {sni: a}}, {pool: p}") P, "1:45: a route has no action; expected one of "
						   "pool, split, redirect, respond, files, deny\n"},
	{ROUTES("{match: {port: [1]}, pool: p, deny: 403}, {pool: p}") P,
	 "1:81: deny stands beside pool; expected one of the two\n"},
	{ROUTES("{match: {port: [1]}, redirect: {scheme: https}}, {pool: p}") P,
	 "1:76: redirect is not for mode tcp; expected pool\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [1]}, redirect: {status: 309, host: a}}") P,
	 "1:108: status: \"309\" is unknown; expected one of 301, 302, 303, 307, 308; did you mean "
	 "\"301\"?\n"},
	{HTTP_ROUTES("{rewrite: {}, pool: p}") P,
	 "1:67: rewrite changes nothing; expected one of path, prefix, regex, host\n"},
	{HTTP_ROUTES("{rewrite: {path: /a, prefix: /b}, pool: p}") P,
	 "1:86: prefix stands beside path; expected one of the two\n"},
	{HTTP_ROUTES("{rewrite: {regex: a}, pool: p}") P,
	 "1:67: rewrite has one of regex and to; expected both or none\n"},
	{HTTP_ROUTES("{rewrite: {regex: \"a(b)\", to: \"/$2\"}, pool: p}") P,
	 "1:87: to: there is no group 2; expected at most the 1 of regex\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [1]}, rewrite: {host: a}, deny: 403}") P,
	 "1:105: host: nobody is asked under another name; expected pool or split beside it\n"},
	{ROUTES("{rewrite: {path: /a}, pool: p}") P,
	 "1:55: rewrite is not for mode tcp; expected none\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [1]}, redirect: {}}") P,
	 "1:99: redirect would lead back to where it came from; expected at least one of scheme, "
	 "host, port, path, or a rewrite beside it\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [2]}, redirect: {scheme: ftp}}") P,
	 "1:108: scheme: \"ftp\" is unknown; expected one of http, https\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [2]}, respond: {status: 204, body: x}}") P,
	 "1:118: body: an answer of status 204 has none; expected another status\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [1]}, deny: 403, mirror: p}") P,
	 "1:108: mirror is for requests that go to a pool; expected pool or split beside it, in "
	 "mode http\n"},
	{ROUTES("{pool: p, mirror: {pool: p}}") P,
	 "1:63: mirror is for requests that go to a pool; expected pool or split beside it, in "
	 "mode http\n"},
	{HTTP_ROUTES("{pool: p, mirror: q}") P,
	 "1:75: pool: \"q\" is unknown; expected the name of a pool\n"},
	{HTTP_ROUTES("{pool: p, mirror: {pool: p, share: 120%}}") P,
	 "1:92: share: \"120%\" is out of range; expected a percentage such as 50%, from 0% to "
	 "100%\n"},
	{HTTP_ROUTES("{split: [{pool: p, weight: 2}, {pool: q}]}") P,
	 "1:95: pool: \"q\" is unknown; expected the name of a pool\n"},
	{HTTP_ROUTES("{split: [{pool: p, weight: 0}]}") P,
	 "1:65: split has no weight at all; expected at least one pool with some\n"},
	{HTTP_ROUTES("{split: []}, {match: {port: [1]}, pool: p}") P,
	 "1:65: split has no weight at all; expected at least one pool with some\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [2]}, respond: {type: \"a\\nb\"}}") P,
	 "1:105: type: \"a\\x0ab\" has a control character; expected the value of a header "
	 "field\n"},
	{HTTP_ROUTES("{pool: p}, {match: {port: [2]}, deny: 200}") P,
	 "1:95: deny: \"200\" is out of range; expected close or a number from 400 to 599\n"},
	{ROUTES("{pool: p}, {pool: p}") P,
	 "1:56: a second route without conditions, first on line 1; expected one at most\n"},
	{LISTENER(", routes: [{match: {}, pool: p}]") P,
	 "1:42: pool is never used, the route on line 1 has no conditions; expected one of the "
	 "two\n"},
	{"listeners: [{name: l, bind: ':80'}]\n" P,
	 "1:13: a listener has neither pool nor routes; expected one of them\n"},
	{"listeners: [{name: l, bind: ':80', routes: []}]\n" P,
	 "1:13: a listener has neither pool nor routes; expected one of them\n"},
	{"listeners: [{bind: ':80', pool: p}]\n" P, "1:13: a listener has no name; expected a name "
						    "of letters, digits, \"_\", \".\" and \"-\"\n"},
	{"listeners: [{name: l, bidn: ':80', pool: p}]\n" P,
	 "1:13: a listener has no bind; expected an address such as 0.0.0.0:80, [::]:80, "
	 "*:8000-8010 or unix:/run/x.sock\n"
	 "1:23: unknown option \"bidn\" in a listener; expected one of name, bind, mode, v6only, "
	 "backlog, socket_mode, proxy_protocol, max_connections, max_connections_per_source, "
	 "client_hello_timeout, idle_timeout, keepalive, tls, http, forwarding, guard, dispatch, "
	 "filters, "
	 "error_pages, routes, pool; did you "
	 "mean "
	 "\"bind\"?\n"},
	/* Names between listeners and pools */
	{"listeners: [{name: l, bind: ':80', pool: p}, {name: l, bind: ':81', pool: p}]\n" P,
	 "1:53: name: \"l\" is taken, first on line 1; expected one of its own\n"},
	{L "pools: [{name: p, endpoints: ['10.0.0.1:1']}, {name: p, endpoints: ['10.0.0.1:1']}]\n",
	 "2:54: name: \"p\" is taken, first on line 2; expected one of its own\n"},
	{L "pools: [{name: p, endpoints: ['10.0.0.1:1']}, {name: q, endpoints: ['10.0.0.1:1']}]\n",
	 "2:54: pool \"q\" is used by nobody; expected a listener or a route that names it\n"},
	{"listeners: [{name: l, bind: ':80', pool: webb}]\npools: [{name: web, endpoints: "
	 "['10.0.0.1:1']}]\n",
	 "1:42: pool: \"webb\" is unknown; expected the name of a pool; did you mean \"web\"?\n"},
	{"listeners: [{name: l, bind: ':80', pool: other}]\npools: [{name: web, endpoints: "
	 "['10.0.0.1:1']}]\n",
	 "1:42: pool: \"other\" is unknown; expected the name of a pool\n"
	 "2:16: pool \"web\" is used by nobody; expected a listener or a route that names it\n"},
	/* Who listens where */
	{BINDS("'10.0.0.1:80', '10.0.0.1:80'") P,
	 "1:45: bind: \"10.0.0.1:80\" clashes with bind \"10.0.0.1:80\" on line 1; expected an "
	 "address that nothing else listens on\n"},
	{BINDS("':80', ':80'") P, "1:37: bind: \":80\" clashes with bind \":80\" on line 1; "
				  "expected an address that nothing "
				  "else listens on\n"},
	{BINDS("'10.0.0.1:80-90', '10.0.0.1:90-99'") P,
	 "1:48: bind: \"10.0.0.1:90-99\" clashes with bind \"10.0.0.1:80-90\" on line 1; expected "
	 "an address that nothing else listens on\n"},
	{BINDS("'10.0.0.1:80', '0.0.0.0:80'") P,
	 "1:45: bind: \"0.0.0.0:80\" clashes with bind \"10.0.0.1:80\" on line 1; expected an "
	 "address that nothing else listens on\n"},
	{BINDS("'[::]:80', '[::1]:80'") P,
	 "1:41: bind: \"[::1]:80\" clashes with bind \"[::]:80\" on line 1; expected an address "
	 "that nothing else listens on\n"},
	{BINDS("':80', '[::1]:80', '10.0.0.1:80'") P,
	 "1:37: bind: \"[::1]:80\" clashes with bind \":80\" on line 1; expected an address that "
	 "nothing else listens on\n"
	 "1:49: bind: \"10.0.0.1:80\" clashes with bind \":80\" on line 1; expected an address "
	 "that nothing else listens on\n"},
	{BINDS("'[0::1]:80', '[::1]:80'") P,
	 "1:43: bind: \"[::1]:80\" clashes with bind \"[0::1]:80\" on line 1; expected an address "
	 "that nothing else listens on\n"},
	{BINDS("'unix:/x', 'unix:/x'") P,
	 "1:41: bind: \"unix:/x\" clashes with bind \"unix:/x\" on line 1; expected an address "
	 "that nothing else listens on\n"},
	{"listeners: [{name: l, bind: ['[::]:80', '10.0.0.1:80'], v6only: false, pool: p}]\n" P,
	 "1:41: bind: \"10.0.0.1:80\" clashes with bind \"[::]:80\" on line 1, as [::] takes IPv4 "
	 "too with v6only: false; expected an address that nothing else listens on\n"},
	{"listeners: [{name: l, bind: '[::]:80', v6only: false, pool: p},\n  {name: m, bind: "
	 "'0.0.0.0:80', pool: p}]\n" P,
	 "2:19: bind: \"0.0.0.0:80\" clashes with bind \"[::]:80\" on line 1, as [::] takes IPv4 "
	 "too with v6only: false; expected an address that nothing else listens on\n"},
	{"admin: {listen: '127.0.0.1:80'}\n" L P,
	 "1:17: admin.listen: \"127.0.0.1:80\" clashes with bind \":80\" on line 2; expected an "
	 "address that nothing else listens on\n"},
	{"admin: {socket: /x}\n" BINDS("'unix:/x'") P,
	 "1:17: admin.socket: \"/x\" clashes with bind \"unix:/x\" on line 2; expected an address "
	 "that nothing else listens on\n"},
	{BINDS("'unix:/run/sluice/sluice.sock'") P,
	 "1:30: bind: \"unix:/run/sluice/sluice.sock\" clashes with the default of admin.socket; "
	 "expected an address that nothing else listens on\n"},
	/* Within a pool */
	{L ENDPOINTS("'10.0.0.1:1', {address: '10.0.0.1:1'}"),
	 "2:55: address: \"10.0.0.1:1\" is taken, first on line 2; expected one of its own\n"},
	{L ENDPOINTS("'[::1]:1', '[0::1]:1'"),
	 "2:42: address: \"[0::1]:1\" is taken, first on line 2; expected one of its own\n"},
	{L ENDPOINTS("{address: '10.0.0.1:1', weight: 0}"),
	 "2:30: every endpoint has weight 0; expected one that takes connections\n"},
	{L POOL(", transparent: true, source_address: 10.0.0.9"),
	 "2:59: transparent stands beside source_address; expected one of the two\n"},
	{L POOL(", source_address: '::1'"),
	 "2:62: source_address: \"::1\" is of another family than the endpoint on line 2; expected "
	 "an IPv4 address\n"},
	{L POOL(", maglev: {table_size: 100}"),
	 "2:67: table_size: \"100\" is not a prime; expected a prime such as 101\n"},
	{L POOL(", maglev: {table_size: 4}"),
	 "2:67: table_size: \"4\" is out of range; expected a number from 5 to 5000011\n"},
	{L "pools: [{name: p, balance: maglev, maglev: {table_size: 5}, endpoints: ['10.0.0.1:1', "
	   "'10.0.0.1:2', '10.0.0.1:3', '10.0.0.1:4', '10.0.0.1:5', '10.0.0.1:6']}]\n",
	 "2:57: table_size is below the number of endpoints; expected at least 6\n"},
	{L POOL(", outlier: {base_ejection: 10m}"),
	 "2:71: base_ejection: \"10m\" is above max_ejection; expected at most as much\n"},
	{L POOL(", http: {hedge_delay: 2s, response_timeout: 1s}"),
	 "2:66: hedge_delay: \"2s\" is above response_timeout; expected at most as much\n"},
	{L POOL(", connect_retries: 0, http: {hedge_delay: 1s}"),
	 "2:86: hedge_delay stands beside connect_retries: 0; expected one at least, for a hedge "
	 "is "
	 "one of them\n"},
	{L POOL(", http: {hedge_delay: 1s, retry: {budget: 0%}}"),
	 "2:66: hedge_delay stands beside a retry budget of 0%; expected a share that may be sent "
	 "another time\n"},
	{L POOL(", health: htpp"), "2:54: health: \"htpp\" is unknown; expected one of off, tcp, "
				   "tls, http; did you mean \"http\"?\n"},
	{L POOL(", health: {interval: 1s}"),
	 "2:54: health names no check; expected one of tcp, tls, http\n"},
	{L "pools:\n- name: p\n  endpoints: ['10.0.0.1:1']\n  health:\n",
	 "5:10: health names no check; expected one of tcp, tls, http\n"},
	{L POOL(", health: {tcp: , http: }"),
	 "2:54: health names more than one check; expected one of tcp, tls, http\n"},
	{L POOL(", health: {tcp: {port: 1}}"),
	 "2:61: unknown option \"port\" in a tcp check; expected no option\n"},
	{L POOL(", health: {http: {path: x, expect: 399-200, host: 'a b', body: ''}}"),
	 "2:68: path: \"x\" does not begin with \"/\"; expected a path such as /healthz\n"
	 "2:79: expect: \"399-200\" ends before it begins; expected a status or a range such as "
	 "200-399, from 100 to 599\n"
	 "2:94: host: \"a b\" is not a host name; expected a host name such as www.example.com\n"
	 "2:107: body: \"\" is empty; expected text\n"},
	{L POOL(", health: {http: {path: '/a b', expect: 99}}"),
	 "2:68: path: \"/a b\" has a character that must be percent-encoded; expected a path such "
	 "as /healthz\n"
	 "2:84: expect: \"99\" is out of range; expected a status or a range such as 200-399, from "
	 "100 to 599\n"},
	{L POOL(", health: {http: {expect: ok}}"),
	 "2:70: expect: \"ok\" is not a status; expected a status or a range such as 200-399, from "
	 "100 to 599\n"},
	{L POOL(", health: {http: {expect: 2xx}}"),
	 "2:70: expect: \"2xx\" is not a range of statuses; expected a status or a range such as "
	 "200-399, from 100 to 599\n"},
	{H POOL(", hash_key: {}"),
	 "2:56: hash_key names nothing; expected one of header, cookie\n"},
	{H POOL(", hash_key: {header: X, cookie: y}"),
	 "2:56: hash_key names both; expected one of header, cookie\n"},
	{H POOL(", sticky: {ttl: 1h}"), "2:54: sticky has no cookie; expected a name of letters, "
					"digits, \"_\", \".\" and \"-\"\n"},
	{H POOL(", sticky: {cookie: s, key: short}"),
	 "2:71: key: it is shorter than 16 bytes; expected a secret that cannot be guessed\n"},
	{H POOL(", sticky: {cookie: s, same_site: none, secure: off}"),
	 "2:77: same_site: browsers take none only with secure; expected secure: auto or on\n"},
	{L POOL(", hash_key: {header: X}, sticky: {cookie: s}"),
	 "2:56: hash_key is for mode http, and no such listener sends requests to this pool; "
	 "expected one that does, or no hash_key\n"
	 "2:77: sticky is for mode http, and no such listener sends requests to this pool; "
	 "expected one that does, or no sticky\n"},
	{HTTP_ROUTES(
		 "{pool: q, mirror: p}") "pools: [{name: q, endpoints: ['10.0.0.1:1']}, {name: p, "
					 "hash_key: {cookie: c}, sticky: {cookie: s}, endpoints: "
					 "['10.0.0.1:1']}]\n",
	 "2:88: sticky is for mode http, and no such listener sends requests to this pool; "
	 "expected one that does, or no sticky\n"},
	{L POOL(", health: {http: {expect: 200-}}"),
	 "2:70: expect: \"200-\" is not a range of statuses; expected a status or a range such as "
	 "200-399, from 100 to 599\n"},
	{L POOL(", health: {tcp: , timeout: 3s}"),
	 "2:71: timeout: \"3s\" is above interval; expected at most as much\n"},
	{L POOL(", health: {tcp: , port: 0}"),
	 "2:68: port: \"0\" is out of range; expected a number from 1 to 65535\n"},
	{L "pools: [{name: p, health: http, endpoints: ['unix:/x']}]\n",
	 "2:27: http check of the unix socket on line 2 has no host; expected host, for its Host "
	 "header\n"},
	{L "pools: [{name: p, health: {tcp: , port: 1}, endpoints: ['unix:/x']}]\n",
	 "2:41: port stands beside the unix socket on line 2, which has none; expected IP "
	 "endpoints alone\n"},
	{"zone: z\nlisteners: [{name: l, bind: ':80', pool: wbe}]\npools: [{name: web, endpoints: "
	 "['10.0.0.1:1']}, {name: '${SLUICE_TEST_NAME}', endpoints: ['10.0.0.1:1']}]\n",
	 "2:42: pool: \"wbe\" is unknown; expected the name of a pool; did you mean \"web\"?\n"
	 "3:56: pool \"${SLUICE_TEST_NAME}\" is used by nobody; expected a listener or a route "
	 "that names it\n"},
	/* Limits */
	{"limits: {max_connections: 5, max_connections_per_source: 6}\n" L P,
	 "1:58: max_connections_per_source: \"6\" is above max_connections; expected at most as "
	 "much\n"},
	{"limits: {receive_buffer_size: 8KiB, relay_buffer_size: 4KiB}\n" L P,
	 "1:31: receive_buffer_size: \"8KiB\" is above relay_buffer_size; expected at most as "
	 "much\n"},
	{LISTENER(", max_connections: 5, max_connections_per_source: 6") P,
	 "1:93: max_connections_per_source: \"6\" is above max_connections; expected at most as "
	 "much\n"},
	{"limits: {max_connections: 5}\n" LISTENER(", max_connections: 6") P,
	 "2:62: max_connections: \"6\" is above limits.max_connections; expected at most as "
	 "much\n"},
	/* The environment */
	{"zone: ${SLUICE_TEST_UNSET}\n" L P, "1:7: environment variable \"SLUICE_TEST_UNSET\" is "
					     "not set; expected it in the environment\n"},
	{"zone: ${}\n" L P, "1:7: \"${}\" has a \"${\" that names no variable; expected ${NAME}, "
			    "or $${ for a literal ${\n"},
	{"zone: ${A-B}\n" L P, "1:7: \"${A-B}\" has a \"${\" that names no variable; expected "
			       "${NAME}, or $${ for a literal ${\n"},
	{"zone: ${1A}\n" L P, "1:7: \"${1A}\" has a \"${\" that names no variable; expected "
			      "${NAME}, or $${ for a literal ${\n"},
	{"zone: '${A'\n" L P, "1:7: \"${A\" has a \"${\" that names no variable; expected ${NAME}, "
			      "or $${ for a literal ${\n"},
	{"zone: ${SLUICE_TEST_SECRET}\n" L P,
	 "1:7: zone: \"${SLUICE_TEST_SECRET}\" has a character that names do not have; expected a "
	 "name of letters, digits, \"_\", \".\" and \"-\"\n"},
	{"workers: ${SLUICE_TEST_SECRET}\n" L P,
	 "1:10: workers: \"${SLUICE_TEST_SECRET}\" is not a number; expected auto or a number from "
	 "1 to 1024\n"},
	{"io: ${SLUICE_TEST_SECRET}\n" L P,
	 "1:5: io: \"${SLUICE_TEST_SECRET}\" is unknown; expected one of auto, io_uring, epoll\n"},
	{"${SLUICE_TEST_SECRET}: 1\n" L P,
	 "1:1: unknown option \"${SLUICE_TEST_SECRET}\" in the file; expected one of workers, io, "
	 "acceleration, dispatch, geo, guard, user, group, zone, drain_timeout, log, access_log, "
	 "tracing, "
	 "admin, "
	 "limits, "
	 "listeners, pools\n"},
	{"listeners: [{name: l, bind: '${SLUICE_TEST_SECRET}', pool: '${SLUICE_TEST_SECRET}'}]\n" P,
	 "1:29: bind: \"${SLUICE_TEST_SECRET}\" has no port; expected an address such as "
	 "0.0.0.0:80, [::]:80, *:8000-8010 or unix:/run/x.sock\n"
	 "1:60: pool: \"${SLUICE_TEST_SECRET}\" has a character that names do not have; expected a "
	 "name of letters, digits, \"_\", \".\" and \"-\"\n"
	 "2:16: pool \"p\" is used by nobody; expected a listener or a route that names it\n"},
	{L ENDPOINTS("'${SLUICE_TEST_SECRET}'"),
	 "2:31: address: \"${SLUICE_TEST_SECRET}\" is not an address; expected an address such as "
	 "10.0.0.1:8080, [2001:db8::1]:8080 or unix:/run/x.sock\n"},
	/* Several at once, in the order of the file */
	{"io: x\nworkers: x\nlisteners: [{name: l, bind: x, pool: p}]\n" P,
	 "1:5: io: \"x\" is unknown; expected one of auto, io_uring, epoll\n"
	 "2:10: workers: \"x\" is not a number; expected auto or a number from 1 to 1024\n"
	 "3:29: bind: \"x\" has no port; expected an address such as 0.0.0.0:80, [::]:80, "
	 "*:8000-8010 or unix:/run/x.sock\n"},
};

/* Every line of @expected stands there without the file's name: it is put in front here. */
static char *with_name(const char *expected)
{
	struct strbuf lines = {};

	while (*expected) {
		size_t len = strcspn(expected, "\n") + 1;

		strbuf_append_str(&lines, "t:");
		strbuf_append(&lines, slice_of(expected, len));
		expected += len;
	}
	return strbuf_take(&lines);
}

static char *errors_of(struct slice text)
{
	struct config *config = NULL;
	struct strbuf errors = {};

	assert_int_equal(config_parse("t", text, &config, &errors), -EINVAL);
	assert_null(config);
	return strbuf_take(&errors);
}

static void each_mistake_has_its_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *expected = with_name(cases[i].errors);
		char *errors = errors_of(slice_from_str(cases[i].text));

		if (strcmp(errors, expected) != 0)
			print_error("of the file:\n%s", cases[i].text);
		assert_string_equal(errors, expected);
		free(expected);
		free(errors);
	}
}

static void no_message_shows_what_the_environment_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *errors = errors_of(slice_from_str(cases[i].text));

		assert_null(strstr(errors, "hunter2"));
		free(errors);
	}
}

/* A listener of mode tcp may share a pool whose options requests need. */
static void a_pool_may_be_of_two_modes(void **state)
{
	static const char text[] = "listeners: [{name: l, bind: ':80', pool: p}, "
				   "{name: h, bind: ':81', mode: http, "
				   "routes: [{split: [{pool: p}]}]}]\n" POOL(
					   ", sticky: {cookie: s}, hash_key: {header: X}");
	struct config *config = NULL;
	struct strbuf errors = {};

	(void)state;
	assert_int_equal(config_parse("t", slice_from_str(text), &config, &errors), 0);
	config_free(config);
	strbuf_done(&errors);
}

/* --- What mode dispatch has no room for --------------------------------------------------------
 */

static void assert_error(struct strbuf *file, const char *expected)
{
	char *errors;

	assert_false(file->is_failed);
	errors = errors_of(slice_of(file->text, file->len));
	assert_string_equal(errors, expected);
	free(errors);
	strbuf_done(file);
}

static void list_addresses(struct strbuf *file, unsigned count)
{
	strbuf_append_str(file, "listeners:\n- {name: l, mode: dispatch, pool: p, dispatch: "
				"{forward: l2}, bind: [");
	for (unsigned i = 0; i < count; i++)
		strbuf_printf(file, "'10.1.%u.%u:80', ", i / 256, i % 256);
	strbuf_append_str(file, "]}\n");
}

static void a_file_with_more_addresses_than_mode_dispatch_has_is_refused(void **state)
{
	struct strbuf file = {};

	(void)state;
	list_addresses(&file, 1025);
	strbuf_append_str(&file, MAGLEV(""));
	assert_error(&file, "t:2:69: bind: listeners of mode dispatch have 1025 addresses as far "
			    "as here; expected at most 1024\n");
}

static void a_file_with_more_slots_than_mode_dispatch_has_is_refused(void **state)
{
	struct strbuf file = {};

	(void)state;
	list_addresses(&file, 54);
	strbuf_append_str(&file, MAGLEV(", maglev: {table_size: 5000011}"));
	assert_error(&file,
		     "t:2:35: addresses of mode dispatch, each with all places of its pools, have "
		     "270000594 slots as far as here; expected at most 268435456, or a smaller "
		     "maglev.table_size\n");
}

/* 993 pools of 64 places, and those without. */
static void a_listener_whose_pools_have_too_many_places_is_refused(void **state)
{
	struct strbuf file = {};

	(void)state;
	strbuf_append_str(&file,
			  "geo: {databases: /x}\n"
			  "listeners:\n- {name: l, mode: dispatch, bind: '10.1.0.1:80', pool: "
			  "p0, dispatch: {forward: l2}, routes: [");
	for (unsigned i = 1; i < 993; i++)
		strbuf_printf(&file, "{match: {asn: [%u]}, pool: p%u}, ", i, i);
	strbuf_append_str(&file, "]}\npools:\n");
	for (unsigned i = 0; i < 993; i++) {
		strbuf_printf(&file,
			      "- {name: p%u, balance: maglev, maglev: {table_size: 67}, nearest: "
			      "true, endpoints: [",
			      i);
		for (unsigned k = 0; k < 64; k++)
			strbuf_printf(&file,
				      "{address: '10.3.0.%u:1', location: {latitude: %u, "
				      "longitude: 1}}, ",
				      k, k);
		strbuf_append_str(&file, "]}\n");
	}
	assert_error(&file, "t:3:93: the pools of the listener have 65538 places; expected fewer "
			    "than 65535\n");
}

/* --- Warnings ----------------------------------------------------------------------------------
 */

static void assert_warning(const char *text, const char *expected)
{
	struct config *config = NULL;
	struct strbuf warnings = {};

	assert_int_equal(config_parse("t", slice_from_str(text), &config, &warnings), 0);
	assert_string_equal(warnings.len ? warnings.text : "", expected);
	config_free(config);
	strbuf_done(&warnings);
}

static void a_way_back_that_routes_may_not_take_is_told(void **state)
{
	(void)state;
	assert_warning("listeners: [{name: l, bind: '10.0.0.1:1', mode: http, routes: [{match: "
		       "{path_prefix: /a/}, pool: p}]}]\n" ENDPOINTS("'10.0.0.1:1'"),
		       "t:2:31: warning: address: \"10.0.0.1:1\" is listener l, whose routes may "
		       "send back here: a loop then\n");
}

static void listeners_behind_one_another_are_no_loop(void **state)
{
	static const char *const fine[] = {
		/* A chain, and what is another's port, address or protocol. */
		"listeners: [{name: a, bind: '10.0.0.1:1', pool: p}, {name: b, bind: '10.0.0.1:2', "
		"pool: q}]\n"
		"pools: [{name: p, endpoints: ['10.0.0.1:2']}, {name: q, endpoints: "
		"['10.0.0.1:3']}]\n",
		L ENDPOINTS("'127.0.0.1:81', '10.0.0.1:80'"),
		"listeners: [{name: l, bind: '10.0.0.1:1', pool: p}]\n" ENDPOINTS("'127.0.0.1:1'"),
		"listeners: [{name: d, mode: dispatch, bind: '10.1.0.1:53/udp', pool: q, dispatch: "
		"{forward: l2}}, {name: t, bind: '10.3.0.1:53', pool: p}]\n"
		"pools: [{name: p, endpoints: ['10.1.0.1:53']}, {name: q, balance: maglev, "
		"endpoints: ['10.3.0.1:53']}]\n",
		/* Nothing goes there. */
		L ENDPOINTS("'10.0.0.1:1', {address: '127.0.0.1:80', weight: 0}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		assert_warning(fine[i], "");
}

/* Each listener sends to the one before it: what is followed step by step takes minutes. */
static void a_chain_of_thousands_of_listeners_is_looked_through(void **state)
{
	const unsigned count = 5000;
	struct strbuf text = {};

	(void)state;
	strbuf_append_str(&text, "listeners:\n");
	for (unsigned i = 1; i <= count; i++)
		strbuf_printf(&text, "- {name: l%u, bind: '10.0.0.1:%u', pool: p%u}\n", i, i, i);
	strbuf_append_str(&text, "pools:\n");
	for (unsigned i = 1; i <= count; i++)
		strbuf_printf(&text, "- {name: p%u, endpoints: ['10.0.0.%u:%u']}\n", i,
			      i == 1 ? 2 : 1, i - (i > 1));
	assert_warning(text.text, "");
	strbuf_done(&text);
}

static void a_loop_is_found_beside_and_behind_what_is_none(void **state)
{
	(void)state;
	/* From a to b and c, of which b leads back to itself, and c by a route to b. */
	assert_warning("listeners:\n"
		       "- {name: a, bind: '10.0.0.1:1', mode: http, routes: [{match: {path: /}, "
		       "split: [{pool: b, weight: 1}, {pool: c, weight: 1}]}]}\n"
		       "- {name: b, bind: '10.0.0.1:2', mode: http, routes: [{match: {path: /}, "
		       "pool: b}]}\n"
		       "- {name: c, bind: '10.0.0.1:3', pool: b}\n"
		       "pools:\n"
		       "- {name: b, endpoints: ['10.0.0.1:2', '10.0.0.9:2']}\n"
		       "- {name: c, endpoints: ['10.0.0.1:3', '10.0.0.1:4']}\n",
		       "t:6:25: warning: address: \"10.0.0.1:2\" is listener b, whose routes may "
		       "send back here: a loop then\n");
}

/* A file is often cut short by a full disk: that is an error or a file, never a crash. */
static void a_file_cut_anywhere_does_no_harm(void **state)
{
	static const char text[] =
		"workers: 4\nlisteners:\n- {name: l, bind: \"*:80\", routes: [{match: {sni: [a, "
		"'b']},"
		" pool: p}]}\npools:\n- name: p\n  endpoints:\n  - 10.0.0.1:80\n  health:\n"
		"    http: {path: /ü}\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct config *config = NULL;
		struct strbuf errors = {};
		char *copy = len ? malloc(len) : NULL;

		if (len)
			memcpy(copy, text, len);
		if (config_parse("t", slice_of(copy, len), &config, &errors) != 0)
			assert_true(errors.len > 0);
		config_free(config);
		strbuf_done(&errors);
		free(copy);
	}
}

static void nesting_ends_at_32_levels(void **state)
{
	char text[64];
	char *errors;

	(void)state;
	memset(text, '[', sizeof(text));
	errors = errors_of(slice_of(text, sizeof(text)));
	assert_string_equal(errors, "t:1:33: nested too deep; expected at most 32 levels\n");
	free(errors);
}

static void a_file_above_16_mib_is_refused(void **state)
{
	size_t len = ((size_t)16 << 20) + 1;
	char *text = malloc(len), *errors;

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	errors = errors_of(slice_of(text, len));
	assert_string_equal(errors, "t: the file is too large; expected at most 16MiB\n");
	free(errors);
	free(text);
}

/* Each use of a variable costs little in the file and much in memory. */
static void the_environment_cannot_blow_up_a_file(void **state)
{
	struct strbuf text = {};
	char *big = malloc(100001), *errors;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 100000);
	big[100000] = '\0';
	assert_int_equal(setenv("SLUICE_TEST_BIG", big, 1), 0);
	strbuf_append_str(&text, "zone: ");
	for (size_t i = 0; i < 200; i++)
		strbuf_append_str(&text, "${SLUICE_TEST_BIG}");
	errors = errors_of(slice_of(text.text, text.len));
	assert_non_null(strstr(errors, "t:1:7: environment variables make the file too large; "
				       "expected at most 16MiB in all\n"));
	assert_int_equal(unsetenv("SLUICE_TEST_BIG"), 0);
	strbuf_done(&text);
	free(errors);
	free(big);
}

static void one_mapping_takes_256_keys(void **state)
{
	struct strbuf text = {};
	char *errors;

	(void)state;
	for (size_t i = 0; i < 257; i++)
		strbuf_printf(&text, "k%zu: 1\n", i);
	errors = errors_of(slice_of(text.text, text.len));
	assert_string_equal(errors,
			    "t:257:1: too many keys in one mapping; expected at most 256\n");
	strbuf_done(&text);
	free(errors);
}

static void a_million_values_are_enough(void **state)
{
	struct strbuf text = {};
	char *errors;

	(void)state;
	strbuf_append_str(&text, "[");
	for (size_t i = 0; i < 1000001; i++)
		strbuf_append_str(&text, "1,");
	errors = errors_of(slice_of(text.text, text.len));
	assert_non_null(strstr(errors, "too many values; expected at most 1000000\n"));
	strbuf_done(&text);
	free(errors);
}

static void a_file_has_16384_binds_at_most(void **state)
{
	struct strbuf text = {};
	char *errors;

	(void)state;
	strbuf_append_str(&text, P "listeners:\n- name: l\n  pool: p\n  bind:\n");
	for (size_t i = 0; i < 8193; i++)
		strbuf_printf(&text, "  - ':%zu'\n", i + 1);
	errors = errors_of(slice_of(text.text, text.len));
	assert_string_equal(errors, "t:3:1: 16386 binds in all; expected at most 16384\n");
	strbuf_done(&text);
	free(errors);
}

static void assert_errors_of_locations(size_t count, const char *expected)
{
	struct strbuf text = {}, errors = {};
	struct config *config = NULL;

	strbuf_append_str(&text, "geo: {databases: /x}\n" L "pools:\n- name: p\n  nearest: true\n"
				 "  endpoints:\n  - 10.0.1.1:1\n");
	for (size_t i = 0; i < 2 * count; i++)
		strbuf_printf(&text,
			      "  - {address: '10.0.0.1:%zu', location: {latitude: 1.5, longitude: "
			      "-%zu}}\n",
			      i + 1, i / 2);
	assert_int_equal(config_parse("t", slice_of(text.text, text.len), &config, &errors),
			 expected ? -EINVAL : 0);
	if (expected)
		assert_string_equal(errors.text, expected);
	config_free(config);
	strbuf_done(&errors);
	strbuf_done(&text);
}

static void a_pool_goes_by_64_locations_at_most(void **state)
{
	(void)state;
	assert_errors_of_locations(64, NULL);
	assert_errors_of_locations(65, "t:5:12: nearest: the endpoints are in more than 64 "
				       "locations; expected at most as many\n");
}

static void errors_beyond_a_thousand_are_counted(void **state)
{
	struct strbuf text = {};
	char *errors;

	(void)state;
	strbuf_append_str(&text, P "listeners:\n");
	for (size_t i = 0; i < 1003; i++)
		strbuf_append_str(&text, "- x\n");
	errors = errors_of(slice_of(text.text, text.len));
	assert_non_null(strstr(errors, "t:3:3: a listener is a single value"));
	assert_non_null(strstr(errors, "\nt: 3 more errors are not shown\n"));
	strbuf_done(&text);
	free(errors);
}

static int set_environment(void **state)
{
	(void)state;
	unsetenv("SLUICE_TEST_UNSET");
	setenv("SLUICE_TEST_NAME", "wbx", 1);
	return setenv("SLUICE_TEST_SECRET", "hunter2;x", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_message),
		cmocka_unit_test(no_message_shows_what_the_environment_holds),
		cmocka_unit_test(a_pool_may_be_of_two_modes),
		cmocka_unit_test(a_file_with_more_addresses_than_mode_dispatch_has_is_refused),
		cmocka_unit_test(a_file_with_more_slots_than_mode_dispatch_has_is_refused),
		cmocka_unit_test(a_listener_whose_pools_have_too_many_places_is_refused),
		cmocka_unit_test(a_way_back_that_routes_may_not_take_is_told),
		cmocka_unit_test(listeners_behind_one_another_are_no_loop),
		cmocka_unit_test(a_chain_of_thousands_of_listeners_is_looked_through),
		cmocka_unit_test(a_loop_is_found_beside_and_behind_what_is_none),
		cmocka_unit_test(a_file_cut_anywhere_does_no_harm),
		cmocka_unit_test(nesting_ends_at_32_levels),
		cmocka_unit_test(a_file_above_16_mib_is_refused),
		cmocka_unit_test(the_environment_cannot_blow_up_a_file),
		cmocka_unit_test(one_mapping_takes_256_keys),
		cmocka_unit_test(a_million_values_are_enough),
		cmocka_unit_test(a_file_has_16384_binds_at_most),
		cmocka_unit_test(a_pool_goes_by_64_locations_at_most),
		cmocka_unit_test(errors_beyond_a_thousand_are_counted),
	};

	return cmocka_run_group_tests(tests, set_environment, NULL);
}
