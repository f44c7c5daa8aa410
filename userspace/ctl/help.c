// SPDX-License-Identifier: Apache-2.0
/* What sluicectl says about itself; sluicectl(1) has the long form. */
#include "ctl/ctl_internal.h"

static const struct {
	const char *synopsis, *summary, *text;
} commands[CTL_COMMAND_COUNT] = {
	[CTL_COMMAND_STATUS] = {"status", "the daemon in a few lines",
				"Shows version, state, uptime, configuration, and connections.\n"},
	[CTL_COMMAND_LISTENERS] = {"listeners", "listeners with their connections and bytes",
				   "One line a listener: where it is bound, connections that are "
				   "open, were accepted\n"
				   "and were refused by a limit, bytes from (IN) and to (OUT) "
				   "clients, and the median\n"
				   "and 99th percentile of how long connections lasted.\n"},
	[CTL_COMMAND_POOLS] =
		{"pools", "pools and their endpoints",
		 "A line a pool, then one for each endpoint. FAILED counts failed connects, RESET\n"
		 "connections that the endpoint reset; TIME is the pool's median time to connect "
		 "and\n"
		 "the endpoint's average of connect and first-byte time.\n"},
	[CTL_COMMAND_SERVICES] =
		{"services", "listeners of mode dispatch and where their packets go",
		 "A row for each address and one for each endpoint. FLOWS are new ones, IN and OUT "
		 "bytes\n"
		 "of packets from and to clients (out: of forward: nat alone), all since the "
		 "packet\n"
		 "programs were loaded. DROPPED names the commonest reason.\n"},
	[CTL_COMMAND_CONNECTIONS] =
		{"connections [FILTERS]", "open connections",
		 "Filters, all of which must hold:\n"
		 "  --listener NAME   of this listener\n"
		 "  --pool NAME       sent to this pool\n"
		 "  --endpoint ADDR   connected to this endpoint\n"
		 "  --state STATE     proxy_header, client_hello, tls_handshake,\n"
		 "                    queued, connecting, http, relay, closing\n"
		 "  --limit N         show at most N (100; up to 65536)\n"},
	[CTL_COMMAND_ENDPOINT] = {"endpoint POOL ADDRESS ACTION", "steer an endpoint",
				  "ADDRESS is an endpoint's name or address as `sluicectl pools` "
				  "shows it; a name that\n"
				  "stands for several addresses changes them all. Actions:\n"
				  "  ready      takes connections\n"
				  "  drain      takes no new ones; open ones go on\n"
				  "  maint      as drain, and is not checked either\n"
				  "  weight N   0 to 256; 0 takes no new connections\n"
				  "Orders last until the daemon ends, through reloads too.\n"},
	[CTL_COMMAND_RELOAD] =
		{"reload", "read the configuration again",
		 "Changes over to the configuration file as it is now, or, where that has an "
		 "error,\n"
		 "prints every error and changes nothing (exit code 1). What only a restart can\n"
		 "change is named as a warning.\n"},
	[CTL_COMMAND_TOP] =
		{"top [PANEL] [-n N]", "live view",
		 "PANEL is pools, which it begins with, listeners, connections, services (of mode\n"
		 "dispatch) or guard (what it has dropped, and the heaviest sources); the keys p, "
		 "l,\n"
		 "c, s and g change it. Sorted by n name, r rate, a active (flows, packets) or\n"
		 "b bytes; q quits. Without a terminal, or with -n N, prints N snapshots, a "
		 "second\n"
		 "apart (one if -n is not given).\n"},
	[CTL_COMMAND_METRICS] = {"metrics", "metrics in Prometheus' text format",
				 "The same text as GET /metrics of the address `admin.listen`.\n"},
	[CTL_COMMAND_DOCTOR] =
		{"doctor", "what this machine can do, and what to change",
		 "Looks at kernel, privileges, devices, limits and sysctls, and at what the daemon "
		 "has\n"
		 "attached, if it answers. Each finding is ok, note (to be known), warn (works, "
		 "worse\n"
		 "than it could) or missing (keeps connections from a better rung). Exit code 1: "
		 "something\n"
		 "is missing. Run it as the daemon's user, in its network namespace.\n"},
	[CTL_COMMAND_GUARD] =
		{"guard [ACTION]", "what the edge refuses, and orders to it",
		 "Actions:\n"
		 "  status                          mode, counts by reason (without an action)\n"
		 "  list                            what was blocked, allowed or banned by hand\n"
		 "  talkers                         the heaviest sources of the last seconds\n"
		 "  block NETWORK [for TIME] [REASON]\n"
		 "  allow NETWORK [for TIME] [REASON]\n"
		 "  ban ADDRESS for TIME [REASON]   one source; cheaper than block\n"
		 "  unblock NETWORK                 takes any of these back\n"
		 "  mode off|monitor|enforce        until the next reload\n"
		 "  reload                          the configuration, lists included\n"
		 "TIME: 90s, 10m, 12h, 7d. Orders last until the daemon ends, through reloads "
		 "too.\n"},
	[CTL_COMMAND_CAPTURE] = {"capture [OPTIONS]", "refused packets, as pcapng",
				 "Writes the first 192 bytes of packets that the guard refuses, a "
				 "thousand a second "
				 "at most,\n"
				 "with the reason as comment. Options:\n"
				 "  --seconds N     for so long (10)\n"
				 "  --limit N       so many packets at most\n"
				 "  --output FILE   to a file instead of standard output\n"},
	[CTL_COMMAND_GEO] =
		{"geo [ADDRESS...]", "where addresses are, by the databases in force",
		 "Country, continent, autonomous system and its organisation, as routes and the "
		 "guard\n"
		 "take them; below, what each database says by itself and when it was built. "
		 "Without\n"
		 "addresses: the databases.\n"},
	[CTL_COMMAND_VERSION] = {"version", "versions of daemon and sluicectl", ""},
	[CTL_COMMAND_FLOWS] =
		{"flows [OPTIONS]", "spliced connections, asked of the kernel itself",
		 "Works without a daemon, as root. CLIENT TO is what the client connected to, FROM "
		 "BACKEND\n"
		 "the connection to the backend; IN and OUT are what went through the kernel, SAID "
		 "who has\n"
		 "said fin (acknowledged: fin_acked) or rst. Options:\n"
		 "  --instance NAME   acceleration.instance (default)\n"
		 "  --pin-path PATH   acceleration.pin_path (" CTL_DEFAULT_PINS ")\n"
		 "  --verdicts        what became of packets, counted since the tables were made\n"
		 "  --discard         end what a daemon has left that never comes back: resets "
		 "them "
		 "all,\n"
		 "                    detaches the programs, removes the tables\n"},
};

static const char options_text[] =
	"Options:\n"
	"  -s, --socket PATH   the daemon's control socket (" CTL_DEFAULT_SOCKET ",\n"
	"                      or what SLUICE_SOCKET says)\n"
	"      --json          print the result as JSON\n"
	"      --no-color      no colours; so does NO_COLOR in the environment\n"
	"      --timeout TIME  wait at most this long for an answer (5s)\n"
	"  -h, --help          this text; after a command, more on it\n"
	"  -V, --version       sluicectl's version\n";

void help_program(FILE *out)
{
	fputs("Usage: sluicectl [OPTIONS] COMMAND\n"
	      "Shows and steers a running sluiced.\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < CTL_COMMAND_COUNT; i++)
		fprintf(out, "  %-29s %s\n", commands[i].synopsis, commands[i].summary);
	fprintf(out, "\n%s", options_text);
	fputs("\nExit codes: 0 done, 1 the daemon refused or failed, 2 wrong usage, 3 no answer.\n",
	      out);
}

void help_command(FILE *out, enum ctl_command command)
{
	fprintf(out, "Usage: sluicectl [OPTIONS] %s\n%s%s\n%s", commands[command].synopsis,
		commands[command].text, *commands[command].text ? "" : "Shows both versions.\n",
		options_text);
}
