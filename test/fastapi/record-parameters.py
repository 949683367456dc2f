"""Records how FastAPI parses queries and paths. parameters.e2e-spec.ts compares with it.

    python3 -m venv /tmp/fastapi
    /tmp/fastapi/bin/pip install fastapi httpx
    /tmp/fastapi/bin/python test/fastapi/record-parameters.py
"""

import enum
import json
import platform
import uuid
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import fastapi
import pydantic
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

app = FastAPI()


class Kind(str, enum.Enum):
    dog = "dog"
    cat = "cat"


class Size(enum.IntEnum):
    small = 1
    large = 2


class PetQuery(BaseModel):
    limit: int = Field(ge=1, le=100)
    ratio: float | None = Field(None, allow_inf_nan=False)
    active: bool | None = None
    id: uuid.UUID | None = None
    kind: Kind | None = None
    size: Size | None = None
    sort: Literal["asc", "desc"] | None = None
    tag: list[str] | None = None
    ids: list[Annotated[int, Field(ge=1)]] | None = None
    q: str | None = Field(None, min_length=2)


class ListQuery(BaseModel):
    tag: list[str]
    limit: int


class PetBody(BaseModel):
    name: str


@app.get("/pets")
def read_pets(query: Annotated[PetQuery, Query()]):
    return query.model_dump(exclude_unset=True, mode="json")


@app.get("/lists")
def read_lists(query: Annotated[ListQuery, Query()]):
    return query.model_dump(exclude_unset=True, mode="json")


@app.post("/pets/{id}")
def update_pet(id: int, query: Annotated[PetQuery, Query()], body: PetBody):
    return {"id": id, "limit": query.limit, "name": body.name}


ID = "12345678-1234-4234-9234-123456789012"
VALUES = {
    "limit": [
        "5", " 5 ", "\t5\n", "\u00a05", "+5", "5.0", "5.00", "1_0", "1_0.0", "05", "", "abc", "5.5", "5.", ".0",
        "1e1", "0x10", "1__0", "_5", "5_", "+-5", "--5", "+ 5", "\uff19", "true", "5.0e0", "1,2", "null", "0",
        "-0", "-5", "101", "100", "00", "\U0001f436",
    ],
    "limit=1&ratio": [
        "1", "1.", ".5", "1.5", " 1.5 ", "1e3", "1E3", "+1", "-1.5", "1_0.5", "1e1_0", "05", "", "abc", "0x1",
        "1__0", "_1", "1d", "1.5f", "inf", "-inf", "+inf", "Infinity", "nan", "NaN", "-nan", "1e400", ".", "1e",
        "e1",
    ],
    "limit=1&active": [
        *"true True TRUE 1 yes YES on On t T y false 0 no off f F n N".split(),
        "", "2", "truee", "1.0", " true", "true ", "null", "none",
    ],
    "limit=1&id": [
        ID, ID.upper(), ID.replace("-", ""), "{" + ID + "}", "urn:uuid:" + ID, "abc", "", ID[:-1],
        "z" + ID[1:], " " + ID,
    ],
}  # fmt: skip
QUERIES = [
    "", "q=ab", "limit", "limit=1&limit=2", "limit=a&limit=2", "limit=2&limit=a", "limit=1&kind=dog",
    "limit=1&kind=cow", "limit=1&kind=", "limit=1&size=1", "limit=1&size=3", "limit=1&size=a",
    "limit=1&sort=asc", "limit=1&sort=x", "limit=1&tag=a", "limit=1&tag=a&tag=b", "limit=1&tag=",
    "limit=1&ids=1", "limit=1&ids=1&ids=2", "limit=1&ids=1&ids=x&ids=0", "limit=1&ids=", "limit=1&ids=1,2",
    "limit=1&q=ab", "limit=1&q=a", "limit=1&q=abc&q=a", "limit=0&ratio=x&active=x&id=x&more=1",
    "more=1&q=ab&more=2", "limit=1&a[b]=c", "limit=1&__proto__=x&constructor=y&toString=z",
]  # fmt: skip
REQUESTS = [
    *(("GET", f"/pets?{key}={quote(value)}", None) for key in VALUES for value in VALUES[key]),
    *(("GET", f"/pets?{query}", None) for query in QUERIES),
    *(("GET", f"/lists?{query}", None) for query in ["", "tag=a", "tag=a&limit=x", "limit=1&tag=a&tag=b"]),
    *(
        ("POST", path, {"name": "a"})
        for path in ["/pets/5?limit=1", "/pets/x?limit=1", "/pets/5?limit=x", "/pets/%20?limit=1"]
    ),
    ("POST", "/pets/5?limit=1", {}),
]


def record(method, path, body):
    response = TestClient(app).request(method, path, json=body)
    return {
        "request": {"method": method, "path": path, "body": body},
        "response": {"status": response.status_code, "body": response.json()},
    }


versions = {
    "fastapi": fastapi.__version__,
    "pydantic": pydantic.VERSION,
    "python": platform.python_version(),
}
lines = ",\n".join(json.dumps(record(*request), ensure_ascii=False) for request in REQUESTS)
Path(__file__).with_name("parameters.json").write_text(
    f'{{"versions": {json.dumps(versions)}, "recordings": [\n{lines}\n]}}\n'
)
