"""Writes docs/json.md and the schema in the package: ``python docs/make_json.py``.

Both follow from `dispatchcount/report/json/format.py`, which describes every field of the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dispatchcount.report.json.schema import schema

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "dispatchcount" / "report" / "schema.json"
PAGE = HERE / "json.md"

HEAD = """<!-- Made by docs/make_json.py from dispatchcount/report/json/format.py. Change those. -->

# A report as JSON

```python
report.to_json("report.json")  # and returns the bytes
report = dc.Report.from_json("report.json")  # or from bytes; the very same report
```

{description}

The schema itself, as JSON Schema 2020-12, is `dispatchcount/report/schema.json` in the package; its
keyword `x-index-of` names the table whose rows an index points at. A file is written under a
temporary name and takes its own once it is complete, so a failed write leaves the old one as it
was. Reading needs no torch, and a file that is damaged, has a newer version or is not a report
raises `dispatchcount.ReportError` with the place in it:
`report.json: record.entries.macs[12]: expected an integer from 0 up, got 'x'`.

## With pandas

`report.json` is here that of a small network, with one branch that never ran.

```python
import json

import pandas as pd

with open("report.json", encoding="utf-8") as stream:
    report = json.load(stream)

modules = pd.json_normalize(report["modules"])
biggest = modules.nlargest(3, "self.flops")
print(biggest[["name", "type", "params", "self.flops"]].to_string(index=False))
```

```text
      name        type  params  self.flops
features.0      Conv2d     224       13824
features.1 BatchNorm2d      16        1024
      head      Linear      90          80
```

## With jq

What the block cost, and in which unit:

```sh
jq -r '"\\(.total.flops) flops, \\(.convention.unit)"' report.json
```

```text
14928 flops, 1 MAC = 1 flop, plus norms, upsampling, pooling and grid sampling as fvcore has them
```

The modules that ran, biggest first, without what their children did:

```sh
jq -r '[.modules[] | select(.self.flops > 0)] | sort_by(-.self.flops)[]
  | [.name, .self.flops] | @tsv' report.json
```

```text
features.0	13824
features.1	1024
head	80
```

For a build that must not miss an operator (the exit code is 1 if it does):

```sh
jq -e '.unknown_ops == [] and .failed_ops == []' report.json
```

```text
true
```

# Field by field
"""


def schema_file() -> str:
    """The text of schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def page() -> str:
    """The text of docs/json.md."""
    top = schema()
    parts = [HEAD.format(description=top["description"]), "## Top level\n", _table(top)]
    for name, definition in top["$defs"].items():
        parts.append(f"## `{name}`\n\n{definition['description']}\n")
        if "properties" in definition:
            parts.append(_table(definition))
    return "\n".join(parts)


def _table(definition: dict[str, Any]) -> str:
    lines = ["| field | holds | |", "|---|---|---|"]
    for name, field in definition["properties"].items():
        lines.append(f"| `{name}` | {_type(field)} | {field['description']} |")
        for inner, inner_field in field.get("properties", {}).items():
            lines.append(
                f"| `{name}.{inner}` | {_type(inner_field)} | {inner_field['description']} |"
            )
    return "\n".join(lines) + "\n"


def _type(field: dict[str, Any]) -> str:
    """The type of a field in words."""
    if "x-index-of" in field:
        null = " or null" if "null" in field["type"] else ""
        return f"index in `{field['x-index-of']}`{null}"
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"])
    if field["type"] == "array":
        items = _type(field["items"])
        return f"array of ({items})" if " or " in items else f"array of {items}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'])} by name"
    return " or ".join(field["type"]) if isinstance(field["type"], list) else str(field["type"])


if __name__ == "__main__":
    SCHEMA.write_text(schema_file(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
