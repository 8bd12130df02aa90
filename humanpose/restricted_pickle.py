"""The harmless part of the pickle language: a machine that calls nothing but what its caller put in.

A pickle is a program. `pickletools` lists its instructions, and only those that build dicts, lists, tuples, texts,
numbers and bytes are carried out here, by hand. A name that the program asks for is never looked up: the caller gives
the few that it knows, with a stand-in for each, and every other name and instruction is refused.

What a program can cost is bounded by its length: no integer is longer than pickles have a use for, only what takes no
time is hashed, and what functions are given may be four times as long as the program, all calls taken together.
"""

import pickletools
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, NamedTuple

MOST_ARGUMENTS = 10
"""Of a function."""
MOST_BITS = 8 * 255
"""Of an integer; longer ones are written with an instruction of their own, LONG4, which is not carried out."""
MOST_IN_KEY = 8
"""Items of a tuple that is a key."""
MOST_WITH_TUPLES = 1000
"""Items of a dict in which tuples are keys."""
MOST_GIVEN = 4
"""How often a program's length fits into all that it gives to functions: content need only be given once."""


class RefusedError(ValueError):
    """A program that asks for more than its reader allows: an instruction, or a name."""


class Name(NamedTuple):
    """A name that the program mentions; never looked up."""

    name: str


def _stateless(target: Any, state: Any) -> None:
    raise TypeError


@dataclass(frozen=True)
class Allowed:
    """What a reader lets a program do beside building plain data.

    calls: what stands in for each function that may be called, by "module.name".
    mentions: further names that may be mentioned, as arguments, but not called.
    set_state: (target, state) of BUILD; raises where the target has no state.
    persistent: what an object outside the pickle is, from the number or tuple that stands for it; None: there is none.
    old: whether the steps of protocols 0 and 1 are known, and bytes.
    """

    calls: Mapping[str, Callable[..., Any]]
    mentions: frozenset[str] = frozenset()
    set_state: Callable[[Any, Any], None] = _stateless
    persistent: Callable[[Any], Any] | None = None
    old: bool = True


def run(program: bytes, allowed: Allowed) -> Any:
    """Carry out the harmless instructions of a pickle -> what it builds.

    Raises RefusedError at any other instruction or name, and ValueError where the program is cut short or unsound.
    """
    machine = _Machine(allowed, MOST_GIVEN * len(program))
    steps = {**STEPS, **(OLD_STEPS if allowed.old else {}), **({"BINPERSID": _outside} if allowed.persistent else {})}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at odd escapes in the texts of an old or damaged program
            for opcode, argument, _ in pickletools.genops(program):
                step = steps.get(opcode.name)
                if step is None:
                    raise RefusedError(f"it uses {opcode.name}")
                step(machine, argument)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it is no sound program") from error
    if machine.marked or len(machine.stack) != 1:
        raise ValueError("it is no sound program")
    return machine.stack[0]


def dict_of(pairs: Iterable[tuple[Any, Any]], into: dict[Any, Any] | None = None) -> dict[Any, Any]:
    """The dict of (key, value), or `into` with them; ValueError at a key that could take for ever to hash.

    Hashing goes through tuples within tuples, and through one that holds another twice, that another twice ..., twice
    at each. Numbers that are 2^61 - 1 apart hash alike, and tuples that hash alike can be sought out: a dict of them is
    as slow as a list.
    """
    made = {} if into is None else into
    for key, value in pairs:
        grouped = type(key) is tuple and len(key) <= MOST_IN_KEY
        if grouped and len(made) >= MOST_WITH_TUPLES:
            raise ValueError(f"it has tuples as keys, and more than {MOST_WITH_TUPLES} of them")
        for part in key if grouped else (key,):
            if not (
                part is None or isinstance(part, str | bytes) or (isinstance(part, Integral) and abs(int(part)) < 2**60)
            ):
                raise ValueError("it has a key that is neither a text nor a small integer nor a short tuple of them")
        made[key] = value
    return made


@dataclass
class _Machine:
    """The stack and the memory of the program; at each mark a new stack begins above the older ones."""

    allowed: Allowed
    left: int
    stack: list[Any] = field(default_factory=list)
    marked: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def mark(self) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        taken, self.stack = self.stack, self.marked.pop()
        return taken

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def drop(self, _: Any) -> None:
        self.stack.pop()

    def drop_since_mark(self, _: Any) -> None:
        self.since_mark()

    def integer(self, value: int) -> None:
        if value.bit_length() > MOST_BITS:
            raise ValueError(f"it holds an integer of {value.bit_length()} bits")
        self.push(value)

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.push(self.memo[place])

    def tuple_of(self, count: int) -> None:
        self.push(tuple([self.stack.pop() for _ in range(count)][::-1]))

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise ValueError("it sets items of what is no dict")
        if len(items) % 2:
            raise ValueError("it sets a key without a value")
        dict_of(zip(items[::2], items[1::2], strict=True), self.stack[-1])

    def dict_of_items(self, items: list[Any]) -> None:
        self.push({})
        self.update(items)

    def stack_mention(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.mention(f"{module} {name}" if isinstance(name, str) and isinstance(module, str) else " ")

    def mention(self, name: str) -> None:
        """GLOBAL: `name` is "module name"."""
        known = name.replace(" ", ".", 1)
        if known not in self.allowed.calls and known not in self.allowed.mentions:
            raise RefusedError(f"it asks for {known[:100]!r}")
        self.push(Name(known))

    def call(self, _: Any) -> None:
        """REDUCE: what the stand-in of a function makes of its arguments."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or function.name not in self.allowed.calls:
            raise ValueError("it calls what cannot be called")
        if not isinstance(arguments, tuple) or len(arguments) > MOST_ARGUMENTS:
            raise ValueError("it calls with arguments that no function has")
        self.give(arguments)
        self.push(self.allowed.calls[function.name](*arguments))

    def build(self, _: Any) -> None:
        """BUILD: the state of what is below it on the stack."""
        state = self.stack.pop()
        self.give(state if isinstance(state, tuple) else (state,))
        self.allowed.set_state(self.stack[-1], state)

    def give(self, arguments: tuple[Any, ...]) -> None:
        """Count what a function is given: it may copy it, and a program can name the same content many times."""
        self.left -= sum(
            len(one) for one in arguments if isinstance(one, str | bytes | bytearray | list | tuple | dict)
        )
        if self.left < 0:
            raise ValueError("it gives the same content to functions again and again")


def _outside(machine: _Machine, _: Any) -> None:
    """BINPERSID."""
    if machine.allowed.persistent is not None:
        machine.push(machine.allowed.persistent(machine.stack.pop()))


def _nothing(machine: _Machine, _: Any) -> None:
    """PROTO, FRAME, STOP."""


STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _Machine.integer),
    **dict.fromkeys(("BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.mark(),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update([machine.stack.pop(), machine.stack.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": _Machine.mention,
    "STACK_GLOBAL": _Machine.stack_mention,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
"""The instructions that every reader carries out."""

OLD_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("INT", "LONG"), _Machine.integer),
    **dict.fromkeys(
        ("FLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
         "BYTEARRAY8"),
        _Machine.push,
    ),
    "PUT": _Machine.remember,
    "GET": _Machine.recall,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_since_mark,
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "DICT": lambda machine, _: machine.dict_of_items(machine.since_mark()),
}  # fmt: skip
"""Those of protocols 0 and 1, and of bytes."""
