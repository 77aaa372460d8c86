#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the schemas inside CustomResourceDefinitions as kubeconform reads them.

    crd_schemas.py OUTPUT_FOLDER CRD.yaml...

Each version of each kind becomes OUTPUT_FOLDER/<group>_<kind>_<version>.json. Fields that a schema
does not know are refused, as the API server refuses or drops them, unless it keeps unknown ones.
"""

import json
import pathlib
import sys

import yaml


def strict(schema):
    """The schema with every object closed that says which fields it has."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if ("properties" in schema and "additionalProperties" not in schema
            and not schema.get("x-kubernetes-preserve-unknown-fields")):
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sys.argv[2:]:
        for crd in yaml.safe_load_all(pathlib.Path(path).read_text(encoding="utf-8")):
            group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"].lower()
            for version in crd["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # The fields that every object has are not in the definition.
                schema["properties"].update({"metadata": {"type": "object"}})
                target = folder / f"{group}_{kind}_{version['name']}.json"
                target.write_text(json.dumps(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
