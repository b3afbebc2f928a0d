"""A graph of live objects as one canonical value, and back: the state of an exploration, without naming its fields.

Whatever hangs on the root is taken, by introspection, so that a field that somebody adds tomorrow is part of the
state tomorrow. Two graphs that differ only in when they are, are the same: every whole number above `INSTANT` is an
instant of the model's clock and is kept relative to now, and one further back than `MEMORY_NS` is *long ago*.
"""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Callable
from types import MethodType
from typing import Any

NOW_NS = 10**15  # every state is explored from this instant
INSTANT = NOW_NS // 2  # durations, words and counters are all far below
MEMORY_NS = 500_000_000  # beyond every time that is compared with an age
_BIAS = 1 << 61

_REF, _LIST, _DEQUE, _DICT, _TUPLE, _SHARED, _METHOD, _FIRST_CLASS = range(8)
Coder = Callable[[Any], Any]


class Snapshots:
    """Freezes and thaws graphs of one exploration.

    `shared` are classes whose objects never change: they are not copied. `hidden` are attributes, by class, that are
    no part of the state, each with what makes it anew.
    """

    def __init__(self, shared: tuple[type, ...], hidden: dict[type, dict[str, Callable[[], Any]]]) -> None:
        self._hidden = hidden
        self._values: list[Any] = []  # the shared objects, by number
        self._number: dict[Any, int] = {}
        self._seen: dict[int, int] = {}  # while freezing: where an object was met first
        self._made: list[Any] = []  # while thawing: the objects in the order in which they were met
        self._now = NOW_NS
        self._alias: Coder = _itself
        self._encoders: dict[type, Coder] = {
            int: self._instant,
            tuple: lambda value: (_TUPLE, *map(self._encode, value)),
            list: self._once(lambda value: (_LIST, *map(self._encode, value))),
            deque: self._once(lambda value: (_DEQUE, *map(self._encode, value))),
            dict: self._once(self._dictionary),
            MethodType: lambda value: (_METHOD, self._encode(value.__self__), value.__func__.__name__),
        }
        self._encoders |= dict.fromkeys((str, bool, bytes, type(None)), _itself) | dict.fromkeys(shared, self._share)
        self._decoders: list[Coder] = [
            lambda value: self._made[value[1]],
            self._back_list,
            self._back_deque,
            self._back_dictionary,
            lambda value: tuple(map(self._decode, value[1:])),
            lambda value: self._values[value[1]],
            lambda value: getattr(self._decode(value[1]), value[2]),
        ]

    def freeze(self, root: Any, now_ns: int, alias: Coder | None = None) -> bytes:
        """The whole graph under `root` as bytes that are equal for equal states, whenever they are.

        `alias` says what stands for a shared object, where one name is as good as another.
        """
        self._seen.clear()
        self._now, self._alias = now_ns, alias or _itself
        return marshal.dumps(self._encode(root), 0)  # version 0 has no references, which tell same from equal

    def thaw(self, data: bytes) -> Any:
        """A graph of its own from these bytes, at the instant `NOW_NS`."""
        self._made.clear()
        return self._decode(marshal.loads(data))

    # --- there -----------------------------------------------------------------------------------------------------

    def _encode(self, value: Any) -> Any:
        kind = type(value)
        return (self._encoders.get(kind) or self._learned(kind, value))(value)

    def _instant(self, value: int) -> int:
        return value if value < INSTANT else _BIAS + max(value - self._now, -MEMORY_NS)

    def _once(self, encoder: Coder) -> Coder:
        """An object that is met again is the same object."""
        seen = self._seen

        def encode(value: Any) -> Any:
            if (known := seen.get(id(value))) is not None:
                return (_REF, known)
            seen[id(value)] = len(seen)
            return encoder(value)

        return encode

    def _dictionary(self, value: dict[Any, Any]) -> Any:
        if not value:
            return (_DICT,)
        encode = self._encode  # in what order it was filled is no part of the state
        pairs = sorted(((encode(key), each) for key, each in value.items()), key=lambda pair: pair[0])
        return (_DICT, *[(key, encode(each)) for key, each in pairs])

    def _share(self, value: Any) -> Any:
        key = value = self._alias(value)
        try:
            number = self._number.get(key)
        except TypeError:  # it cannot be compared: it is itself and nothing else
            key = id(value)
            number = self._number.get(key)
        if number is None:
            number = self._number[key] = len(self._values)
            self._values.append(value)
        return (_SHARED, number)

    # --- and back --------------------------------------------------------------------------------------------------

    def _decode(self, value: Any) -> Any:
        kind = type(value)
        if kind is tuple:
            return self._decoders[value[0]](value)
        return value - _BIAS + NOW_NS if kind is int and value > INSTANT else value

    def _back_list(self, value: Any) -> list[Any]:
        new: list[Any] = []
        self._made.append(new)
        new.extend(map(self._decode, value[1:]))
        return new

    def _back_deque(self, value: Any) -> deque[Any]:
        new: deque[Any] = deque()
        self._made.append(new)
        new.extend(map(self._decode, value[1:]))
        return new

    def _back_dictionary(self, value: Any) -> dict[Any, Any]:
        new: dict[Any, Any] = {}
        self._made.append(new)
        decode = self._decode
        new.update([(decode(key), decode(each)) for key, each in value[1:]])
        return new

    # --- instances of classes: a pair of functions each, made when the class is met first ----------------------------

    def _learned(self, kind: type, value: Any) -> Coder:
        """Straight-line code for one class, as `dataclasses` makes it: most of the time is spent here."""
        slots = [name for base in reversed(kind.__mro__) for name in base.__dict__.get("__slots__", ())]
        hidden = {name: make for base in kind.__mro__ for name, make in self._hidden.get(base, {}).items()}
        names = [name for name in (vars(value) if hasattr(value, "__dict__") else slots) if name not in hidden]
        known: dict[str, Any] = {
            "kind": kind, "seen": self._seen, "made": self._made, "make": hidden, "put": object.__setattr__,
            "encode_any": self._encode, "decode_any": self._decode, "instant": self._instant,
            "atoms": {str, bool, bytes, type(None)}, "INSTANT": INSTANT,
        }  # fmt: skip
        parameters = getattr(kind, "__dataclass_params__", None)
        put = "put(o, {1!r}, {0})" if parameters is not None and parameters.frozen else "o.{1} = {0}"
        decoded = [put.format(_DECODED.format(f"v{i}"), name) for i, name in enumerate(names)]
        decoded += [f"o.{name} = make[{name!r}]()" for name in hidden]
        code = _CODE.format(
            number=len(self._decoders),
            encoded="".join(_ENCODED.format(name) for name in names),
            got=", ".join(["_", *(f"v{i}" for i in range(len(names)))]),
            decoded="\n    ".join(decoded),
        )
        exec(code, known)
        self._encoders[kind] = known["encode"]
        self._decoders.append(known["decode"])
        return known["encode"]


_CODE = """
def encode(o):
    if (known := seen.get(id(o))) is not None:
        return (0, known)
    seen[id(o)] = len(seen)
    return ({number}, {encoded})
def decode(value):
    ({got},) = value
    o = kind.__new__(kind)
    made.append(o)
    {decoded}
    return o
"""
_ENCODED = """
        v if (t := type(v := o.{0})) in atoms or t is int and v < INSTANT
        else instant(v) if t is int else encode_any(v),"""
_DECODED = "{0} if (t := type({0})) is not tuple and (t is not int or {0} < INSTANT) else decode_any({0})"


def _itself(value: Any) -> Any:
    return value
