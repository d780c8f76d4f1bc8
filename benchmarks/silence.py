"""Measure a site under load while S3 accepts connections, but doesn't respond.

gunicorn has two workers with four threads each. Eight clients request a page that doesn't need S3,
and eight one that does. A request is lost if it gets no response with status 200 within 30 s, after
which Heroku's router gives up.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from benchmarks.contestants import Deployment
from benchmarks.lab import Lab, lab
from benchmarks.results import Measure, take_turns
from benchmarks.website import MEDIA, ask, serve

CLIENTS, WORKERS, THREADS = 8, 2, 4
BEFORE, SILENT, AFTER = 5.0, 20.0, 40.0  # seconds
ROUTER = 30.0  # seconds
PAUSE = 0.1  # seconds between a client's requests


class Answer(NamedTuple):
    """A response; times are seconds of the monotonic clock."""

    page: str
    begin: float
    seconds: float
    right: bool


def main(options: argparse.Namespace) -> None:
    """Measure the contestants in turns."""
    with lab(options, [f"{who}-site" for who in MEDIA]) as place:
        cases: dict[str, Measure] = {who: partial(_round, place, who) for who in MEDIA}
        take_turns(place.results("silence"), cases, options.rounds)


def _round(place: Lab, who: str, _: int) -> Iterator[dict[str, Any]]:
    root, scripts = place.folder(), place.environments[f"{who}-site"]
    with place.buckets.new(f"bench-{os.getpid()}-{time.time_ns()}") as bucket:
        for key in ("media/stored.txt", "static/stored.txt"):  # each contestant's location
            place.buckets.client.put_object(Bucket=bucket, Key=key, Body=b"stored")
        deployment = Deployment(place.far, bucket, root, root, scripts)
        with serve(who, deployment, place.folder(), WORKERS, THREADS) as port:
            yield _load(place, port)


def _load(place: Lab, port: int) -> dict[str, Any]:
    answers: list[Answer] = []
    ended = threading.Event()

    def client(page: str) -> None:
        while not ended.is_set():
            begin = time.monotonic()
            try:
                status, seconds = ask(port, page, ROUTER)
            except ConnectionRefusedError:
                status, seconds = 0, 0.0
            answers.append(Answer(page, begin, seconds, status == 200))
            ended.wait(PAUSE)

    clients = [
        threading.Thread(target=client, args=[page])
        for page in ("plain", "stored")
        for _ in range(CLIENTS)
    ]
    for thread in clients:
        thread.start()
    try:
        time.sleep(BEFORE)
        place.distance.tell("mute")
        silent = time.monotonic()
        time.sleep(SILENT)
        place.distance.tell("unmute")
        back = time.monotonic()
        time.sleep(AFTER)
    finally:
        place.distance.tell("unmute")
        ended.set()
        for thread in clients:
            thread.join()
    return _judged(answers, silent, back)


def _judged(answers: list[Answer], silent: float, back: float) -> dict[str, Any]:
    plain = [one for one in answers if one.page == "plain"]
    stored = [one for one in answers if one.page == "stored"]
    if not all(one.right for one in stored if one.begin + one.seconds < silent):
        raise SystemExit("error: pages with S3 failed before S3 fell silent")
    wrong = [one.begin + one.seconds for one in stored if not one.right]
    meanwhile = [one.seconds for one in plain if silent - one.seconds <= one.begin <= back]
    return {
        "plain_pages": len(plain),
        "plain_lost": sum(not one.right for one in plain),
        "plain_slowest": round(max(meanwhile, default=0.0), 3),
        "stored_slowest": round(max(one.seconds for one in stored), 3),
        "stored_failed": len(wrong),
        # AFTER seconds mean that failures didn't end while this was measured
        "right_after": round(max(0.0, max(wrong, default=back) - back), 3),
    }
