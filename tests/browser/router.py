"""A stand-in for Heroku's router: it terminates TLS and adds X-Forwarded-Proto."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

HOST = "127.0.0.1"
HEAD_END = b"\r\n\r\n"
Result = TypeVar("Result")


@contextmanager
def routing(port: int, context: ssl.SSLContext | None) -> Iterator[int]:
    """Pass requests on to a server's port; yield the port that accepts them, with or without TLS.

    Each connection serves one request; its body and the response are not changed.
    """
    loop = asyncio.new_event_loop()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        connections.add(task)
        try:
            await _pass_on(reader, writer, port, "https" if context else "http")
        finally:
            connections.discard(task)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(task: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(task, loop).result()

    try:
        server = run(asyncio.start_server(serve, HOST, 0, ssl=context))
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            run(_end(server, connections))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server, connections: set["asyncio.Task[None]"]) -> None:
    server.close()
    for task in list(connections):
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, scheme: str
) -> None:
    # Browsers open connections in advance and don't use all of them.
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(HEAD_END)
        answers, server = await asyncio.open_connection(HOST, port)
        try:
            server.write(_routed(head, scheme))
            body = asyncio.create_task(_copy(reader, server))
            try:
                await _copy(answers, writer)
            finally:
                body.cancel()
        finally:
            server.close()
    writer.close()


def _routed(head: bytes, scheme: str) -> bytes:
    """Add the router's header (Heroku Dev Center, "HTTP Routing"), and disable keep-alive."""
    first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
    hidden = (b"connection:", b"x-forwarded-proto:")
    kept = [line for line in lines if not line.lower().startswith(hidden)]
    added = [b"Connection: close", f"X-Forwarded-Proto: {scheme}".encode()]
    return b"\r\n".join([first, *kept, *added]) + HEAD_END


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
