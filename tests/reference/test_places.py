"""Regions, grid zones, PUE and prices: the most local figure that is known, labelled, with the others beside it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.quantity import Basis
from ecoaudit.reference import load


def test_a_region_by_its_key_or_its_unique_name() -> None:
    assert load().region("aws:eu-north-1").location == "Stockholm"
    assert load().region("EU-NORTH-1") is load().region("aws:eu-north-1")


def test_a_name_that_two_providers_use_lists_both() -> None:
    with pytest.raises(EcoauditError, match="aws:us-east-1, lambda:us-east-1"):
        load().region("us-east-1")


def test_an_unknown_region_names_the_nearest() -> None:
    with pytest.raises(EcoauditError, match="aws:us-east-1"):
        load().region("aws:us-esat-1")
    with pytest.raises(EcoauditError, match="aws:eu-north-1"):
        load().region("narnia")


def test_a_country_that_is_one_market_is_its_own_zone() -> None:
    france = load().grid(region="gcp:europe-west9")
    assert (france.zone, france.basis, france.stand_in) == ("FR", "lifecycle", False)
    assert france.high / france.g_per_kwh == pytest.approx(1.10)
    assert [(other.g_per_kwh, other.basis) for other in france.alternatives] == [(16.3, "direct")]


def test_a_zone_of_a_large_country_has_its_own_figure_and_the_countrys_beside_it() -> None:
    virginia = load().grid(region="aws:us-east-1")
    assert (virginia.zone, virginia.g_per_kwh, virginia.basis) == ("US-PJM", 323.05, "direct")
    assert ("US", "lifecycle", True) in [(other.zone, other.basis, other.stand_in) for other in virginia.alternatives]


def test_a_country_that_stands_in_for_a_zone_is_wider() -> None:
    stockholm = load().grid(region="aws:eu-north-1")
    assert (stockholm.zone, stockholm.name, stockholm.stand_in) == ("SE-SE3", "Sweden", True)
    assert stockholm.high / stockholm.g_per_kwh == pytest.approx(1.25)
    zone = next(other for other in stockholm.alternatives if other.zone == "SE-SE3" and other.basis == "lifecycle")
    assert stockholm.low < zone.g_per_kwh < stockholm.high


@pytest.mark.parametrize(
    ("zone", "code"),
    [("SE", "SE"), ("swe", "SE"), ("Sweden", "SE"), ("SE-SE3", "SE-SE3"), ("se_se3", "SE-SE3"), ("SE3", "SE-SE3")],
)
def test_zones_by_code_or_name(zone: str, code: str) -> None:
    assert load().grid(zone=zone).zone == code


def test_a_stated_zone_goes_before_the_region() -> None:
    assert load().grid(region="aws:us-east-1", zone="US-TX").zone == "US-TX"
    assert load().grid(zone="US-VA").g_per_kwh == 244.8


def test_an_unknown_zone_or_no_place_is_an_error() -> None:
    with pytest.raises(EcoauditError, match="US-VA"):
        load().grid(zone="VA")
    with pytest.raises(EcoauditError, match="unknown grid zone"):
        load().grid(zone="QQ-QQ")
    with pytest.raises(EcoauditError, match="no place"):
        load().grid()


def test_sweden_is_not_its_marginal_figure() -> None:
    """A figure near 780 g/kWh for Sweden is a marginal one, taken for an average by some tables."""
    sweden = load().grid(zone="SE")
    assert all(factor.g_per_kwh < 60 for factor in (sweden, *load().grid(zone="SE-SE3").alternatives))


def test_pue_of_the_site_then_the_provider_then_the_survey() -> None:
    site = load().pue("aws:eu-north-1")
    assert (site.value, site.scope) == (1.10, "site")
    assert site.high == pytest.approx(1.10 * 1.05)
    provider = load().pue("gcp:europe-west9")
    assert (provider.value, provider.scope) == (1.09, "provider")
    assert provider.low == 1.0
    for unknown in (load().pue(), load().pue("lambda:us-east-1")):
        assert (unknown.value, unknown.low, unknown.high) == (1.56, 1.1, 1.8)
        assert (unknown.scope, unknown.basis) == ("survey", Basis.ASSUMED)


def test_a_design_pue_is_assumed() -> None:
    assert load().pue("azure:austriaeast").basis is Basis.ASSUMED


def test_the_regions_own_price_first() -> None:
    price = load().price("H100 SXM", "aws:eu-north-1")
    assert price is not None
    assert (price.provider, price.region, price.usd_per_gpu_hour) == ("aws", "eu-north-1", 7.3616)
    near = load().price("H100 SXM", "aws:us-west-2")
    assert near is not None
    assert (near.provider, near.region) == ("aws", "us-east-1")
    elsewhere = load().price("H100 SXM", "lambda:europe-central-1")
    assert elsewhere is not None
    assert elsewhere.provider == "lambda"


def test_without_a_provider_the_median_with_the_range_over_providers() -> None:
    price = load().price("NVIDIA H100 80GB HBM3")
    assert price is not None
    assert price.provider == "median of 10 providers"
    assert price.low < 2.5 < price.usd_per_gpu_hour < 7 < price.high
    assert load().price("H100 SXM", "ovh:fr-paris") == price


def test_a_gpu_that_nobody_lists_has_no_price() -> None:
    assert load().price("GB300") is None


def test_the_power_prior_is_only_for_nodes_like_the_metered_ones() -> None:
    line = load().power_line("H100 SXM", 8, "air")
    assert line is not None
    assert line.alpha == (1.15, 1.05, 1.30)
    assert line.host_w == (1900, 1400, 2400)
    assert line.basis is Basis.ASSUMED
    assert line.host_alpha_correlation < 0
    assert load().power_line(load().gpu("B200"), 8, None) is not None
    for gpu, count in (("H100 SXM", 4), ("H100 PCIe", 8), ("A100 SXM 80GB", 8), ("RTX 4090", 8), ("GB200", 8)):
        assert load().power_line(gpu, count, None) is None


def test_a_node_by_name() -> None:
    assert load().node("AWS:p5.48xlarge").gpu_count == 8
    assert load().node("dgx-h100").max_power_w == 10200
    with pytest.raises(EcoauditError, match="dgx-h100"):
        load().node("dgx-h10")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(load().regions()))
def test_any_region_answers_every_question(region: object) -> None:
    key = region.key  # type: ignore[attr-defined]
    factor = load().grid(region=key)
    assert factor.low < factor.g_per_kwh < factor.high
    assert all(not other.alternatives for other in factor.alternatives)
    price = load().price("H100 SXM", key)
    assert price is not None
    assert price.low <= price.usd_per_gpu_hour <= price.high
