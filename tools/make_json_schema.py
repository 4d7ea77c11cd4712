"""Write docs/advice.schema.json, the published JSON Schema of every file hwadvisor writes.

Run after a change of advisor/schema; a test fails when the file is behind.
"""

from __future__ import annotations

import json
from pathlib import Path

from advisor.schema import SCHEMA_VERSION, Advice

TARGET = Path(__file__).resolve().parent.parent / "docs" / "advice.schema.json"


def schema_text() -> str:
    """The schema as the file holds it."""
    schema = Advice.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["description"] = (
        "The long form, which --json prints. advice.json holds a short one: an object with the key '$' "
        "stands for the item of that number in the list 'shared', with its other keys laid over it; "
        "'$': [n, 3, 2, 4] lays value, low and high over it; estimates, accelerators and traces leave out "
        "what has its default. advisor.schema.packed.unpack makes the long form of it."
    )
    schema["title"] = f"hwadvisor advice, schema version {SCHEMA_VERSION}"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text(), encoding="utf-8")
    print(TARGET)
