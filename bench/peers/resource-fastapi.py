"""The pet profiles on FastAPI, with SQLAlchemy's ORM on asyncpg.

Each request executes one statement, as the other servers do: the engine commits
automatically, and nothing is read back after a change.
"""

import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field, field_serializer
from pydantic.alias_generators import to_camel
from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PATH = "/api/v1/pet-profiles"

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["DATABASE_POOL_SIZE"]),
    max_overflow=0,
    isolation_level="AUTOCOMMIT",
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class PetProfileRow(Base):
    __tablename__ = "pet_profiles"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True, precision=3))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True, precision=3))
    name: Mapped[str]
    kind: Mapped[str]
    birthday: Mapped[date | None]
    weight: Mapped[float | None]
    tags: Mapped[list[str]] = mapped_column(JSONB)


class CreatePetProfile(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    kind: Literal["dog", "cat"]
    birthday: date | None = None
    weight: float | None = Field(None, ge=0, le=200)
    tags: list[str]


class UpdatePetProfile(BaseModel):
    name: str = Field("", min_length=1, max_length=80)
    kind: Literal["dog", "cat"] = "dog"
    birthday: date | None = None
    weight: float | None = Field(None, ge=0, le=200)
    tags: list[str] = []


class PetProfile(BaseModel):
    model_config = ConfigDict(
        from_attributes=True, alias_generator=to_camel, populate_by_name=True
    )

    id: UUID
    name: str
    kind: Literal["dog", "cat"]
    birthday: date | None
    weight: float | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime

    @field_serializer("created_at", "updated_at")
    def serialize_time(self, value: datetime) -> str:
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")


class PetProfilePage(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    items: list[PetProfile]
    next_cursor: str | None


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]

app = FastAPI()


@app.get("/system/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post(PATH, status_code=201)
async def create_pet_profile(body: CreatePetProfile, session: Session) -> PetProfile:
    now = datetime.now(UTC)
    values = {"id": create_id(), "version": 1, "created_at": now, "updated_at": now}
    row = await session.scalar(
        insert(PetProfileRow).values(values | body.model_dump()).returning(PetProfileRow)
    )
    return PetProfile.model_validate(row)


@app.get(PATH)
async def list_pet_profiles(
    session: Session, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> PetProfilePage:
    statement = select(PetProfileRow).order_by(PetProfileRow.id.desc()).limit(limit + 1)
    rows = (await session.scalars(statement)).all()
    return PetProfilePage(
        items=[PetProfile.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].id) if len(rows) > limit else None,
    )


@app.get(PATH + "/{id}")
async def get_pet_profile(id: UUID, session: Session) -> PetProfile:
    return to_pet_profile(await session.get(PetProfileRow, id))


@app.patch(PATH + "/{id}")
async def update_pet_profile(
    id: UUID, body: UpdatePetProfile, session: Session
) -> PetProfile:
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    row = await session.scalar(
        update(PetProfileRow)
        .where(PetProfileRow.id == id)
        .values(
            changes
            | {"updated_at": datetime.now(UTC), "version": PetProfileRow.version + 1}
        )
        .returning(PetProfileRow)
        .execution_options(synchronize_session=False)
    )
    return to_pet_profile(row)


def to_pet_profile(row: PetProfileRow | None) -> PetProfile:
    if row is None:
        raise HTTPException(404, "Pet profile not found")
    return PetProfile.model_validate(row)


def encode_cursor(last_id: UUID) -> str:
    text = json.dumps([PATH, None, str(last_id)], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def create_id() -> UUID:
    """Creates a UUID of version 7, which Python has only since 3.14."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds << 80) | random
    value = value & ~(0xF << 76) | (7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


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
