"""What goasyncore has beside the drop-in, used by a program that is annotated throughout."""

from __future__ import annotations

import asyncio
import asyncore
import threading
from collections.abc import Callable

import goasyncore


class Impatient(asyncore.dispatcher_with_send):
    timer: goasyncore.Handle | None = None

    def handle_read(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = goasyncore.call_later(1.5, self.close)
        self.send(self.recv(100))

    def handle_close(self) -> None:
        if self.timer is not None and not self.timer.cancelled():
            print("due at", self.timer.when())
        self.close()


def tell(name: str, number: int) -> None:
    print(name, number)


def put_off(channels: dict[int, asyncore.dispatcher]) -> list[goasyncore.Handle]:
    handles: list[goasyncore.Handle] = [
        goasyncore.call_later(1, tell, "one", 1, map=channels),
        goasyncore.call_at(12.5, tell, "two", 2),
        goasyncore.call_soon_threadsafe(tell, "three", 3, map=channels),
    ]
    wake: Callable[[], None] = goasyncore.wake
    threading.Thread(target=wake).start()
    goasyncore.wake(channels)
    return handles


def watch() -> tuple[int, str]:
    goasyncore.slow_handler(0.1)
    goasyncore.slow_handler(None)
    counted: goasyncore.Stats = goasyncore.stats()
    serving: goasyncore.Backend = goasyncore.backend()
    passes: int = counted.passes + counted.events + counted.predicates_asked
    passes += counted.interest_changes + counted.wake_ups
    return passes, serving.name + serving.poller + serving.reason


async def main() -> None:
    channels: dict[int, asyncore.dispatcher] = {}
    goasyncore.attach()
    goasyncore.attach(channels, asyncio.get_running_loop())
    goasyncore.detach(channels)
    goasyncore.detach()
