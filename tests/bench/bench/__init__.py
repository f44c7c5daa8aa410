# SPDX-License-Identifier: Apache-2.0
"""Measures Sluice beside plain routing, HAProxy and nginx: see docs/benchmarks.md."""
