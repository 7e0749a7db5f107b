"""What is fuzzed: functions of bytes that may raise the errors of propto and nothing else."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from propto.errors import ProptoError

Target = Callable[[bytes], None]
MOST = 2**16  # bytes of one input

TARGETS: dict[str, Target] = {}
SEEDS: dict[str, list[bytes]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """Enter a function among the targets, with inputs to begin from."""

    def enter(function: Target) -> Target:
        name = function.__name__
        SEEDS[name] = list(seeds)

        def run(content: bytes) -> None:
            try:
                function(content[:MOST])
            except ProptoError as error:
                must(str(error))

        TARGETS[name] = run
        return function

    return enter


def must(words: str) -> None:
    """An error says something."""
    assert words.strip(), "an error without a word"


def text_of(content: bytes) -> str:
    """Any bytes as a text, lone surrogates among its letters."""
    return content.decode("utf-8", "surrogatepass") if _is_utf8(content) else content.decode("latin-1")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


SCHOOLS = b"school,estimate,se\nA,28,15\nB,8,10\nC,-3,16\n"


@target(
    SCHOOLS,
    SCHOOLS.replace(b",", b";"),
    SCHOOLS.replace(b",", b"\t"),
    SCHOOLS.decode().encode("utf-16"),
    b'school,yi,vi\n"A, B",1.234.567,"1,5"\n# note\n\nC,$5,12 %\n',
    b"sep=;\nlabel;effect;lower;upper\nx;1;0,5;2\n",
    b'[{"label": "A", "estimate": 1, "se": 2}, {"label": "B", "estimate": null, "se": 2}]',
    b'{"label": ["A", "B"], "estimate": [1, 2], "se": [1, 1e400]}',
    b'{"label": "A", "estimate": 1, "se": 2}\n{"label": "B", "estimate": 3, "se": 1}\n',
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    b"PAR1\x00\x00PAR1",
    b"PK\x03\x04xl/workbook",
    b"label,estimate,se\n\x00,1e309,nan\n-,--,1'000\n",
)
def table(content: bytes) -> None:
    """A file as a table."""
    from propto.pooling.tables import read_table

    read_table(io.BytesIO(content))


@target(SCHOOLS, b"label,lower,upper\nA,0.5,2\n", b"a b c\n1 2 3\n")
def table_text(content: bytes) -> None:
    """The text of a table, all columns named."""
    from propto.pooling.tables import read_table

    read_table(io.StringIO(text_of(content)), log=len(content) % 2 == 0)


@target(b"1,0.5\n0.5,4\n", b",A,B\nA,225,1\nB,1,100\n")
def covariance(content: bytes) -> None:
    """A file with a covariance matrix."""
    from propto.pooling.tables import read_table
    from propto.pooling.tables.matrix import read_covariance

    own = read_table({"label": ["A", "B"], "estimate": [1.0, 2.0], "se": [15.0, 10.0]})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "matrix.csv"
        file.write_bytes(content)
        read_covariance(file, own)


@target(b"normal(0, 1)", b"student_t(3, 0, 2)", b"flat", b"halfcauchy(5)", b"uniform(0, 1e308)")
def prior(content: bytes) -> None:
    """The text of a prior."""
    from propto.pooling.priors import parse_mu, parse_tau

    for parse in (parse_mu, parse_tau):
        try:
            str(parse(text_of(content)))
        except ProptoError as error:
            must(str(error))


@target(b"student_t(4)", b"spike_slab(0.3)", b"two_normals(3, 0.1)", b"t", b"normal")
def effects(content: bytes) -> None:
    """The text of a distribution of effects."""
    from propto.pooling.effects import parse_effects

    str(parse_effects(text_of(content)))


@target(b"y ~ x + (1 | g)", b"y | se(s) ~ 1 + (1 + x || a/b)", b"k | trials(n) ~ C(a)*b", b"y~(((")
def formula_text(content: bytes) -> None:
    """A formula, taken apart."""
    from propto.formulas.text import take_apart

    take_apart(text_of(content))


@target(b"y ~ x + (1 | g)", b"y ~ np.log(x) + C(g)*x", b"x | se(y) ~ 0 + bs(x, df=4)", b"y ~ {x + 1} + x**2")
def formula(content: bytes) -> None:
    """A formula with a small table."""
    import propto as pp

    text = text_of(content)
    if "__" in text or "np." in text:  # a formula is code: nothing is to be done on this machine
        return
    data = {"y": [1.0, 2.2, 2.9, 4.1], "x": [0.5, 1, 2, 3], "g": ["a", "a", "b", "b"]}
    pp.formula(text, data)


@target(b"mu", b"t[0]", b"a/b", b"chain", "\u202eevil".encode(), b"<script>")
def names(content: bytes) -> None:
    """The name of a variable, and its labels."""
    from propto.names import check_axes

    text = text_of(content)
    check_axes({text: (2,), "y": (2,)}, {"y": (text,)}, {text: [text, "b"]})


@target(b"{}", b"PK\x05\x06" + 18 * b"\x00", b"\x93NUMPY\x01\x00v\x00")
def checkpoint(content: bytes) -> None:
    """The bytes of a checkpoint."""
    from propto.run.checkpoint import Checkpoint

    try:
        Checkpoint(content)
    except ValueError as error:  # what a store makes a StoreError of
        must(str(error))
