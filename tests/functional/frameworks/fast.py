"""From FastAPI's tutorial: parameters, bodies, dependencies, files, background tasks, a lifespan."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

done: list[str] = []


class Item(BaseModel):
    name: str
    price: float
    tax: float | None = None


@asynccontextmanager
async def lifespan(its_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    done.append("started")
    yield {"model": "loaded"}
    print("fast: the lifespan has ended", flush=True)


app = FastAPI(lifespan=lifespan)


async def common(q: str | None = None, skip: int = 0, limit: int = 100) -> dict[str, Any]:
    return {"q": q, "skip": skip, "limit": limit}


def token(x_token: Annotated[str, Header()]) -> str:
    if x_token != "secret":
        raise HTTPException(status_code=400, detail="X-Token header invalid")
    return threading.current_thread().name


@app.get("/items/")
async def items(commons: Annotated[dict[str, Any], Depends(common)]) -> dict[str, Any]:
    return commons


@app.get("/items/{item_id}")
def item(item_id: int, request: Request) -> dict[str, Any]:
    return {"item_id": item_id, "url": str(request.url_for("item", item_id=item_id)), "model": request.state.model}


@app.put("/items/{item_id}")
async def update(item_id: int, changed: Item) -> dict[str, Any]:
    return {"item_id": item_id, **changed.model_dump()}


@app.get("/guarded")
def guarded(thread: Annotated[str, Depends(token)]) -> str:
    return thread


@app.post("/upload")
async def upload(request: Request) -> int:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return size


@app.get("/stream")
async def stream(count: int = 3) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"line {number}\n"
            await asyncio.sleep(0.001)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/endless")
async def endless() -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)
        finally:
            done.append("endless ended")

    return StreamingResponse(lines())


@app.post("/notify")
async def notify(tasks: BackgroundTasks) -> str:
    async def later() -> None:
        await asyncio.sleep(0.01)
        done.append("notified")

    tasks.add_task(later)
    return "accepted"


@app.get("/done")
async def tell() -> list[str]:
    return done


@app.get("/fails")
async def fails() -> None:
    raise ValueError("an endpoint that fails")
