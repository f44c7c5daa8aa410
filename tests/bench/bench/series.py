# SPDX-License-Identifier: Apache-2.0
"""From samples to figures: medians with their spread, and ratios taken within each round."""
import statistics

from .cpu import cores
from .peers import LENGTHS

STEPS = {"register": "registering", "switch": "the switch", "look": "a look at the rest",
         "cut": "silencing the sockets", "freeze": "putting them to sleep"}

HTTP_TITLES = {"64": "64 connections", "512": "512 connections", "1k": "1 KiB", "64k": "64 KiB",
               "1m": "1 MiB"}

FLOODS = {"flood": "a flood of handshakes", "half_flood": "a flood of half handshakes"}

HANDSHAKES = {"full": "full handshakes", "resumed": "resumed handshakes"}

# key: (measure, value, title, unit, digits, better)
METRICS = {
    "requests_64": ("requests_64", "rate", "requests, 64 connections", "1/s", 0, "higher"),
    "requests_512": ("requests_512", "rate", "requests, 512 connections", "1/s", 0, "higher"),
    "process_cpu_64": ("requests_64", "process_cpu_us", "process CPU per request, 64", "µs", 2,
                       "lower"),
    "process_cpu_512": ("requests_512", "process_cpu_us", "process CPU per request, 512", "µs", 2,
                        "lower"),
    "added_cpu_64": ("requests_64", "added_cpu_us", "added CPU per request, 64", "µs", 2, "lower"),
    "added_cpu_512": ("requests_512", "added_cpu_us", "added CPU per request, 512", "µs", 2,
                      "lower"),
    **{f"http_{what}": (f"http_{what}", "rate", f"requests, {title}", "1/s", 0, "higher")
       for what, title in HTTP_TITLES.items()},
    **{f"http_{what}_cpu": (f"http_{what}", "process_cpu_us", f"process CPU per request, {title}",
                            "µs", 2, "lower") for what, title in HTTP_TITLES.items()},
    **{f"http_{what}_added": (f"http_{what}", "added_cpu_us", f"added CPU per request, {title}",
                              "µs", 2, "lower") for what, title in HTTP_TITLES.items()},
    "http_p50": ("http_latency", "p50_us", "latency at a fixed rate, p50", "µs", 0, "lower"),
    "http_p99": ("http_latency", "p99_us", "latency at a fixed rate, p99", "µs", 0, "lower"),
    **{f"files_{what}": (f"files_{what}", "rate", f"files, {HTTP_TITLES[what]}", "1/s", 0, "higher")
       for what in ("1k", "64k", "1m")},
    **{f"files_{what}_cpu": (f"files_{what}", "process_cpu_us",
                             f"process CPU per file, {HTTP_TITLES[what]}", "µs", 2, "lower")
       for what in ("1k", "64k", "1m")},
    **{f"handshakes_{what}": (f"handshakes_{what}", "rate", title, "1/s", 0, "higher")
       for what, title in HANDSHAKES.items()},
    **{f"handshakes_{what}_cpu": (f"handshakes_{what}", "process_cpu_us",
                                  f"process CPU, {title}", "µs", 2, "lower")
       for what, title in HANDSHAKES.items()},
    **{f"{flood}_{value}": (f"{flood}_latency", f"{value}_us", f"latency during {title}, {value}",
                            "µs", 0, "lower")
       for flood, title in FLOODS.items() for value in ("p50", "p99")},
    **{f"{flood}_rate": (f"{flood}_latency", "handshakes", f"handshakes of {title}", "1/s", 0,
                         "higher") for flood, title in FLOODS.items()},
    "tls_memory": ("tls_memory", "bytes_per_connection", "memory per idle TLS connection", "B", 0,
                   "lower"),
    "connections": ("connections", "rate", "new connections", "1/s", 0, "higher"),
    "connection_cpu": ("connections", "process_cpu_us", "process CPU per connection", "µs", 2,
                       "lower"),
    **{f"handoff_cpu_{n}": ("handoff", f"cpu_us_{n}", f"process CPU per connection of {n} requests",
                            "µs", 1, "lower") for n in LENGTHS},
    **{f"{step}_{kind}": ("handoff", f"{step}_{kind}", f"hand-over: {title}, {kind}", "µs", 1,
                          "lower") for step, title in STEPS.items() for kind in ("p50", "p99")},
    "handoff_us": ("handoff", "handoff_us", "hand-over: all steps, mean", "µs", 1, "lower"),
    **{f"machine_{n}": (f"requests_{n}", "machine_cpu_us", f"the machine's CPU per request, {n}", "µs",
                        2, "lower") for n in (64, 512)},
    "connection_machine": ("connections", "machine_cpu_us", "the machine's CPU per connection", "µs",
                           2, "lower"),
    "datagram_machine": ("datagrams", "machine_cpu_us",
                         "the machine's CPU per question with answer", "µs", 2, "lower"),
    "throughput_machine": ("throughput", "machine_cpu_s_per_gb",
                           "the machine's CPU per gigabyte", "s", 3, "lower"),
    "connection_added": ("connections", "added_cpu_us", "added CPU per connection", "µs", 2,
                         "lower"),
    "datagrams": ("datagrams", "rate", "questions with answers over UDP", "1/s", 0, "higher"),
    "datagram_added": ("datagrams", "added_cpu_us", "added CPU per question with answer", "µs", 2,
                       "lower"),
    "throughput": ("throughput", "gbit", "one stream", "Gbit/s", 2, "higher"),
    "throughput_cpu": ("throughput", "cpu_s_per_gb", "process CPU per gigabyte", "s", 3, "lower"),
    "throughput_added": ("throughput", "added_cpu_s_per_gb", "added CPU per gigabyte", "s", 3,
                         "lower"),
    "p50": ("latency", "p50_us", "latency at a fixed rate, p50", "µs", 0, "lower"),
    "p99": ("latency", "p99_us", "latency at a fixed rate, p99", "µs", 0, "lower"),
    "memory": ("memory", "bytes_per_connection", "memory per idle connection", "B", 0, "lower"),
}


def _busy(values, rate):
    """Seconds of CPU, of the whole machine, for one of what @rate counts."""
    return cores() * (1 - values["idle"] - values["others"]) / values[rate]


def add_derived(samples):
    """What a request costs the whole machine, and what of it is added to plain routing's cost in the same round; of
    bulk, the same of a gigabyte."""
    plain = {(s["round"], s["measure"]): s["values"] for s in samples if s["path"] == "plain"}
    for sample in samples:
        base, values = plain.get((sample["round"], sample["measure"])), sample["values"]
        rate = "gbit" if "gbit" in values else "rate"
        if not base or rate not in values:
            continue
        unit, name = (8, "cpu_s_per_gb") if rate == "gbit" else (1e6, "cpu_us")
        values[f"machine_{name}"] = unit * _busy(values, rate)
        if sample["path"] != "plain":
            values[f"added_{name}"] = unit * (_busy(values, rate) - _busy(base, rate))


def by_round(samples, metric, path):
    """{round: value}"""
    measure, value = METRICS[metric][:2]
    return {s["round"]: s["values"][value] for s in samples
            if s["measure"] == measure and s["path"] == path
            and s["values"].get(value) is not None}


def spread(values):
    values = sorted(values)
    if not values:
        return None
    return {"median": statistics.median(values), "min": values[0], "max": values[-1],
            "n": len(values)}


def summary(samples, metric, path):
    return spread(by_round(samples, metric, path).values())


def ratio(samples, metric, path, base):
    """Of pairs measured in the same round."""
    ours, theirs = by_round(samples, metric, path), by_round(samples, metric, base)
    return spread([ours[r] / theirs[r] for r in ours.keys() & theirs.keys() if theirs[r]])


def ratio_to_best(samples, metric, path, bases):
    """To the better of them in each round."""
    better = min if METRICS[metric][5] == "lower" else max
    ours = by_round(samples, metric, path)
    theirs = [by_round(samples, metric, base) for base in bases]
    known = ours.keys() & set.intersection(*(set(t) for t in theirs))
    return spread([ours[r] / better(t[r] for t in theirs) for r in known])


def summarise(samples, paths):
    return {metric: {path: found for path in paths if (found := summary(samples, metric, path))}
            for metric in METRICS}
