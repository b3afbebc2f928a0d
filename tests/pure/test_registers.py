"""Registers: typed, signed, never defaulted, and durable."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.chemistry import ALKALI_METALS
from ald_controller.registers import RegisterFile, Registers
from ald_controller.yamlfile import Problems, parse
from tests.recipe_bench import ROOT, chemistry, simulated


def set_one(name: str, value: object, registers: Registers | None = None) -> Registers:
    return (registers or Registers()).set(name, value, "Ann", "2025-05-05T08:00:00Z", chemistry())


def test_what_nobody_has_said_is_lithium() -> None:
    assert Registers().is_lithium
    assert Registers().load_material is None
    assert set_one("load", "{material: Li foil}").is_lithium
    assert not set_one("load", "{material: Si}").is_lithium
    assert set_one("load", "{material: Si}").without("load").is_lithium


@pytest.mark.parametrize("metal", ["Na", "potassium foil"])
def test_an_alkali_metal_is_held_for_lithium_at_least(metal: str) -> None:
    registers = set_one("load", f"{{material: {metal}}}")
    assert registers.is_lithium and registers.is_unguarded
    assert not set_one("load", "{material: Li}").is_unguarded and not Registers().is_unguarded


def test_every_material_of_the_table_that_melts_below_lithium_is_one_that_the_code_knows() -> None:
    melting = [name for name, one in chemistry().materials.items() if one.why.startswith("melts")]
    assert sorted(melting) == ["lithium", "potassium", "sodium"] and ALKALI_METALS.issuperset(melting)


@pytest.mark.parametrize(("written", "argon"), [
    ("{gas: argon, id: AR-1}", True), ("{gas: Argon , id: AR-1}", True), ("{gas: nitrogen, id: N-1}", False),
    ("{gas: argon 4.6, id: AR-1}", False),
])  # fmt: skip
def test_only_a_cylinder_that_is_signed_for_as_argon_is_argon(written: str, argon: bool) -> None:
    assert set_one("cylinder", written).argon is argon
    assert not Registers().argon


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("load", "{material: lithum}", "register load:1:12: 'lithum' is not in the table of materials; did you mean"),
        ("load", "{material: silicon, peices: 3}", "unknown key 'peices'"),
        ("load", "silicon", "keys and values are expected here; got 'silicon'"),
        ("load", {"pieces": 3}, "'material' is missing here"),
        ("leak", "2", "'2' has no unit: write one of Pa/s, Torr/s, mbar/s, mTorr/min"),
        ("leak", 2, "'2' has no unit"),
        ("seasoned", "yes", "true or false is expected; got 'yes'"),
        (
            "lek",
            "2 mTorr/min",
            "there is no register 'lek'; there are: ",
        ),
        ("bottle.", "{label: a, precursor: TMA}", "there is no register 'bottle.'"),
        ("bottle.TMA", "{label: a, precursor: TNA}", "'TNA' is not in the table of precursors; did you mean 'TMA'?"),
        ("bottle.TMA", "{label: a, precursor: TMA, grams: 3}", "'3' has no unit: write one of g, mg"),
        ("bottle.TMA", "{precursor: TMA}", "'label' is missing here"),
        ("leak", "[", "is not YAML"),
    ],
)
def test_a_value_that_is_not_one_is_refused_with_what_would_be(name: str, value: object, says: str) -> None:
    with pytest.raises(Problems) as refused:
        set_one(name, value)
    assert says in str(refused.value)


def test_a_register_without_a_signature_is_refused() -> None:
    with pytest.raises(Problems):
        Registers().set("seasoned", "true", "", "now", chemistry())


def test_names_are_resolved_and_what_was_written_is_kept() -> None:
    registers = set_one("bottle.X", "{label: a, precursor: LTB, grams: 500 mg}")
    assert registers.rack() == {"X": "LiOtBu"}
    assert registers.bottles()["X"].grams == 0.5
    assert registers.dump()["registers"]["bottle.X"]["value"]["precursor"] == "LTB"


def test_registers_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "registers.yaml"
    file = RegisterFile(path, chemistry())
    assert file.registers == Registers()
    file.set("leak", "2 mTorr/min", "Ännchen 😀", "2025-05-05T08:00:00Z")
    file.set("load", "{material: Li, samples: [A 1, B 2], pieces: 2}", "Ann", "2025-05-05T09:00:00Z")
    assert RegisterFile(path, chemistry()).registers == file.registers
    assert file.registers.entries["leak"].by == "Ännchen 😀"
    file.drop("load")
    assert file.registers.is_lithium  # at once, whatever the disk does
    file.save(file.registers)
    assert "load" not in RegisterFile(path, chemistry()).registers.entries


def test_a_register_is_struck_out_of_the_file_where_it_lies_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "registers.yaml"
    file = RegisterFile(path, chemistry())
    for name, value in {"leak": "2 mTorr/min", "load": "{material: copper}", "seasoned": "true"}.items():
        file.set(name, value, "Ann", "now")
    size = path.stat().st_size
    file.drop("load")
    assert file.strike("load") and not file.strike("load")
    assert path.stat().st_size == size  # a full disk has no room for more
    assert RegisterFile(path, chemistry()).registers == file.registers
    path.write_text(path.read_text().replace('"leak"', "leak"))  # as a person writes it
    assert file.strike("leak")
    assert set(RegisterFile(path, chemistry()).registers.entries) == {"seasoned"}


def test_a_refused_value_leaves_file_and_registers_alone(tmp_path: Path) -> None:
    file = RegisterFile(tmp_path / "r.yaml", chemistry())
    file.set("seasoned", "true", "Ann", "now")
    before = (tmp_path / "r.yaml").read_bytes()
    with pytest.raises(Problems):
        file.set("seasoned", "perhaps", "Ann", "now")
    assert (tmp_path / "r.yaml").read_bytes() == before
    assert file.registers.get("seasoned") is True


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RegisterFile(tmp_path / "r.yaml", chemistry())
    file.set("seasoned", "true", "Ann", "now")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.set("seasoned", "false", "Ann", "now")
    monkeypatch.undo()
    assert file.registers.get("seasoned") is True
    assert RegisterFile(tmp_path / "r.yaml", chemistry()).registers.get("seasoned") is True


def test_a_damaged_file_is_refused_with_every_place() -> None:
    text = "registers:\n  leak: {value: 2, by: a, at: b}\n  lod: {value: x, by: a, at: b}\n  seasoned: {value: true}\n"
    with pytest.raises(Problems) as refused:
        Registers.of(parse(text, "reg.yaml"), chemistry())
    found = [str(p) for p in refused.value.problems]
    assert [p.split(" ", 1)[0] for p in found] == [
        "reg.yaml:2:17:",
        "reg.yaml:3:16:",
        "reg.yaml:4:13:",
        "reg.yaml:4:13:",
    ]


def test_a_planned_load_and_rack_stand_in_for_what_is_recorded() -> None:
    planned = simulated().with_load(parse("{material: silicon}", "load.yaml"), chemistry())
    assert not planned.is_lithium
    rack = simulated().with_rack(
        parse("{TMA: DEZ, GL: {label: b, precursor: GL, grams: 3 g}}", "rack.yaml"), chemistry()
    )
    assert rack.rack() == {"TMA": "DEZ", "GL": "glycerol"}
    with pytest.raises(Problems, match=r"rack.yaml:1:7: 'DEX' is not in the table of precursors"):
        simulated().with_rack(parse("{TMA: DEX}", "rack.yaml"), chemistry())


def test_the_shipped_registers_are_marked_as_simulated_and_hold_no_load() -> None:
    registers = simulated()
    assert registers.simulated
    assert registers.load_register() is None
    assert set(registers.rack()) == {"TMA", "H2O", "LTB", "GL", "EG"}
    assert (ROOT / "deploy" / "registers-simulated.yaml").exists()


def test_the_hash_changes_with_every_value_and_signature() -> None:
    one = set_one("seasoned", "true")
    assert one.hash() != set_one("seasoned", "false").hash()
    assert one.hash() != one.set("seasoned", "true", "Bob", "2025-05-05T08:00:00Z", chemistry()).hash()
    assert one.hash() == set_one("seasoned", True).hash()
