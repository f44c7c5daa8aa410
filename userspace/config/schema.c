// SPDX-License-Identifier: Apache-2.0
/*
 * Every option, once: name, type, range, default, help, and its place in the plain structs of
 * config.h. The parser, the JSON Schema, the reference file and the option tables all come from
 * here. This file has the top level; schema_listener.c and schema_pool.c have the lists. In each,
 * tables stand before those that refer to them, so that one reads from the inside out.
 */
#include "config/config_internal.h"

static const struct word io_words[] = {
	{"auto", CONFIG_IO_AUTO},
	{"io_uring", CONFIG_IO_URING},
	{"epoll", CONFIG_IO_EPOLL},
	{},
};

static const struct word acceleration_words[] = {
	{"auto", CONFIG_AUTO},
	{"splice", CONFIG_SPLICE},
	{"sockmap", CONFIG_SOCKMAP},
	{"off", CONFIG_OFF},
	{},
};

static const struct word level_words[] = {
#define X(name, text) {text, LOG_##name},
	LOG_LEVELS(X)
#undef X
		{},
};

static const struct word log_format_words[] = {
	{"text", LOG_FORMAT_TEXT},
	{"json", LOG_FORMAT_JSON},
	{},
};

static const struct word access_format_words[] = {
	{"text", CONFIG_ACCESS_TEXT},
	{"json", CONFIG_ACCESS_JSON},
	{"common", CONFIG_ACCESS_COMMON},
	{"combined", CONFIG_ACCESS_COMBINED},
	{},
};

static const struct word on_stop_words[] = {
	{"keep", CONFIG_STOP_KEEP},
	{"reset", CONFIG_STOP_RESET},
	{},
};

static const struct word hook_words[] = {
	{"auto", CONFIG_HOOK_AUTO},
	{"xdp", CONFIG_HOOK_XDP},
	{"tc", CONFIG_HOOK_TC},
	{},
};

static const struct option acceleration_options[] = {
	{.name = "mode",
	 .type = &type_word,
	 FIELD(config_acceleration, mode),
	 .words = acceleration_words,
	 .default_text = "auto",
	 .help = "splice: hand established connections to the kernel; sockmap: let it move bytes "
		 "between their sockets, which seldom pays; off: forward in the daemon alone. auto "
		 "is the daemon alone for now."},
	{.name = "after",
	 .type = &type_size,
	 FIELD(config_acceleration, after),
	 RANGE(0, 1024 * MIB),
	 .default_text = "2KiB",
	 .help = "Bytes that a connection carries, both ways together, before it is handed over: "
		 "until then the relay is cheaper. 0: at once."},
	{.name = "max_flows",
	 .type = &type_count,
	 FIELD(config_acceleration, max_flows),
	 RANGE(16, 4194304),
	 .default_text = "262144",
	 .help = "Connections in the kernel at once, some 600 bytes each; further ones stay with "
		 "the "
		 "daemon."},
	{.name = "hook",
	 .type = &type_word,
	 FIELD(config_acceleration, hook),
	 .words = hook_words,
	 .default_text = "auto",
	 .help = "Where packets are taken: xdp: in the driver, where it can; tc: behind it. auto "
		 "is xdp where the driver can redirect, but for virtual devices."},
	{.name = "interfaces",
	 .type = &type_name,
	 LIST(config_acceleration, interfaces),
	 .zero_word = "auto",
	 .default_text = "auto",
	 .help = "Devices that get the packet programs, by name, also when they appear later; "
		 "auto: all that are Ethernet-like, and lo."},
	{.name = "pin_path",
	 .type = &type_path,
	 FIELD(config_acceleration, pin_path),
	 .zero_word = "off",
	 .default_text = "/sys/fs/bpf/sluice",
	 .help = "Directory on a BPF file system where connections in the kernel outlive the "
		 "daemon; off: they end with it."},
	{.name = "instance",
	 .type = &type_name,
	 FIELD(config_acceleration, instance),
	 .default_text = "default",
	 .help = "Tells daemons of one machine apart: the directory below pin_path. One daemon at "
		 "a time has it."},
	{.name = "on_stop",
	 .type = &type_word,
	 FIELD(config_acceleration, on_stop),
	 .words = on_stop_words,
	 .default_text = "keep",
	 .help = "What becomes of connections in the kernel when the daemon is stopped. keep: they "
		 "go on, and the next daemon finds them; reset: they end at drain_timeout."},
};

static const struct schema schema_acceleration = {SCHEMA("acceleration", acceleration_options)};

static const struct option log_options[] = {
	{.name = "level",
	 .type = &type_word,
	 FIELD(config_log, level),
	 .words = level_words,
	 .default_text = "info",
	 .help = "Lines more talkative than this are left out."},
	{.name = "format",
	 .type = &type_word,
	 FIELD(config_log, format),
	 .words = log_format_words,
	 .default_text = "text",
	 .help = "One line an event, as text or as JSON."},
};

static const struct schema schema_log = {SCHEMA("log", log_options)};

static const struct option access_log_options[] = {
	{.name = "path",
	 .type = &type_path,
	 FIELD(config_access_log, path),
	 .zero_word = "off",
	 .default_text = "off",
	 .help = "A file, stdout, or off."},
	{.name = "format",
	 .type = &type_word,
	 FIELD(config_access_log, format),
	 .words = access_format_words,
	 .default_text = "text",
	 .help = "One line a connection, in mode http one a request: text, JSON, or as web servers "
		 "have it, which in mode tcp is text."},
	{.name = "template",
	 .type = &type_template,
	 FIELD(config_access_log, template),
	 .example = "\"${time} ${client_ip} ${method} ${uri} ${status} ${duration_ms}\"",
	 .help = "The line of a request in mode http, in place of format. What could forge a line "
		 "is "
		 "written as \\x and two digits; a variable without a value is a dash."},
};

static const struct schema schema_access_log = {SCHEMA("access_log", access_log_options)};

static const struct option admin_options[] = {
	{.name = "socket",
	 .type = &type_path,
	 FIELD(config_admin, socket),
	 .zero_word = "off",
	 .default_text = "/run/sluice/sluice.sock",
	 .help = "Control socket for sluicectl, or off."},
	{.name = "socket_mode",
	 .type = &type_mode,
	 FIELD(config_admin, socket_mode),
	 RANGE(0, 0777),
	 .default_text = "0600",
	 .help = "Permissions of the control socket: who may steer the daemon."},
	{.name = "socket_group",
	 .type = &type_name,
	 FIELD(config_admin, socket_group),
	 .example = "adm",
	 .help = "Group of the control socket; the daemon's own without it."},
	{.name = "listen",
	 .type = &type_address,
	 FIELD(config_admin, listen),
	 .zero_word = "off",
	 .default_text = "off",
	 .help = "Address of the HTTP server for /metrics, or off. It has no access control: keep "
		 "it "
		 "on a private address."},
};

static const struct schema schema_admin = {SCHEMA("admin", admin_options)};

static const struct option limit_prefix_options[] = {
	{.name = "v4",
	 .type = &type_count,
	 FIELD(config_limits, source_prefix_v4),
	 RANGE(1, 32),
	 .default_text = "32",
	 .help = "Bits of an IPv4 address that make one source."},
	{.name = "v6",
	 .type = &type_count,
	 FIELD(config_limits, source_prefix_v6),
	 RANGE(1, 128),
	 .default_text = "64",
	 .help = "Bits of an IPv6 address that make one source."},
};

static const struct schema schema_limit_prefix = {SCHEMA("source_prefix", limit_prefix_options)};

static const struct option limits_options[] = {
	{.name = "max_connections",
	 .type = &type_count,
	 FIELD(config_limits, max_connections),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "Open connections of the whole daemon; accepting pauses there. 0: as many as file "
		 "descriptors allow."},
	{.name = "max_connections_per_source",
	 .type = &type_count,
	 FIELD(config_limits, max_connections_per_source),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "The same for each source; further ones are closed. 0: no limit."},
	{.name = "source_prefix",
	 .type = &type_mapping,
	 .members = &schema_limit_prefix,
	 .help = "What counts as one source."},
	{.name = "receive_buffer_size",
	 .type = &type_size,
	 FIELD(config_limits, receive_buffer_bytes),
	 RANGE(KIB, MIB),
	 .default_text = "16KiB",
	 .help = "The most that one read takes."},
	{.name = "receive_buffer_count",
	 .type = &type_count,
	 FIELD(config_limits, receive_buffers),
	 RANGE(16, 32768),
	 .default_text = "1024",
	 .help = "Receive buffers of a worker, shared by its connections."},
	{.name = "relay_buffer_size",
	 .type = &type_size,
	 FIELD(config_limits, relay_buffer_bytes),
	 RANGE(4 * KIB, 64 * MIB),
	 .default_text = "256KiB",
	 .help = "Bytes that may wait in each direction of a connection before reading pauses."},
	{.name = "tls_handshakes",
	 .type = &type_count,
	 FIELD(config_limits, tls_handshakes),
	 RANGE(1, 1000000),
	 .default_text = "1024",
	 .help = "TLS handshakes that a worker has under way at once; further ones wait."},
};

static const struct schema schema_limits = {SCHEMA("limits", limits_options)};

static const struct option config_options[] = {
	{.name = "workers",
	 .type = &type_count,
	 FIELD(config, workers),
	 RANGE(1, 1024),
	 .zero_word = "auto",
	 .default_text = "auto",
	 .help = "Worker threads; auto: one a CPU."},
	{.name = "io",
	 .type = &type_word,
	 FIELD(config, io),
	 .words = io_words,
	 .default_text = "auto",
	 .help = "The engine; auto takes io_uring where the kernel has what it needs, else epoll."},
	{.name = "acceleration",
	 .type = &type_mapping,
	 .members = &schema_acceleration,
	 FIELD(config, acceleration),
	 .help = "Forwarding inside the kernel."},
	{.name = "dispatch",
	 .type = &type_mapping,
	 .members = &schema_dispatch,
	 FIELD(config, dispatch),
	 .help = "Listeners of mode dispatch together."},
	{.name = "geo",
	 .type = &type_mapping,
	 .members = &schema_geo,
	 FIELD(config, geo),
	 .help = "Where clients are."},
	{.name = "guard",
	 .type = &type_mapping,
	 .members = &schema_guard,
	 FIELD(config, guard),
	 .help = "What the edge refuses before anybody works for it."},
	{.name = "user",
	 .type = &type_name,
	 FIELD(config, user),
	 .example = "sluice",
	 .help = "User to become after start; without it the daemon stays who it is."},
	{.name = "group",
	 .type = &type_name,
	 FIELD(config, group),
	 .example = "sluice",
	 .help = "Group to become; the user's own group without it."},
	{.name = "zone",
	 .type = &type_name,
	 FIELD(config, zone),
	 .example = "rack1",
	 .help = "Where this proxy is; see zone of endpoints."},
	{.name = "drain_timeout",
	 .type = &type_duration,
	 FIELD(config, drain_timeout_ms),
	 RANGE(0, DAY),
	 .default_text = "30s",
	 .help = "How long open connections may go on after SIGTERM."},
	{.name = "log",
	 .type = &type_mapping,
	 .members = &schema_log,
	 FIELD(config, log),
	 .help = "The daemon's own log, on standard error."},
	{.name = "access_log",
	 .type = &type_mapping,
	 .members = &schema_access_log,
	 FIELD(config, access_log),
	 .help = "A line for each connection that has ended."},
	{.name = "tracing",
	 .type = &type_mapping,
	 .members = &schema_tracing,
	 FIELD(config, tracing),
	 .help = "Spans of requests, for a collector of OpenTelemetry."},
	{.name = "admin",
	 .type = &type_mapping,
	 .members = &schema_admin,
	 FIELD(config, admin),
	 .help = "Control and metrics."},
	{.name = "limits",
	 .type = &type_mapping,
	 .members = &schema_limits,
	 FIELD(config, limits),
	 .help = "Bounds of the whole daemon."},
	{.name = "listeners",
	 .type = &type_mapping,
	 .members = &schema_listener,
	 LIST(config, listeners),
	 .is_required = true,
	 .help = "Where connections come from."},
	{.name = "pools",
	 .type = &type_mapping,
	 .members = &schema_pool,
	 LIST(config, pools),
	 .is_shown = true,
	 .help = "Where connections go. None is needed by who only redirects or serves files."},
};

const struct schema schema_config = {SCHEMA("the file", config_options)};
