"""Strict YAML: what a person wrote, at its place, and nothing guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ald_controller import units
from ald_controller.yamlfile import MAX_BYTES, MAX_DEPTH, Problems, parse, read, validate


def refused(text: str | bytes) -> str:
    with pytest.raises(Problems) as error:
        parse(text, "f.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", "010"), ("1:30", "1:30"), ("NO", "NO"), ("on", "on"), ("Yes", "Yes"), ("1e3", "1e3"), ("0x1f", "0x1f"),
        ("1_000", "1_000"), ("2020-01-01", "2020-01-01"), (".nan", ".nan"), (".inf", ".inf"), ("+5", "+5"),
        ("True", "True"),
        ("'5'", "5"), ('"true"', "true"), ("5", 5), ("-5", -5), ("0", 0), ("1.50", 1.5), ("true", True),
        ("false", False),
        ("~", None), ("null", None), ("=", "="), ("<<", "<<"), ("| \n 5\n", "5\n"), ("5.", "5."), (".5", ".5"),
        ("1234567890123456789012", "1234567890123456789012"),
    ],
)  # fmt: skip
def test_only_plain_numbers_and_truth_values_are_more_than_text(text: str, value: object) -> None:
    data = parse(f"a: {text}", "f.yaml").data["a"]
    assert data == value
    assert type(data) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x 1\nb: *x", "f.yaml:1:4: anchors and aliases"),
        ("a: !!python/name:os.system x", "f.yaml:1:4: the tag tag:yaml.org,2002:python/name:os.system is not"),
        ("a: !!str 5", "f.yaml:1:4: the tag tag:yaml.org,2002:str is not allowed"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: 'a' stands here a second time (first at line 1)"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document begins here"),
        ("? [a, b]\n: 1", "f.yaml:1:3: a key must be plain text"),
        ("a: [1, 2", "f.yaml:2:1: is not YAML"),
        ("a:\n\t- 1", "f.yaml:2:1: is not YAML"),
        ("", "f.yaml:1:1: is empty"),
        ("# only a comment", "f.yaml:1:1: is empty"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "f.yaml:1:21: is nested more than 20 deep"),
        ("<<: {a: 1}\nb: *a", "anchors and aliases"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused_at_its_place(text: str, says: str) -> None:
    assert refused(text).startswith(says) or says in refused(text)


def test_a_file_that_is_too_large_or_not_text_is_refused_before_it_is_read() -> None:
    assert "larger than 512 KiB" in refused("a" * (MAX_BYTES + 1))
    assert "larger than 512 KiB" in refused("é" * (MAX_BYTES // 2 + 1))
    assert refused(b"a: \xff\xfe") == "f.yaml:1:4: is not UTF-8 text (byte 3)"
    assert refused("a: \ud800") == "f.yaml:1:1: is not Unicode text (character 3)"
    assert refused("a: 1\nb: \x00") == "f.yaml:2:4: the character U+0000 is not allowed in YAML: take it out"


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "f.yaml").data == {"a": 1}


def test_all_duplicate_keys_are_named_at_once() -> None:
    assert refused("a: 1\na: 2\nb: {c: 1, c: 2}").count("second time") == 2


def test_a_missing_file_and_a_folder_are_problems_too(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(Problems, match=r"cannot be read"):
            read(path)


def test_places_count_from_one_and_a_missing_place_is_its_parents() -> None:
    document = parse("a:\n  - b: 1\n    cc: x\n", "f.yaml")
    assert str(document.mark(("a", 0, "cc"))) == "f.yaml:3:9"
    assert str(document.mark(("a", 0, "cc"), of_key=True)) == "f.yaml:3:5"
    assert str(document.mark(("a", 0, "dd"))) == "f.yaml:2:5"
    assert str(document.mark(("z",))) == "f.yaml:1:1"


def test_the_hash_is_that_of_the_bytes() -> None:
    assert parse("a: 1", "x").sha256 == parse(b"a: 1", "y").sha256
    assert parse("a: 1", "x").sha256 != parse("a: 1 ", "x").sha256


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    n: int
    t: units.Seconds = 0.0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    inner: list[Inner]
    flag: bool = False
    name: Annotated[str, "text"] = ""


def test_one_line_per_mistake_each_at_its_place() -> None:
    text = "inner:\n  - {n: 010}\n  - {n: 1, t: 20}\n  - {m: 1}\n  - 5\nflag: NO\nname: 5\n"
    with pytest.raises(Problems) as error:
        validate(parse(text, "f.yaml"), Outer)
    assert str(error.value).splitlines() == [
        "f.yaml:2:9: a whole number is expected, without leading zeros and quotes (for example 10); got '010'",
        "f.yaml:3:15: '20' has no unit: write one of s, ms, min, h, for example '20 s'",
        "f.yaml:4:5: 'n' is missing here",
        "f.yaml:4:6: unknown key 'm'",
        "f.yaml:5:5: keys and values are expected here; got 5",
        "f.yaml:6:7: true or false is expected; got 'NO'",
        "f.yaml:7:7: text is expected; got 5",
    ]


class Bounds(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    t: units.Seconds = Field(default=1.0, gt=0, lt=60)
    temperature: units.Celsius = Field(default=20.0, le=150)
    n: Annotated[int, Field(ge=2, le=8, multiple_of=2)] = 2
    x: Annotated[float, Field(lt=1.5, allow_inf_nan=False)] = 1.0
    kind: Literal["a", "b", "c"] = "a"
    name: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "ab"
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    by: dict[Literal["p", "q"], int] = {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t: 0 s", "1:4: '0 s' is out of range: above 0 s is expected"),
        ("t: 60 s", "1:4: '60 s' is out of range: below 60 s is expected"),
        ("t: 2 min", "1:4: '2 min' is out of range: below 60 (this is 120) is expected"),
        ("temperature: 151 C", "1:14: '151 C' is out of range: at most 150 C is expected"),
        ("temperature: 450 K", "1:14: '450 K' is out of range: at most 150 (this is 176.85) is expected"),
        ("n: 0", "1:4: 0 is out of range: at least 2 is expected"),
        ("n: 10", "1:4: 10 is out of range: at most 8 is expected"),
        ("n: 3", "1:4: 3 is not a multiple of 2"),
        ("x: 2", "1:4: 2 is out of range: below 1.5 is expected"),
        ("x: '1'", "1:4: a number is expected, without quotes (for example 1.5); got '1'"),
        ("kind: d", "1:7: 'a', 'b' or 'c' is expected; got 'd'"),
        ("name: a", "1:7: text of 2 characters or more is expected; got 'a'"),
        ("name: abcd", "1:7: text of 3 characters at most is expected; got 'abcd'"),
        ("name: A1", "1:7: 'A1' does not have the form that is expected here: ^[a-z]+$"),
        ("few: []", "1:6: 1 or more are expected here; there are 0"),
        ("few: [1, 2, 3]", "1:6: 2 at most are expected here; there are 3"),
        ("by: {r: 1}", "1:6: 'p' or 'q' is expected; got 'r'"),
    ],
)
def test_a_value_out_of_its_bounds_is_told_the_bound_in_plain_words(text: str, says: str) -> None:
    with pytest.raises(Problems) as error:
        validate(parse(text, "f.yaml"), Bounds)
    assert str(error.value) == f"f.yaml:{says}"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: cow", "'kind' is 'cow': one of 'cat', 'dog' is expected"),
        ("name: Tom", "'kind' is missing here: it says which kind this is"),
    ],
)
def test_a_kind_that_is_unknown_or_missing_is_told_which_there_are(text: str, says: str) -> None:
    either: TypeAdapter[Cat | Dog] = TypeAdapter(Annotated[Cat | Dog, Field(discriminator="kind")])
    with pytest.raises(Problems) as error:
        validate(parse(text, "f.yaml"), either)
    assert str(error.value) == f"f.yaml:1:1: {says}"


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_input_is_a_document_or_problems(raw: str | bytes) -> None:
    try:
        document = parse(raw, "f.yaml")
    except Problems as error:
        assert error.problems
    else:
        assert () in document.marks
