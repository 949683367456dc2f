"""The two routes on FastAPI, and one router per feature.

The file is not called fastapi.py, which would shadow the package.
"""

import os
from datetime import UTC, datetime
from typing import Literal

import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    message: str


class Ping(BaseModel):
    ping: str


class Pong(BaseModel):
    status: Literal["ok"] = "ok"
    message: str
    pong: str
    timestamp: str


app = FastAPI()


@app.get("/system/healthz")
async def healthz() -> Health:
    return Health(message="PetSage API is alive and running!")


@app.post("/api/v1/system/smoke-test")
async def smoke_test(body: Ping) -> Pong:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Pong(
        message="PetSage system is operational.",
        pong=body.ping,
        timestamp=now.replace("+00:00", "Z"),
    )


def create_router(name: str) -> APIRouter:
    """Creates the router of a feature, with its own models."""

    class Status(BaseModel):
        status: Literal["ok"] = "ok"
        feature: str
        message: str

    class Request(BaseModel):
        ping: str

    router = APIRouter()

    @router.get("/smoke-test")
    async def get_status() -> Status:
        return Status(feature=name, message=f"PetSage {name} is functional!")

    @router.post("")
    async def submit(body: Request) -> Request:
        return body

    return router


for index in range(int(os.environ.get("FEATURES", "0"))):
    feature_id = f"{index + 1:04}"
    app.include_router(
        create_router(f"feature_{feature_id}"), prefix=f"/feature-{feature_id}"
    )

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
