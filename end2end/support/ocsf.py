"""Holds lines of JSON against the published schema of OCSF: python ocsf.py FILE. Prints how many of each class there were."""

import collections
import json
import sys

import jsonschema
import ocsf_json_schema

validators = {}
seen = collections.Counter()
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    number = event["class_uid"]
    if number not in validators:
        version = event["metadata"]["version"]
        schemas = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(version))
        schema = schemas.get_class_schema(schemas.lookup_class_name_from_uid(number))
        validators[number] = jsonschema.Draft202012Validator(schema)
    problems = [f"{error.json_path}: {error.message}" for error in validators[number].iter_errors(event)]
    if problems:
        sys.exit(f"{line}\n" + "\n".join(problems))
    seen[str(number)] += 1
print(json.dumps(seen))
