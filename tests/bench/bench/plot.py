# SPDX-License-Identifier: Apache-2.0
"""The figures as an SVG: a panel a metric, a bar a path, a line for the spread over the rounds.
Nothing is painted behind it, and the colours are read on white and on dark."""
from xml.sax.saxutils import escape

from .report import TITLES, number
from .series import METRICS

WIDTH, MARGIN, LABELS = 860, 24, 150
COLUMNS, GAP = 2, 36
BAR, STEP = 16, 24
PANELS = ("requests_64", "requests_512", "process_cpu_64", "process_cpu_512", "added_cpu_64",
          "connections", "throughput", "memory", "p50", "p99", "http_64", "http_512", "http_64_cpu",
          "http_512_cpu", "http_1k_cpu", "http_64k_cpu", "http_1m_cpu", "http_p50", "http_p99", "files_1k_cpu", "files_64k_cpu",
          "files_1m_cpu", "handshakes_full", "handshakes_resumed", "handshakes_full_cpu",
          "handshakes_resumed_cpu", "flood_p99", "half_flood_p99", "tls_memory",
          "connection_added", "datagrams", "datagram_added", "throughput_added")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; }
.title { font-size: 13px; font-weight: 600; }
.value { font-size: 11px; }
.plain { fill: #8c959f; } .sluice { fill: #0a7ea4; } .haproxy { fill: #c47f17; }
.haproxy-copy { fill: #dfb05f; } .nginx { fill: #4c9a52; }
.sluice-http { fill: #0a7ea4; } .haproxy-http { fill: #c47f17; } .nginx-http { fill: #4c9a52; }
.sluice-nat { fill: #0a7ea4; } .sluice-nat-xdp { fill: #3d9bb8; } .sluice-l2 { fill: #5fb0c8; }
.sluice-l2-xdp { fill: #7cc0d4; } .sluice-ipip { fill: #8fcadb; } .sluice-gue { fill: #a3d4e2; }
.nft-numgen { fill: #8e5aa8; } .nft-jhash { fill: #a67bbd; } .nft-dnat { fill: #bd9bd0; }
.sluice-splice-three { fill: #2f7d78; } .haproxy-three { fill: #c47f17; }
.sluice-https { fill: #0a7ea4; } .haproxy-https { fill: #c47f17; } .nginx-https { fill: #4c9a52; }
.spread { stroke: #24292f; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #c9d1d9; } .spread { stroke: #f0f6fc; } .sluice { fill: #39b5dd; }
}
"""


def _bar(x, y, path, found, scale, digits):
    length = found["median"] * scale
    low, high = found["min"] * scale, found["max"] * scale
    middle = y + BAR / 2
    end = x + max(length, high) + 6
    return [
        f'<text x="{x - 8}" y="{middle + 4}" text-anchor="end">{escape(TITLES[path])}</text>',
        f'<rect class="{path}" x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        f'<line class="spread" x1="{x + low:.1f}" x2="{x + high:.1f}" y1="{middle}" '
        f'y2="{middle}"/>',
        f'<text class="value" x="{end:.1f}" y="{middle + 4}">'
        f'{number(found["median"], digits)}</text>',
    ]


def _panel(x, y, width, metric, by_path):
    _, _, title, unit, digits, better = METRICS[metric]
    room = width - LABELS - 66  # for the value beside the bar
    scale = room / max(max(f["max"] for f in by_path.values()), 1e-9)
    parts = [f'<text class="title" x="{x}" y="{y}">{escape(title)} ({unit}; {better} is better)'
             '</text>']
    for i, (path, found) in enumerate(by_path.items()):
        parts += _bar(x + LABELS, y + 12 + i * STEP, path, found, scale, digits)
    return parts


def draw(results):
    panels = [(m, results["summary"][m]) for m in PANELS if results["summary"].get(m)]
    width = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS
    parts, y = [], MARGIN + 4
    for first in range(0, len(panels), COLUMNS):
        row = panels[first:first + COLUMNS]
        for column, (metric, by_path) in enumerate(row):
            ordered = {p: by_path[p] for p in TITLES if p in by_path}
            parts += _panel(MARGIN + column * (width + GAP), y, width, metric, ordered)
        y += 12 + max(len(by_path) for _, by_path in row) * STEP + 30
    machine = results["machine"]
    note = (f"median, line: min–max of {results['settings']['rounds']} rounds; one worker each; "
            f"{machine['cores']} cores, kernel {machine['kernel']}")
    parts.append(f'<text class="value" x="{MARGIN}" y="{y}">{escape(note)}</text>')
    height = y + MARGIN
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" '
            f'aria-label="Benchmark figures">\n<style>{STYLE}</style>\n'
            + "\n".join(parts) + "\n</svg>\n")
