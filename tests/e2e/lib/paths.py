# SPDX-License-Identifier: Apache-2.0
"""Where things are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
TOOLS = BUILD / "tools"
# SLUICE_BUILD: the directory of one variant; SLUICED: the daemon itself.
_variant = pathlib.Path(os.environ.get("SLUICE_BUILD", BUILD / "asan"))
SLUICED = pathlib.Path(os.environ.get("SLUICED", _variant / "sluiced")).resolve()
SLUICECTL = pathlib.Path(os.environ.get("SLUICECTL", SLUICED.parent / "sluicectl")).resolve()
