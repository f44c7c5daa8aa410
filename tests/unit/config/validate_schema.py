# SPDX-License-Identifier: Apache-2.0
"""Validates configuration files against the JSON Schema given: validate_schema.py SCHEMA."""
import glob
import json
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"SKIP: {missing}; apt-get install python3-jsonschema python3-yaml")
    sys.exit(77)

# What stands where in the smallest good file, and is wrong there.
BAD = [
    ({"workers": 0}, "a number below its range"),
    ({"workers": "many"}, "a word that is no number"),
    ({"wrokers": 1}, "an option that does not exist"),
    ({"drain_timeout": 30}, "a duration without a unit"),
    ({"drain_timeout": "30sec"}, "a duration in an unknown unit"),
    ({"limits": {"relay_buffer_size": "1KB"}}, "a size in an unknown unit"),
    ({"io": "select"}, "a word that is not in the list"),
    ({"admin": {"socket_mode": "0999"}}, "a mode that is not octal"),
    ({"listeners": []}, "no listener"),
    ({"listeners": [{"name": "l", "pool": "p"}]}, "a listener without bind"),
    ({"listeners": [{"name": "l", "bind": "10.0.0.1", "pool": "p"}]}, "a bind without a port"),
    ({"listeners": [{"name": "a b", "bind": ":80", "pool": "p"}]}, "a name with a space"),
    ({"pools": [{"name": "p"}]}, "a pool without endpoints"),
    ({"pools": [{"name": "p", "endpoints": [{"weight": 1}]}]}, "an endpoint without address"),
    ({"pools": [{"name": "p", "endpoints": ["a:1"], "health": "ping"}]}, "an unknown check"),
    ({"pools": [{"name": "p", "endpoints": ["a:1"], "outlier": {"max_ejected": 50}}]},
     "a percentage without its sign"),
]

GOOD = [
    ({"workers": "${WORKERS}", "drain_timeout": 0}, "values from the environment, and zero"),
    ({"acceleration": {"mode": False}}, "an off that YAML 1.1 took for false"),
    ({"log": None}, "a mapping with everything in it commented out"),
]

SMALLEST = {
    "listeners": [{"name": "l", "bind": ":80", "pool": "p"}],
    "pools": [{"name": "p", "endpoints": ["10.0.0.1:1"]}],
}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = []
    for path in sorted(glob.glob("configs/*.yaml")):
        with open(path, encoding="utf-8") as file:
            for error in validator.iter_errors(yaml.safe_load(file)):
                failures.append(f"{path}: {error.json_path}: {error.message}")
    for change, what in GOOD:
        if not validator.is_valid({**SMALLEST, **change}):
            failures.append(f"refused: {what}")
    for change, what in BAD:
        if validator.is_valid({**SMALLEST, **change}):
            failures.append(f"accepted: {what}")
    print("\n".join(failures), end="\n" if failures else "")
    return 1 if failures else 0


sys.exit(main())
