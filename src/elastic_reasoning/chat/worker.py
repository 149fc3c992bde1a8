"""Renders a chat template, in a process of its own; `elastic_reasoning.chat.process` starts it and speaks to it.

A line of JSON goes in, one comes out. The first holds the chat template, each later one what is to be rendered. The
environment is the one that transformers renders chat templates in (`transformers.utils.chat_template_utils`).
"""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import jinja2
import jinja2.meta
from jinja2.ext import Extension
from jinja2.nodes import CallBlock, Filter, Name, Node, Test
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

Answer = dict[str, Any]


class Generation(Extension):
    """`{% generation %}` marks an assistant's words for training; here it writes what it holds."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_held"), [], [], body).set_lineno(line)

    def _held(self, caller: Macro) -> str:
        return str(caller())


def environment() -> ImmutableSandboxedEnvironment:
    """The environment of chat templates."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made


def _raise_exception(message: Any) -> None:
    raise jinja2.TemplateError(str(message))


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Unlike jinja's own, without escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Renderings:
    """A chat template that is compiled.

    Attributes:
        variables: the names that it may read before it makes them itself.
        given: of these, the ones that are to be given: it never makes them, or asks whether they are there.
    """

    def __init__(self, source: str) -> None:
        made = environment()
        self._template = made.from_string(source)
        tree = made.parse(source)
        self.variables = sorted(jinja2.meta.find_undeclared_variables(tree) - made.globals.keys())
        set_here = {name.name for name in tree.find_all(Name) if name.ctx == "store"}
        asked_for = [test.node for test in tree.find_all(Test) if test.name in ("defined", "undefined")]
        asked_for += [each.node for each in tree.find_all(Filter) if each.name in ("default", "d") and each.node]
        names = {node.name for node in asked_for if isinstance(node, Name)}
        self.given = [name for name in self.variables if name in names or name not in set_here]

    def render(self, variables: dict[str, Any], most: int) -> str:
        """The text that it writes, of at most so many characters."""
        parts: list[str] = []
        for part in self._template.generate(variables):
            parts.append(part)
            most -= len(part)
            if most < 0:
                raise OverflowError("it writes too much")
        return "".join(parts)


def _failure(error: BaseException) -> Answer:
    kind = type(error)
    line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
    return {"kind": kind.__name__, "refused": kind is jinja2.TemplateError, "reason": f"{str(error)[:2000]}{line}"}


def _bound(megabytes: int, seconds: int | None) -> None:
    """Limit the memory of this process, or how much longer it may compute."""
    with suppress(ImportError):  # where there are no such limits, whoever waits for it still ends it
        import resource

        if seconds is None:
            resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        else:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            used = math.ceil(usage.ru_utime + usage.ru_stime)
            resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def answers(lines: Iterator[str], megabytes: int, seconds: int) -> Iterator[Answer]:
    """What is said to each line."""
    template: Renderings | None = None
    for line in lines:
        _bound(megabytes, seconds)
        try:
            asked = json.loads(line)
            if template is None:
                template = Renderings(asked["template"])
                yield {"variables": template.variables, "given": template.given}
            else:
                yield {"renderings": [_rendering(template, asked["most"], each) for each in asked["renderings"]]}
        except Exception as error:  # whatever a template does is said
            yield _failure(error)


def _rendering(template: Renderings, most: int, variables: dict[str, Any]) -> Answer:
    try:
        return {"text": template.render(variables, most)}
    except Exception as error:
        return _failure(error)


def main() -> None:
    """Answer until there is nothing more to answer."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the process that waits; it closes this one
    megabytes, seconds = int(sys.argv[1]), int(sys.argv[2])
    _bound(megabytes, None)
    for answer in answers(iter(sys.stdin.readline, ""), megabytes, seconds):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
