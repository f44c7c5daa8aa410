# SPDX-License-Identifier: Apache-2.0
"""What end-to-end tests and benchmarks stand on: namespaces, processes, peers, traffic."""
