"""Records the responses of FastAPI on the five routes. fastapi.e2e-spec.ts compares with them.

    python3 -m venv /tmp/fastapi
    /tmp/fastapi/bin/pip install fastapi httpx
    /tmp/fastapi/bin/python test/fastapi/record.py
"""

import base64
import json
import platform
from datetime import datetime, timezone
from pathlib import Path

import fastapi
import pydantic
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()


class EchoRequest(pydantic.BaseModel):
    ping: str


def now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


@app.get("/api/v1/smoke-test")
def system_a():
    return {
        "status": "ok",
        "message": "PetSage Smoke Test: Service is operational.",
        "timestamp": now(),
    }


@app.get("/system/healthz")
def system_b():
    return {"status": "ok", "message": "PetSage API is alive and running!"}


@app.get("/smoke-test")
def system_c():
    return {"status": "ok", "feature": "smoke_test", "message": "PetSage builder is functional!"}


@app.get("/v1/health/smoke-test")
def system_d():
    return {
        "status": "ok",
        "message": "PetSage service is running and logging is operational.",
        "timestamp": now(),
    }


@app.post("/api/v1/system/smoke-test")
def system_e(body: EchoRequest):
    return {
        "status": "ok",
        "message": "PetSage system is operational.",
        "pong": body.ping,
        "timestamp": now(),
    }


GETS = ["/api/v1/smoke-test", "/system/healthz", "/smoke-test", "/v1/health/smoke-test"]
ECHO = "/api/v1/system/smoke-test"
JSON = "application/json"

PINGS = [
    '""', '"a"', '"\\u0000\\u0001"', '"\u00e9\U0001f600\u05e9\u05dc\u05d5\u05dd"', '"\\ud800"',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"', "5", "-1.5", "0", "1e3", "true", "false", "null", "[]", '["a"]',
    "{}", '{"a":{"b":[null]}}', '{"__proto__":{"x":1},"constructor":5}', "NaN", "1e400",
    "12345678901234567890",
]  # fmt: skip
BODIES = [
    "", " ", "null", "{}", "[]", "[1]", '"text"', "5", "true", '{"ping":1,"ping":"b"}',
    '{"ping":"a","more":{"x":[1]}}', '{"Ping":"a"}', '{"constructor":5}', '{"__proto__":5}',
    ' \n\t{"ping" : "a"}\r\n ', '\ufeff{"ping":"a"}',
]  # fmt: skip
BROKEN = [
    "{", "[", "}", "]", '"', '"a', "'a'", "nul", "truee", "-", "01", "1.", ".5", "+1", "1e", "0x1",
    "{]", "[}", "{,}", "[,]", "[1,]", "[1 2]", "[1", "[1,", '["\u00e9\U0001f600",', "{a:1}", '{"a"',
    '{"a":', '{"a" 1}', '{"a":1', '{"a":1,', '{"a":1,}', '{"a":1 "b":2}', '{"a":1;}', '{"ping":"a"} x',
    '{"ping":"a"}{}', '{"ping":"a\nb"}', '{"ping":"a\tb"}', '{"a":"\\x"}', '{"a":"\\', '{"a":"\\u12"}',
    '{"a":"\\u', '{"a":"\\u123', '"\\u1234', '"\\uzzzz"', "{'ping':'a'}", "undefined", "\x00",
    '{"\U0001f600":"\U0001f600",}', "/* c */ {}", "\u00a0{}",
]  # fmt: skip
TYPES = [
    None, "", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json",
    "application/json ; x", "application/json, text/plain", "application/jsonx", "application",
    "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/octet-stream", "image/svg+json", "application/json; charset=latin1", ";",
]  # fmt: skip
RAW = {
    "bytes that are no UTF-8": b'{"ping":"\xff"}',
    "UTF-16": '{"ping":"a"}'.encode("utf-16"),
    "900 arrays": b"[" * 900 + b"]" * 900,
    "3000 arrays": b"[" * 3000 + b"]" * 3000,
    "3000 arrays beside ping": b'{"ping":"a","b":' + b"[" * 3000 + b"]" * 3000 + b"}",
    "3000 open arrays": b"[" * 3000,
}


def requests():
    for path in GETS:
        yield f"GET {path}", "GET", path, {}, b""
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]:
            yield f"{method} {path}", method, path, {}, b""
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]:
        yield f"{method} {ECHO}", method, ECHO, {}, b""
    for path in ["/nope", "/smoke", "/System/healthz", "//smoke-test", "/smoke-test/x", "/api",
                 "/smoke-test/", "/smoke%2Dtest", "/smoke-test%2F"]:
        yield f"GET {path}", "GET", path, {}, b""
    yield "GET with a query", "GET", "/smoke-test?a=1&a=2", {}, b""
    yield "GET with a broken body", "GET", "/smoke-test", {"content-type": JSON}, b"{"
    yield "unknown path with a broken body", "POST", "/nope", {"content-type": JSON}, b"{"
    yield "other method with a broken body", "POST", "/smoke-test", {"content-type": JSON}, b"{"
    for ping in PINGS:
        yield f"ping {ping}", "POST", ECHO, {"content-type": JSON}, ('{"ping":%s}' % ping).encode()
    for body in BODIES + BROKEN:
        yield f"body {body}", "POST", ECHO, {"content-type": JSON}, body.encode()
    for name, body in RAW.items():
        yield name, "POST", ECHO, {"content-type": JSON}, body
    for content_type in TYPES:
        headers = {} if content_type is None else {"content-type": content_type}
        for body in [b'{"ping":"a"}', b"ping=a", b""]:
            yield f"{content_type} {body.decode()}", "POST", ECHO, headers, body


def is_json(response) -> bool:
    return response.headers.get("content-type") == JSON


def record():
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    for name, method, path, headers, body in requests():
        response = client.request(method, path, headers=headers, content=body)
        yield {
            "name": name,
            "method": method,
            "path": path,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "response": {
                "status": response.status_code,
                "allow": response.headers.get("allow"),
                "body": response.json() if is_json(response) else response.text,
            },
        }


if __name__ == "__main__":
    versions = {
        "fastapi": fastapi.__version__,
        "pydantic": pydantic.__version__,
        "python": platform.python_version(),
    }
    lines = [json.dumps(recording) for recording in record()]
    target = Path(__file__).parent / "recordings.json"
    target.write_text(
        '{"versions": %s, "recordings": [\n%s\n]}\n' % (json.dumps(versions), ",\n".join(lines))
    )
    print(f"{len(lines)} recordings in {target}")
