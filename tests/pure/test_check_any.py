"""Whatever a plan is, pre-flight foresees it in bounded time and never breaks: figures are finite and not negative."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ald_controller.check import check_json, check_text, outlook
from ald_controller.foresight import reactor
from ald_controller.registers import PLANNED
from ald_controller.yamlfile import Problems, parse
from tests.foresee import SILICON, ahead
from tests.recipe_bench import chemistry, loaded, plan, tool

PORTS = ("TMA", "H2O", "LTB", "GL", "EG", "spare")
NAMES = sorted(chemistry().precursors)
TIMES = st.sampled_from(("10 ms", "15 ms", "200 ms", "1 s"))
PAUSES = st.sampled_from(("0 s", "500 ms", "1 s", "9 s", "60 s", "3 h"))
SUBSTRATES = (
    "silicon",
    "CNT sponge",
    "{material: copper, area: 100 m2, aspect_ratio: 3000}",
    "{material: glass, area: 1 cm2}",
)


def step(precursor: str, width: str, hold: str, shots: int, shut: bool) -> str:
    more = f", times: {shots}, every: 3 s" if shots > 1 else ""
    if shut:
        return f"expose: {{precursor: {precursor}, pulse: {width}, hold: {hold}, flow: 2 sccm{more}}}"
    return f"pulse: {{precursor: {precursor}, time: {width}{more}}}"


@st.composite
def recipes(draw: st.DrawFn) -> tuple[str, list[str]]:
    hung = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    celsius = draw(st.sampled_from((40, 150, 250)))
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        shots, shut = draw(st.sampled_from((1, 1, 4))), draw(st.booleans())
        name = json.dumps(draw(st.sampled_from(hung)))
        lines += [step(name, draw(TIMES), draw(PAUSES), shots, shut), f"purge: {draw(PAUSES)}"]
    head = SILICON.replace("silicon", draw(st.sampled_from(SUBSTRATES)))
    body = "".join(f"        - {line}\n" for line in lines)
    heat = f"  - heat: {{substrate: {celsius} °C, chamber: {celsius} °C}}\n"
    flow = f"prepare:\n  - flow: {{carrier: {draw(st.sampled_from((1, 20, 100)))} sccm}}\n"
    times = draw(st.sampled_from((1, 7, 100_000)))
    repeat = f"  - repeat:\n      times: {times}\n      name: c\n      steps:\n{body}"
    return f"{head}{flow}{heat}deposit:\n{repeat}finish: []\n", hung


def numbers(data: Any) -> list[float]:
    if isinstance(data, dict):
        return [n for value in data.values() for n in numbers(value)]
    if isinstance(data, list):
        return [n for value in data for n in numbers(value)]
    return [float(data)] if isinstance(data, int | float) and not isinstance(data, bool) else []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recipes())
def test_any_plan_is_foreseen_with_finite_figures(drawn: tuple[str, list[str]]) -> None:
    written, hung = drawn
    known = loaded({"CNT": "carbon", "{ma": "copper"}.get(written.split("substrate: ")[1][:3], "silicon"))
    if "glass" in written:
        known = loaded("glass")
    for port, name in zip(PORTS, [*hung, *["water"] * 6], strict=False):
        card = {"label": "x", "precursor": name, "grams": "1 g"}
        known = known.set(f"bottle.{port}", card, PLANNED, "planned", chemistry())
    for port in PORTS[len(hung) :]:
        known = known.without(f"bottle.{port}")
    try:
        made = plan(written, registers=known)
    except Problems:
        return
    begun = time.process_time()
    found = outlook(parse(written, "r.yaml"), {}, made, known, chemistry(), tool().config, 0.0)
    assert time.process_time() - begun < 5.0
    data = json.loads(check_json(made, {}, found))
    for figure in numbers(data["forecast"]):
        assert math.isfinite(figure) and figure >= -1.0  # a share more can be a share less
    for cycle in data["forecast"]["cycles"]:
        for half in cycle["halves"]:
            assert 0.0 <= (half["coverage"] or 0.0) <= 1.0 and half["grams"] >= 0.0
    assert max(map(len, check_text(made, {}, found).splitlines())) <= 120


def test_a_plan_of_many_different_cycles_says_how_many_it_left_out() -> None:
    lines = [
        f"  - pulse: {{precursor: {p}, time: {15 + i} ms}}\n  - purge: 9 s\n"
        for i in range(60)
        for p in ("TMA", "water")
    ]
    heat = "prepare:\n  - flow: {carrier: 20 sccm}\n  - heat: {substrate: 150 °C, chamber: 150 °C}\n"
    found = ahead(f"{SILICON}{heat}deposit:\n{''.join(lines)}finish: []\n")
    assert len(found.forecast.cycles) == 24 and found.forecast.not_modelled == 36
    assert found.forecast.layers[0].saturated is not None


def test_a_thousand_shots_are_not_followed_for_ever() -> None:
    begun = time.process_time()
    shots = "{pulse: {precursor: TMA, time: 15 ms, times: 100, every: 1 s}}, {purge: 1 s}, " * 10
    heat = "prepare:\n  - flow: {carrier: 20 sccm}\n  - heat: {substrate: 150 °C, chamber: 150 °C}\n"
    steps = f"[{shots}{{purge: 9 s}}, {{pulse: {{precursor: water, time: 1 s}}}}, {{purge: 24 h}}]"
    ahead(f"{SILICON}{heat}deposit:\n  - repeat: {{times: 9, name: c, steps: {steps}}}\nfinish: []\n")
    assert time.process_time() - begun < 6.0


@pytest.mark.parametrize(("area", "covered"), [("100 m2", 0.5), ("20 cm2", 1.0)])
def test_shots_that_are_alike_give_what_following_each_of_them_gives(
    area: str, covered: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without leaving out; on a large sample each shot finds fewer sites than the one before."""
    shots = "pulse: {precursor: TMA, time: 10 ms, times: 120, every: 1 s}"
    water = "pulse: {precursor: water, time: 5 s, times: 3, every: 9 s}"
    written = (
        f"recipe: t\nsubstrate: {{material: silicon, area: {area}}}\nprovenance: read\n"
        "prepare:\n  - flow: {carrier: 20 sccm}\n  - heat: {substrate: 150 °C, chamber: 150 °C}\n"
        "deposit:\n  - repeat: {times: 9, name: c, steps: ["
        f"{{{shots}}}, {{purge: 9 s}}, {{{water}}}, {{purge: 9 s}}]}}\nfinish: []\n"
    )
    short = ahead(written).forecast.cycles[0]
    assert short.halves[0].coverage == pytest.approx(covered, abs=0.2)
    monkeypatch.setattr(reactor, "ALIKE", 10_000)
    whole = ahead(written).forecast.cycles[0]
    assert short.growth == pytest.approx(whole.growth, rel=0.01)
    for less, each in zip(short.halves, whole.halves, strict=True):
        assert less.exposure_l == pytest.approx(each.exposure_l, rel=0.01)
        assert less.grams == pytest.approx(each.grams, rel=0.01)


def test_ten_thousand_steps_of_one_precursor_are_foreseen_soon() -> None:
    begun = time.process_time()
    steps = "  - pulse: {precursor: water, time: 30 ms}\n  - purge: 1 s\n" * 5000
    found = ahead(f"{SILICON}prepare:\n  - flow: {{carrier: 20 sccm}}\ndeposit:\n{steps}finish: []\n")
    assert found.forecast.cycles[0].halves[0].grams == pytest.approx(2.14, rel=0.01)
    assert time.process_time() - begun < 2.0
