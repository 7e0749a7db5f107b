"""The command line: parsing arguments, and turning errors into messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import io
import os
import shlex
import sys
from collections.abc import Sequence

import propto
from propto.commands.numbers import natural, positive, real, share
from propto.errors import ProptoError
from propto.policy import harmless_lines

OK, FAILED, BAD_INPUT, OUR_BUG, INTERRUPTED = 0, 1, 2, 101, 130
# What a full or failing disk says.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)

EPILOG = """\
examples:
  propto fit schools.csv                            a table, a verdict and schools.report.html beside it
  propto fit schools.csv --prior-tau 'halfcauchy(5)'  with a prior of your own
  propto fit - --json - < schools.csv               for other programs
  propto fit tests.csv --ship-above 0 --top 3       what the winners bring, what choosing three costs
  propto fit tests.parquet --by metric --csv -      many tables in one file, each on its own
  propto fit schools.csv --compare-effects          would outliers or zeros among the effects change it?
  propto fit trials.csv --covariates dose year      what the effects depend on
  propto fit trials.csv --bias                      were results published for their p-values?
  propto check schools.csv                          only read the table, and say what is doubtful in it
  propto explain R-hat                              a word of the report in plain language
  propto learn playground                           watch samplers at work; `propto learn` opens the lessons

exit codes: 0 fitted and the diagnosis passed (or cautions), 1 fitted but it failed, 2 bad input or
arguments (nothing is written), 101 a bug of propto, 130 interrupted
"""

PRIOR_MU = "normal(mean, sd), student_t(df, loc, scale) or flat"
PRIOR_TAU = "uniform(low, high), halfnormal(s), halfcauchy(s), halfstudent_t(df, s) or exponential(rate)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # letters that the terminal does not have
    arguments = parser().parse_args(argv)
    arguments.call = shlex.join(["propto", *(sys.argv[1:] if argv is None else argv)])
    if not hasattr(arguments, "run"):
        parser().print_help()
        return OK
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except ProptoError as error:
        print(f"propto: {harmless_lines(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("propto: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, as in `propto fit ... | head`
        sys.stderr.close()
        return OK
    except OSError as error:
        if error.errno not in FULL:
            return _our_bug()
        print(f"propto: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer cannot be written either
        return BAD_INPUT
    except Exception:
        return _our_bug()


def _our_bug() -> int:
    """Show the lines that are needed to mend it."""
    import traceback

    traceback.print_exc()
    print(
        "propto: this is a bug of propto, not of your data; please report it with the lines above.",
        file=sys.stderr,
    )
    return OUR_BUG


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    main = argparse.ArgumentParser(
        prog="propto",
        description="Bayesian inference from a posterior written up to a constant.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main.add_argument("--version", action="version", version=f"propto {propto.__version__}")
    commands = main.add_subparsers(title="commands", metavar="COMMAND")
    _add_fit(commands)
    _add_check(commands)
    _add_rerun(commands)
    _add_learn(commands)
    _add_explain(commands)
    return main


def _add_fit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fit = commands.add_parser(
        "fit",
        help="pool a table of estimates with standard errors",
        description="Pool a table of estimates with standard errors: what is each effect really?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_table(fit)
    model = fit.add_argument_group("the model")
    model.add_argument("--prior-mu", metavar="PRIOR", help=f"prior of the mean of all groups: {PRIOR_MU}")
    model.add_argument("--prior-tau", metavar="PRIOR", help=f"prior of the sd between groups: {PRIOR_TAU}")
    model.add_argument(
        "--measure",
        choices=("smd", "log-or", "log-rr", "log-hr", "fisher-z"),
        help="what the estimates are: takes the prior of tau that is usual for them",
    )
    model.add_argument(
        "--engine",
        choices=("both", "exact", "mcmc"),
        help="exact integration, Markov chain Monte Carlo, or both and their gap (up to 1,000 groups: both)",
    )
    _add_models(fit)
    _add_decisions(fit)
    chains = fit.add_argument_group("Markov chain Monte Carlo")
    chains.add_argument(
        "--sampler", choices=("nuts", "hmc", "metropolis"), default="hmc", help="default: hmc"
    )
    chains.add_argument(
        "--draws", type=positive, default=1000, metavar="N", help="draws of each chain (1000)"
    )
    chains.add_argument("--chains", type=positive, default=8, metavar="N", help="number of chains (8)")
    chains.add_argument("--seed", type=natural, default=0, metavar="N", help="seed of all random numbers (0)")
    output = fit.add_argument_group("output")
    output.add_argument(
        "--report",
        metavar="FILE",
        help="write the report there (default, without other outputs: beside the table)",
    )
    output.add_argument(
        "--format",
        choices=("html", "pdf", "md"),
        help="format of the report (default: what the ending of --report says, else html)",
    )
    output.add_argument("--json", metavar="FILE", help="write all results as JSON; - for standard output")
    output.add_argument(
        "--csv", metavar="FILE", help="write the groups' results as CSV; - for standard output"
    )
    output.add_argument("--save", metavar="FILE.nc", help="write the draws as netCDF, for ArviZ and xarray")
    output.add_argument("--force", action="store_true", help="overwrite files that exist")
    output.add_argument("--quiet", action="store_true", help="results only: no notes and no progress")
    output.add_argument("--no-color", action="store_true", help="no colours (NO_COLOR is respected too)")
    fit.set_defaults(run=_run_fit)


def _add_models(fit: argparse.ArgumentParser) -> None:
    effects = fit.add_argument_group("other effects")
    effects.add_argument(
        "--effects",
        metavar="DIST",
        default="normal",
        help="normal, t, t(df), spike-slab, spike-slab(share), two-normals, two-normals(ratio, share), "
        "unimodal, unimodal(mode) or nonparametric; what is not given is estimated",
    )
    effects.add_argument(
        "--compare-effects",
        action="store_true",
        help="all of these beside the normal: how far groups move, which foretells groups best",
    )
    structure = _add_structure(fit)
    structure.add_argument(
        "--prior-beta", metavar="PRIOR", help="prior of every coefficient: normal(mean, sd) or flat (default)"
    )
    structure.add_argument(
        "--prior-between", metavar="PRIOR", help="prior of the sd between clusters, as --prior-tau"
    )


def _add_structure(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The columns and files beside the estimates, which are read and checked with them."""
    structure = command.add_argument_group("covariates and structure")
    structure.add_argument(
        "--covariates",
        metavar="COLUMN",
        nargs="+",
        default=(),
        help="what may explain the effects: numbers or categories",
    )
    structure.add_argument("--cluster", metavar="COLUMN", help="groups lie in clusters: three levels")
    structure.add_argument(
        "--covariance", metavar="FILE", help="CSV with the covariance matrix of correlated estimates"
    )
    structure.add_argument(
        "--error-df",
        metavar="N|COLUMN",
        help="the standard errors are estimates themselves, with these degrees of freedom",
    )
    return structure


def _add_decisions(fit: argparse.ArgumentParser) -> None:
    decide = fit.add_argument_group("decisions")
    decide.add_argument("--threshold", type=real, metavar="X", help="P(effect > X) for every group")
    decide.add_argument(
        "--rope", type=real, nargs=2, metavar=("LOW", "HIGH"), help="effects between these do not matter"
    )
    decide.add_argument(
        "--ship-above",
        type=real,
        metavar="X",
        help="what the groups with estimates above X claim together, and what they bring",
    )
    decide.add_argument("--top", type=positive, metavar="K", help="what choosing the K best now may cost")
    decide.add_argument(
        "--grades", type=real, metavar="PRICE", help="classes, where a wrong order costs PRICE (4, say)"
    )
    decide.add_argument(
        "--calibrate",
        action="store_true",
        help="coverage of the intervals in simulated tables with these errors",
    )
    doubt = fit.add_argument_group("further doubts")
    doubt.add_argument(
        "--bias",
        nargs="?",
        const="auto",
        choices=("auto", "higher", "lower"),
        help="average over models with and without publication bias; higher or lower estimates are favoured "
        "(auto: those on the side of the mean)",
    )
    doubt.add_argument(
        "--subsets",
        action="store_true",
        help="fit up to 10,000 subsets of the groups (GOSH and Baujat plots)",
    )
    many = fit.add_argument_group("many tables in one file")
    many.add_argument(
        "--by", metavar="COLUMN", help="pool each table on its own; this column tells them apart"
    )
    many.add_argument(
        "--shared-prior", action="store_true", help="learn the prior of tau from all tables (with --by)"
    )


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="only read a table, and say what is doubtful in it")
    _add_table(check)
    _add_structure(check)
    check.add_argument("--by", metavar="COLUMN", help="many tables in one file: check each of them")
    check.set_defaults(run=_run_check)


def _add_rerun(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rerun = commands.add_parser("rerun", help="run a saved fit again, and say whether anything differs")
    rerun.add_argument("file", metavar="FILE", help="what --json or --save of `propto fit` wrote")
    rerun.add_argument("--table", metavar="TABLE", help="where the table is now, if it has moved")
    rerun.set_defaults(run=_run_rerun)


def _add_learn(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    learn = commands.add_parser("learn", help="open the lessons or the playground in a browser")
    learn.add_argument(
        "what", nargs="?", metavar="N|playground", help="number of a lesson, or the playground (all lessons)"
    )
    learn.add_argument("--no-browser", action="store_true", help="only print where the page is")
    learn.set_defaults(run=_run_learn)


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    explain = commands.add_parser("explain", help="say what a word of the report means")
    explain.add_argument("word", nargs="*", metavar="WORD", help="R-hat, for example (all words)")
    explain.set_defaults(run=_run_explain)


def _add_table(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "table", metavar="TABLE", help="CSV, TSV, Excel, Parquet or JSON lines; - for standard input"
    )
    columns = command.add_argument_group("the table")
    columns.add_argument("--estimate", metavar="COLUMN", help="column of the estimates (guessed by its name)")
    columns.add_argument("--std-error", metavar="COLUMN", help="column of their standard errors (guessed)")
    columns.add_argument("--label", metavar="COLUMN", help="column of the groups' names (guessed)")
    columns.add_argument("--log", action="store_true", help="the estimates are ratios: take logarithms")
    columns.add_argument(
        "--level",
        type=share,
        default=0.95,
        metavar="P",
        help="level of intervals given in place of errors (0.95)",
    )


def _run_fit(arguments: argparse.Namespace) -> int:
    if arguments.by is not None:
        from propto.commands.many import fit_many

        return fit_many(arguments)
    from propto.commands.fit import fit

    return fit(arguments)


def _run_check(arguments: argparse.Namespace) -> int:
    from propto.commands.check import check

    return check(arguments)


def _run_rerun(arguments: argparse.Namespace) -> int:
    from propto.commands.rerun import rerun

    return rerun(arguments, parser())


def _run_learn(arguments: argparse.Namespace) -> int:
    from propto.commands.learn import learn

    return learn(arguments)


def _run_explain(arguments: argparse.Namespace) -> int:
    from propto.commands.explain import explain

    return explain(arguments)


if __name__ == "__main__":
    sys.exit(main())
