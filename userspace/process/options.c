// SPDX-License-Identifier: Apache-2.0
/* The command line of sluiced. */
#include "process/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_CONFIG "/etc/sluice/sluice.yaml"

static const char usage[] =
	"usage: sluiced [OPTION]...\n"
	"A reverse proxy and load balancer.\n"
	"\n"
	"  -c, --config FILE   configuration (" DEFAULT_CONFIG "); - reads standard input\n"
	"      --check [FILE]  check the configuration and exit: 0 good, 2 not\n"
	"      --schema        print the JSON Schema of the configuration and exit\n"
	"      --reference     print every option with its default and exit\n"
	"      --demo          also run small web servers for loopback endpoints\n"
	"  -q, --quiet         log warnings and errors alone\n"
	"  -v, --verbose       log debug messages too\n"
	"  -V, --version       print the version and exit\n"
	"  -h, --help          this text\n"
	"\n"
	"SIGHUP reloads the configuration; SIGTERM, SIGINT and SIGQUIT let open connections end, "
	"a\n"
	"second one ends at once; SIGUSR1 opens the access log anew. See sluiced(8) and\n"
	"sluice.yaml(5).\n"
	"\n"
	"Exit codes: 0 ended as told, 1 failed at run time, 2 wrong usage or configuration.\n";

enum { OPTION_CHECK = 256, OPTION_SCHEMA, OPTION_REFERENCE, OPTION_DEMO };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"schema", no_argument, NULL, OPTION_SCHEMA},
	{"reference", no_argument, NULL, OPTION_REFERENCE},
	{"demo", no_argument, NULL, OPTION_DEMO},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{},
};

void options_parse(int argc, char **argv, struct options *ret)
{
	int option;

	*ret = (struct options){.config = DEFAULT_CONFIG};
	while ((option = getopt_long(argc, argv, "c:qvVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config = optarg;
			ret->has_config = true;
			break;
		case OPTION_CHECK:
			ret->action = ACTION_CHECK;
			break;
		case OPTION_SCHEMA:
			ret->action = ACTION_SCHEMA;
			break;
		case OPTION_REFERENCE:
			ret->action = ACTION_REFERENCE;
			break;
		case OPTION_DEMO:
			ret->is_demo = true;
			break;
		case 'q':
			ret->verbosity = -1;
			break;
		case 'v':
			ret->verbosity = 1;
			break;
		case 'V':
			puts("sluiced " SLUICE_VERSION);
			exit(EXIT_OK);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_OK);
		default:
			fputs("Try 'sluiced --help'.\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc && ret->action == ACTION_CHECK && optind + 1 == argc) {
		ret->config = argv[optind++]; /* sluiced --check FILE */
		ret->has_config = true;
	}
	if (optind < argc) {
		fprintf(stderr, "sluiced: unexpected argument '%s'\nTry 'sluiced --help'.\n",
			argv[optind]);
		exit(EXIT_USAGE);
	}
}
