"""
Owns time and chance as the client sees them, so that a test moves the time and draws the numbers.
Never decides anything. Invariant: whoever waits does it here, and in nothing else.
"""

import asyncio
import random
import time


class Clock:
    """The machine's own."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()  # noqa: S311  (spreads retries; nothing is secret)

    def sleep(self, seconds: float) -> None:
        """Returns after so many seconds."""
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """The same without holding up others."""
        await asyncio.sleep(seconds)
