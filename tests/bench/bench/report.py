# SPDX-License-Identifier: Apache-2.0
"""Tables: for the terminal and, the same in Markdown, for docs/benchmarks.md."""
from .series import METRICS, ratio

TITLES = {"plain": "plain routing", "sluice": "Sluice relay",
          "sluice-splice-tc": "Sluice splice", "haproxy": "HAProxy",
          "haproxy-copy": "HAProxy, no splice", "nginx": "nginx stream",
          "sluice-http": "Sluice", "haproxy-http": "HAProxy", "nginx-http": "nginx",
          "sluice-https": "Sluice", "haproxy-https": "HAProxy", "nginx-https": "nginx",
          "sluice-nat": "Sluice nat", "sluice-nat-xdp": "nat at XDP", "sluice-l2": "Sluice l2",
          "sluice-l2-xdp": "l2 at XDP", "sluice-ipip": "Sluice ipip", "sluice-gue": "Sluice gue",
          "nft-numgen": "nftables numgen", "nft-jhash": "nftables jhash",
          "nft-dnat": "jhash, source kept", "haproxy-three": "HAProxy mode tcp",
          "sluice-splice-three": "Sluice splice"}
DISPATCH_BASES = ("plain", "nft-numgen", "nft-jhash", "nft-dnat", "haproxy-three", "sluice-splice-three")
# Whom ratios are of, and to.
PAIRS = {"tcp": ("sluice", ("haproxy", "nginx")),
         "http": ("sluice-http", ("haproxy-http", "nginx-http")),
         "https": ("sluice-https", ("haproxy-https", "nginx-https")),
         "dispatch": ("sluice-nat", DISPATCH_BASES),
         "dispatch-wire": ("sluice-nat-xdp", ("sluice-nat", *DISPATCH_BASES))}
DRAWINGS = {"tcp": "benchmarks.svg", "http": "benchmarks-http.svg",
            "https": "benchmarks-https.svg", "dispatch": "benchmarks-dispatch.svg",
            "dispatch-wire": "benchmarks-dispatch-wire.svg"}
BEGIN = "<!-- begin: written by tests/bench/run --suite %s --update-docs -->"
END = "<!-- end -->"


def number(value, digits):
    return f"{value:,.{digits}f}"


def cell(found, digits):
    if not found:
        return "–"
    if found["n"] == 1:
        return number(found["median"], digits)
    low, high = number(found["min"], digits), number(found["max"], digits)
    return f"{number(found['median'], digits)} ({low}–{high})"


def figure_rows(results):
    paths = [p for p in TITLES if any(p in row for row in results["summary"].values())]
    rows = [["", *(TITLES[p] for p in paths)]]
    for metric, (_, _, title, unit, digits, _) in METRICS.items():
        by_path = results["summary"].get(metric) or {}
        if by_path:
            rows.append([f"{title} ({unit})", *(cell(by_path.get(p), digits) for p in paths)])
    return rows


def ratio_rows(results):
    ours, bases = PAIRS[results["settings"]["suite"]]
    measured = {sample["path"] for sample in results["samples"]}
    bases = [base for base in bases if base in measured]
    rows = [[f"{TITLES[ours]} ÷", *(TITLES[base] for base in bases)]]
    for metric, (_, _, title, _, _, better) in METRICS.items():
        cells = [ratio(results["samples"], metric, ours, base) for base in bases]
        if any(cells):
            rows.append([f"{title} ({better} is better)", *(cell(c, 2) for c in cells)])
    return rows


def verdict_rows(results):
    rows = [["target", "limit", "measured", "verdict"]]
    for row in results["verdict"]:
        digits = 0 if row["limit"] > 100 else 2
        sign = "≤" if row["at_most"] else "≥"
        rows.append([row["claim"], f"{sign} {number(row['limit'], digits)}", cell(row, digits),
                     "met" if row["met"] else "MISSED"])
    return rows


def text_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown_table(rows):
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])


def tables(results):
    found = [figure_rows(results), ratio_rows(results), verdict_rows(results)]
    return [rows for rows in found if len(rows) > 1]


def heading(results):
    machine, settings = results["machine"], results["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rate = settings.get("paced_rate")
    paced = f" Latency at {number(rate, 0)} requests/s." if rate else ""
    return (f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores, kernel "
            f"{machine['kernel']}; {versions}. {settings['rounds']} rounds of "
            f"{settings['seconds']} s, alternating; median (min–max).{paced}")


def text(results):
    return "\n\n".join([heading(results), *map(text_table, tables(results))]) + "\n"


def markdown(results):
    parts = [heading(results), *map(markdown_table, tables(results)),
             f"![the same as a drawing]({DRAWINGS[results['settings']['suite']]})"]
    return "\n\n".join(parts) + "\n"


def update_docs(path, results):
    """Replaces the marked block."""
    mark = BEGIN % results["settings"]["suite"]
    before, begin, rest = path.read_text().partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path}: the marks are missing: {mark} {END}")
    path.write_text(f"{before}{mark}\n\n{markdown(results)}\n{END}{after}")
