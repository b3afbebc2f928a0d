"""The glovebox while its purifier regenerates: said by a person, until a time, and over with ten good minutes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ald_controller.interlocks.glovebox import analysers
from ald_controller.interlocks.glovebox_measures import one_sided
from ald_controller.interlocks.measures import Input, Quality, Samples
from ald_controller.interlocks.setting import Setting

GOOD_S = 600.0
LONGEST_S = 24 * 3600.0  # the longest regeneration that is known takes 20 h


@dataclass(frozen=True, slots=True)
class Regeneration:
    """Who has said so, until when in loop seconds, and since when the air has been good."""

    by: str
    until_s: float
    good_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Air:
    """What tells that the air of the box is good: every analyser, below the warning limit."""

    analysers: tuple[Input, ...]
    limit_ppm: float

    @staticmethod
    def of(setting: Setting) -> Air:
        inputs = (one_sided(setting.config, signal, 10.0) for signal in analysers(setting).values())
        return Air(tuple(inputs), setting.config.limits.glovebox_warn)

    def good(self, samples: Samples, now_s: float) -> bool:
        """Whether every analyser is believable and below the limit; never true without one."""
        return bool(self.analysers) and all(self._below(source, samples, now_s) for source in self.analysers)

    def _below(self, source: Input, samples: Samples, now_s: float) -> bool:
        sample = samples.get(source.signal)
        if sample is None or sample.quality is not Quality.GOOD or source.fault(sample, now_s):
            return False
        return sample.value < self.limit_ppm


def step(mode: Regeneration | None, good: bool, now_s: float) -> Regeneration | None:
    """One look; None = the box is ready."""
    if mode is None or now_s >= mode.until_s:
        return None
    if not good:
        return replace(mode, good_since_s=None)
    since_s = now_s if mode.good_since_s is None else mode.good_since_s
    return None if now_s - since_s >= GOOD_S else replace(mode, good_since_s=since_s)
