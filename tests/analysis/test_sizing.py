"""Sizing: needs as they are typed, the arithmetic, what runs out first, and prices in steps."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.analysis import sizing
from iobench.analysis.sizing import Capability, Need, Resource, parse_need, size
from iobench.errors import UsageError

ABLE = {
    "gets/s": Capability(10_000.0, "kvs"),
    "transactions/s": Capability(500.0, "oltp"),
    "space": Capability(200e9, ""),
}


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        (
            "20000 gets/s, 800 transactions/s, 300 GB",
            (Need("gets/s", 20000), Need("transactions/s", 800), Need("space", 300e9)),
        ),
        ("1.5TiB", (Need("space", 1.5 * 2**40),)),
        ("800 tps and 20,000 gets/s", (Need("transactions/s", 800), Need("gets/s", 20000))),
        ("500 MB/s", (Need("mb/s", 500e6),)),
    ],
)
def test_needs_are_read(text: str, needs: tuple[Need, ...]) -> None:
    assert parse_need(text) == needs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("20000 gest/s", "gets/s"),
        ("many gets/s", "not an amount"),
        ("0 gets/s", "above 0"),
        ("1 GB, 2 GB", "twice"),
        ("300", "not an amount"),
    ],
)
def test_a_need_that_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_need(text)


@given(st.text(max_size=30))
def test_any_text_is_a_need_or_refused(text: str) -> None:
    try:
        assert all(need.amount > 0 for need in parse_need(text))
    except UsageError as error:
        assert str(error)


def test_rates_that_share_a_drive_are_added() -> None:
    found = size("d", parse_need("14000 gets/s, 350 transactions/s, 70 GB"), ABLE, headroom=0.3, link_bits=1e12)
    units = {share.kind: share.units for share in found.shares if share.resource is not Resource.LINK}
    assert units == {k: pytest.approx(v) for k, v in {"gets/s": 2.0, "transactions/s": 1.0, "space": 0.5}.items()}
    assert found.count == 3 and found.rate_units == pytest.approx(3.0)
    assert found.first is not None and (found.first.resource, found.first.kind) == (Resource.RATE, "gets/s")


def test_space_can_run_out_first() -> None:
    found = size("d", parse_need("100 gets/s, 1 TB"), ABLE, link_bits=1e12)
    assert found.count == 8 and found.first is not None and found.first.resource is Resource.SPACE


def test_4_kib_gets_end_near_29000_a_second_on_a_gigabit_link() -> None:
    found = size("d", parse_need("29000 gets/s"), {"gets/s": Capability(1e6, "")}, headroom=0.0)
    assert found.links == pytest.approx(1.0, rel=0.03)
    assert found.first is not None and found.first.resource is Resource.LINK
    assert found.count == 1, "more drives do not make the shared link wider"


def test_what_was_not_measured_is_not_guessed() -> None:
    found = size("d", parse_need("100 gets/s, 5 writes/s"), ABLE)
    assert found.count is None and found.rate_units is None
    assert [share.units is None for share in found.shares] == [False, True, False]
    assert found.first is None, "what is not known may be what runs out first"


def test_a_need_that_fits_takes_one() -> None:
    assert size("d", parse_need("1 gets/s"), ABLE).count == 1


def test_a_need_that_fits_exactly_takes_no_more() -> None:
    assert size("d", parse_need("21000 gets/s"), ABLE, headroom=0.3, link_bits=1e12).count == 3


PRICES = """
currency = "JPY"
period = "a month"
each = 30000
[drives]
sas = 20000
[[space]]
up_to = "1GB"
price = 0
[[space]]
up_to = "10GB"
price = 1000
[[space]]
per_gb = 50
"""


@pytest.mark.parametrize(
    ("amount", "price"), [(0.5e9, 0), (1e9, 0), (1.1e9, 1000), (10e9, 1000), (11e9, 1050), (300e9, 15500)]
)
def test_space_has_a_free_tier_and_steps(amount: float, price: float) -> None:
    prices = sizing.parse_prices(tomllib.loads(PRICES), "prices.toml")
    assert sizing.space_price(prices.space, amount) == pytest.approx(price)


def test_the_cost_of_drives_and_space() -> None:
    prices = sizing.parse_prices(tomllib.loads(PRICES), "prices.toml")
    found = sizing.cost(prices, size("sas", parse_need("14000 gets/s, 11 GB"), ABLE, link_bits=1e12), 11e9)
    assert found is not None and (found.count, found.each, found.total) == (2, 20000, 41050)
    other = sizing.cost(prices, size("ssd", parse_need("7000 gets/s"), ABLE, link_bits=1e12), None)
    assert other is not None and other.total == 30000
    assert sizing.cost(prices, size("sas", parse_need("1 writes/s"), ABLE), None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echa = 1", "each"),
        ("each = -1", "from 0"),
        ("each = true", "price is a number"),
        ("[[space]]\nup_to = '1GB'", "either price or per_gb"),
        ("[[space]]\nprice = 1\n[[space]]\nprice = 2", "rise"),
        ("[[space]]\nprice = 1\nup_to = '2GB'\n[[space]]\nprice = 2\nup_to = '1GB'", "rise"),
        ("space = 3", "table of prices"),
    ],
)
def test_prices_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sizing.parse_prices(tomllib.loads(text), "prices.toml")
