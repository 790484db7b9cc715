import pytest

from dispatchcount.errors import UsageError
from dispatchcount.report.budget import check, growth, parse_limits
from tests.report import make

pytestmark = pytest.mark.torch_alone


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4.2G", 4_200_000_000),
        ("26M", 26 * 10**6),
        ("26m", 26 * 10**6),
        ("1.5k", 1500),
        ("2T", 2 * 10**12),
        ("16GiB", 16 * 2**30),
        ("4_200", 4200),
        ("4.2e9", 4_200_000_000),
        ("0", 0),
    ],
)
def test_amounts_are_exact(text: str, amount: int) -> None:
    (limit,) = parse_limits(f"flops={text}")
    assert (limit.amount, limit.percent) == (amount, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flops", "'flops' is not a limit; write it as metric=amount, such as flops=4.2G"),
        ("flop=1", "'flop' cannot be limited; it is one of flops, macs"),
        (
            "flops=many",
            "flops=many is not an amount; write a number such as 4200000000, 4.2G or 1%",
        ),
        ("flops=-1", "flops=-1 is not an amount"),
        ("flops=4K%", "flops=4K% is not an amount"),
        ("flops=nan", "flops=nan is not an amount"),
        ("flops=inf", "flops=inf is not an amount"),
        ("flops=1e9999", "flops=1e9999 is not an amount"),
        ("flops=" + "9" * 5000, "9… is not an amount"),
        ("flops=٤", "is not an amount"),
        (" , ", "no limit was given"),
        ("time_ns=1", "'time_ns' cannot be limited"),
    ],
)
def test_a_wrong_limit_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_limits(text)
    assert said in str(error.value)


def test_what_is_no_amount_is_refused() -> None:
    for amount in (float("nan"), float("inf"), -1, True, None, 10**5000, 0.00001, "", b"1"):
        with pytest.raises(UsageError, match="is not an amount"):
            parse_limits({"flops": amount})  # type: ignore[dict-item]


def test_a_budget_holds_up_to_its_last_flop() -> None:
    report = make.cnn()  # 14 928 flops, 348 params
    assert check(report, "flops=14928, params=348, unknown_ops=0, failed_ops=0") == ()
    (breach,) = check(report, {"flops": 14_927, "params": "348"})
    assert str(breach) == "flops is 14,928, over the budget of 14,927 by 1"


def test_a_budget_covers_what_could_not_be_counted() -> None:
    assert [breach.value for breach in check(make.troubled(), "unknown_ops=0,failed_ops=0")] == [
        2,
        1,
    ]


def test_a_budget_is_no_percentage_and_asks_only_for_what_was_measured() -> None:
    with pytest.raises(UsageError, match="flops=1% is a share of a baseline"):
        check(make.cnn(), "flops=1%")
    with pytest.raises(UsageError, match="profile\\(memory=True\\)"):
        check(make.cnn(), "peak_memory=1G")
    assert check(make.training(), "peak_memory=9876543") == ()


def test_growth_is_exact_in_percent_and_amount() -> None:
    old, new = make.cnn(), make.training()  # 14 928 → 42 736 flops: 27 808 more, 186.28… %
    assert growth(old, new, "flops=27808") == ()
    assert growth(old, new, "flops=186.3%,params=0") == ()
    (breach,) = growth(old, new, "flops=186.2%,params=0")
    assert (
        str(breach) == "flops grew from 14,928 to 42,736, by 27,808 (+186.28%); 186.2% is allowed"
    )
    assert growth(new, old, "flops=0%,bytes=0") == ()


def test_growth_from_nothing_is_growth() -> None:
    (breach,) = growth(make.cnn(), make.troubled(), "unknown_ops=50%")
    assert str(breach) == "unknown_ops grew from 0 to 2, by 2; 50% is allowed"


def test_counts_beyond_64_bits_are_held_against_their_limits() -> None:
    flops = 14_928 * 10**25
    assert check(make.huge(), {"flops": flops}) == ()
    assert len(check(make.huge(), {"flops": flops - 1})) == 1


def test_bytes_have_their_unit_and_other_figures_have_none() -> None:
    # 8,328 bytes are read in all
    (breach,) = check(make.cnn(), "bytes_read=8k")
    assert str(breach) == "bytes_read is 8,328 B, over the budget of 8k by 328 B"
    (breach,) = check(make.training(), "peak_memory=9M")
    assert str(breach) == "peak_memory is 9,876,543 B, over the budget of 9M by 876,543 B"
    (breach,) = growth(make.cnn(), make.training(), "bytes=1%")
    assert str(breach).startswith("bytes grew from 14,544 B to ")
