"""Templates from users: what they may say, and what they may not do."""

import pytest

from training.runner.errors import BadDataError
from training.runner.templates import ENVIRONMENT, Template

ROW = {"text": "Hello", "label": "ham", "n": 3}


def template(source: str) -> Template:
    return Template(source, field="The prompt", error=BadDataError)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("label", "ham"),
        ("Say {{text}}!\n", "Say Hello!\n"),
        ("{{ text | upper }} {% if n > 2 %}many{% endif %}", "HELLO many"),
        ("{{ [text, label] }}", "['Hello', 'ham']"),
        ("{{ '-' * 3 }}{{ n * 2 }}", "---6"),
        ("<{{ text }}>", "<Hello>"),
        ("{{ text.strip() | trim | replace('l', 'L') | upper }}", "HELLO"),
        ("{{ [text, label] | join(', ') }}", "Hello, ham"),
        ("{% for i in range(n) %}{{ 'ABC'[i] }}{% endfor %}", "ABC"),
        ("{{ text.split('e')[-1] }}{{ text[1:3] }}", "lloel"),
        ("{{ text | regex_replace('l+', 'L') }}", "HeLo"),
        (r"{{ text | regex_replace('(e)(.)', '\\2\\1', 1) }}", "Hlelo"),
        (
            "{% set ns = namespace(c=0) %}{% for a in text %}{% set ns.c = ns.c + 1 %}{% endfor %}"
            "{{ ns.c }}",
            "5",
        ),
    ],
)
def test_columns_fill_a_template(source, text):
    assert template(source).render(ROW) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ text.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__ }}",
        "{{ 'x' * 100000000 }}",
        "{{ [0] * 100000000 }}",
        "{{ 100000000 * 'x' }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ range(1000000000) | list }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 'x'.zfill(1000000000) }}",
        "{{ ('x' * 10000) | regex_replace('(x+x+)+y', '') }}",
        "{{ text | regex_replace('(', '') }}",
        "{{ text | regex_replace('l', '\\\\9') }}",
        "{{ [][1] }}",
        "{{ text | center(1000000000) }}",
        "{% include '/etc/passwd' %}",
        "{% for a in 'x' * 9999 %}{% for b in 'x' * 9999 %}.{% endfor %}{% endfor %}",
    ],
)
def test_a_template_reaches_nothing_and_stays_small(source):
    with pytest.raises(BadDataError):
        template(source).render(ROW)


@pytest.mark.parametrize("source", ["{{ text", "{% if %}", "x" * 20_000, "{{ text | no_filter }}"])
def test_a_broken_template_is_refused_before_any_row(source):
    with pytest.raises(BadDataError, match="The prompt"):
        template(source)


def test_an_unknown_column_is_named_with_those_there_are():
    with pytest.raises(BadDataError, match=r"'body' is undefined.*text, label"):
        template("{{ body }}").render(ROW)


NESTED = "".join("{%% for " + name + " in %s %%}" for name in "abc") + 3 * "{%% endfor %%}"


@pytest.mark.parametrize(
    "source",
    [
        NESTED % (("range(9999)",) * 3),
        NESTED % (("text * 500",) * 3),
        "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for a in [1] recursive %}{{ loop([a, a]) }}{% endfor %}",
    ],
)
def test_loops_within_loops_come_to_an_end(source):
    with pytest.raises(BadDataError, match=r"rounds of loops|recursion depth"):
        template(source).render(ROW)


def test_every_row_may_take_as_many_rounds():
    made = template("{% for n in range(9000) %}{% endfor %}{{ loop_free | default('done') }}")
    assert [made.render(ROW) for _ in range(5)] == ["done"] * 5


def test_a_loop_still_knows_where_it_is():
    said = "{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}"
    made = template("{% for c in text %}" + said + "{% endfor %}")
    assert made.render({"text": "abc"}) == "1/3,2/3,3/3"


def test_what_every_row_begins_with_is_known():
    assert template("Message: {{ text }}\nAnswer:").opening == "Message: "
    assert template("{{ text }} there").opening == template("").opening == ""


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' | noted }}",
        "{% if 'x' | noted %}y{% endif %}",
        "{% set a = 'x' | noted | upper %}{{ a }}",
        "{{ ['a', 'x' | noted] | join }}",
        "{% for a in 'x' | noted %}{{ a }}{% endfor %}",
    ],
)
def test_nothing_is_computed_before_a_row_is_there(source, monkeypatch):
    # What is constant could be as costly as anything, and a web process compiles templates.
    computed = []

    def noted(value):
        computed.append(value)
        return value

    monkeypatch.setitem(ENVIRONMENT.filters, "noted", noted)
    made = template(source)
    assert made.columns == set()
    assert not computed
    made.render(ROW)
    assert computed
