# SPDX-License-Identifier: Apache-2.0
"""Where things are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
TOOLS = BUILD / "tools"
SLUICED = pathlib.Path(os.environ.get("SLUICED", BUILD / "asan" / "sluiced")).resolve()
SLUICECTL = pathlib.Path(os.environ.get("SLUICECTL", SLUICED.parent / "sluicectl")).resolve()
