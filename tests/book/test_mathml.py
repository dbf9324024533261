"""Formulas of the book, from TeX to MathML."""

import re

import pytest

from tests.book.loaded import BOOK, loaded

mathml = loaded("mathml", BOOK / "_ext")


def inside(tex: str, display: bool = False) -> str:
    """Convert, and take the row out of its frame."""
    return re.fullmatch(r"<math[^>]*><mrow>(.*)</mrow></math>", mathml.mathml(tex, display))[1]


def test_a_formula_is_a_math_element_of_its_kind():
    assert mathml.mathml("x", True) == '<math display="block"><mrow><mi>x</mi></mrow></math>'
    assert mathml.mathml("x", False) == '<math display="inline"><mrow><mi>x</mi></mrow></math>'


def test_own_commands_are_written_out_also_within_each_other():
    assert mathml.expanded(r"\E_q") == r"\mathbb{E} _q"
    nested = mathml.expanded(r"\KL{\N(0, 1)}{\JS{p}{q}}")
    assert nested.startswith(r"\mathrm{KL}\left(\mathcal{N} (0, 1) \,\middle\|\, \mathrm{JS}\left(p ")
    assert mathml.expanded(r"\Ex + \KLx") == r"\Ex + \KLx"
    assert '<mi mathvariant="normal">KL</mi>' in inside(r"\KL{p}{q}")


@pytest.mark.parametrize("tex", [r"\foo x", r"\E_q \fooled{1}", r"\KL{p}"])
def test_what_is_not_known_is_refused(tex):
    with pytest.raises(ValueError, match="unknown command "):
        mathml.mathml(tex, False)


THIN = '<mspace width="0.167em" />'


def test_a_function_stands_apart_from_letters_but_not_from_brackets():
    assert inside(r"\log p") == f"<mi>log</mi>{THIN}<mi>p</mi>"
    assert inside(r"w \log p").startswith(f"<mi>w</mi>{THIN}<mi>log</mi>{THIN}")
    assert THIN not in inside(r"\log(p)")
    assert inside(r"(a)\log(p)").count(THIN) == 1
    assert inside(r"\log\det A").count(THIN) == 2
    assert THIN not in inside(r"\mathrm{ELBO} x")  # a name, no function


def test_a_sign_is_close_to_its_number_and_an_operator_is_not():
    prefix = '<mo form="prefix" lspace="0" rspace="0">−</mo>'
    for tex, signed in {"-a": True, "a = -b": True, "(-b)": True, "a - b": False, "f(x) - b": False}.items():
        assert (prefix in inside(tex)) == signed, tex


def test_relations_primes_and_stars_are_the_right_characters():
    assert inside(r"z \sim q") == "<mi>z</mi><mo>∼</mo><mi>q</mi>"
    assert "~" in inside(r"\tilde{x}")  # an accent
    assert inside("f'") == '<mrow><mi>f</mi><mo lspace="0" rspace="0">′</mo></mrow>'
    assert "∗" in inside("D^*")


def test_what_a_maximum_ranges_over_stands_below_it_in_a_display():
    assert "<munder><mi>max</mi>" in inside(r"\max_{D} V", display=True)
    assert "<msub><mi>max</mi>" in inside(r"\max_{D} V")


def test_scripts_are_close_and_lines_are_aligned():
    assert '<mo lspace="0.06em" rspace="0.06em">=</mo>' in inside(r"\sum_{i=1}^n x")
    table = inside(r"\begin{aligned} a &= b \\ c &\sim d \end{aligned}", display=True)
    assert table.startswith('<mtable class="gm-align" displaystyle="true"><mtr>')
    assert table.count('form="infix"') == 2
    assert "&" not in table
