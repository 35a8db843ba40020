"""What the code location declares: every asset with all that a reader needs to know of it, checks, partitions, automation."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster import DefaultScheduleStatus, DefaultSensorStatus

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.catalogue.loading import DEMO_FOLDER, load
from datahub_assets.errors import DeclarationError
from datahub_assets.orchestration.build import build_definitions
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, dataset_of
from datahub_assets.settings import Settings
from datahub_assets_tests.hubs import INSTRUMENTS, PRICED_MEMBERS, PRICES, RETURNS, small_hub
from datahub_assets_tests.unit.orchestration.runs import published, raw, structured

KINDS = {RAW: {"hadoop", "bronze"}, STRUCTURED: {"table", "silver"}, PUBLISHED: {"parquet", "iceberg", "gold"}}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The demo's catalogue as a code location."""
    return build_definitions(Settings(home=tmp_path_factory.mktemp("home"), catalogue_folder=DEMO_FOLDER))


def specs(definitions: dg.Definitions) -> Iterator[tuple[str, str, dg.AssetSpec]]:
    """Layer, dataset and declaration of each asset."""
    for spec in definitions.resolve_all_asset_specs():
        yield spec.key.path[0], dataset_of(spec.key), spec


def test_demo_loads_and_has_an_asset_a_layer_for_every_dataset(demo: dg.Definitions) -> None:
    """Raw and structured for what is received, published for what is made of it; Dagster finds nothing wrong with it."""
    dg.Definitions.validate_loadable(demo)
    catalogue = load(DEMO_FOLDER)
    expected = {(layer, name) for name in catalogue.structured for layer in (RAW, STRUCTURED)}
    assert {(layer, dataset) for layer, dataset, _ in specs(demo)} == expected | {
        (PUBLISHED, name) for name in catalogue.extracts
    }


def test_asset_leads_to_its_page_where_the_settings_say_where_pages_are(tmp_path: Path) -> None:
    """Who looks at an asset in Dagster gets to what analysts see of it; a raw asset has no page of its own."""
    hub = small_hub(tmp_path, PRICES, RETURNS, settings='pages_url = "https://hub.example/"\n')
    found = {
        (layer, dataset): spec.metadata["pages"].value if "pages" in spec.metadata else None
        for layer, dataset, spec in specs(build_definitions(hub.settings))
    }
    assert found == {
        (RAW, PRICES): None,
        (STRUCTURED, PRICES): f"https://hub.example/browse/{PRICES}",
        (PUBLISHED, RETURNS): f"https://hub.example/browse/{RETURNS}",
    }


def test_every_asset_says_what_it_is(demo: dg.Definitions) -> None:
    """Owners, description, group, kinds, tags, classification, and where it is declared, to the file."""
    catalogue = load(DEMO_FOLDER)
    for layer, dataset, spec in specs(demo):
        declared = catalogue.datasets[dataset]
        assert list(spec.owners) == list(declared.owners), dataset
        assert spec.description, dataset
        assert declared.title in spec.description
        assert spec.group_name == declared.domain
        assert KINDS[layer] <= spec.kinds
        assert spec.tags["domain"] == declared.domain
        assert spec.metadata["classification"] == declared.classification
        (reference,) = spec.metadata["dagster/code_references"].code_references
        assert Path(reference.file_path) == catalogue.files[dataset]
        assert layer == PUBLISHED or spec.metadata["licence"]


def test_every_table_has_its_schema_and_the_origin_of_its_columns(demo: dg.Definitions) -> None:
    """Each column with type and description; its lineage wherever a field, or the SQL, tells it; and the key."""
    catalogue = load(DEMO_FOLDER)
    for layer, dataset, spec in specs(demo):
        if layer == RAW:
            assert "/" in spec.metadata["expected file"]
            continue
        schema, lineage = spec.metadata["dagster/column_schema"], spec.metadata["dagster/column_lineage"]
        assert spec.metadata["dagster/table_name"] == dataset.replace("/", ".")
        assert [column.name for column in schema.columns if not column.description] == [], dataset
        assert schema.constraints.other == [f"key: {', '.join(catalogue.datasets[dataset].key)}"]
        names = {column.name for column in schema.columns}
        assert set(lineage.deps_by_column) <= names
        origins = {dep.asset_key for deps in lineage.deps_by_column.values() for dep in deps}
        upstream = {raw(dataset)} if layer == STRUCTURED else {structured(name) for name in catalogue.inputs[dataset]}
        assert origins <= upstream, dataset
        assert origins, dataset


def test_every_dataset_that_is_expected_has_a_freshness_policy(demo: dg.Definitions) -> None:
    """Dagster warns by the time of the last materialisation; the checks judge by the calendar."""
    catalogue = load(DEMO_FOLDER)
    for layer, dataset, spec in specs(demo):
        hours = catalogue.datasets[dataset].freshness_hours
        assert (spec.freshness_policy is not None) == (layer != RAW and hours is not None), dataset
    assert any(spec.freshness_policy for _, _, spec in specs(demo))


def test_partitions_are_the_calendars_business_dates(demo: dg.Definitions) -> None:
    """Of each dataset from its start on: weekends and the calendar's holidays are no partitions; not one day is lacking."""
    catalogue, now = load(DEMO_FOLDER), datetime(2013, 4, 1, tzinfo=UTC)
    graph = demo.resolve_asset_graph()
    for _, dataset, spec in specs(demo):
        declared = catalogue.datasets[dataset].partitions
        partitions = graph.get(spec.key).partitions_def
        if isinstance(partitions, dg.DynamicPartitionsDefinition):
            assert declared.calendar == "irregular"
            continue
        assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
        keys = [key for key in partitions.get_partition_keys(current_time=now) if key < "2013-04-01"]
        end = min(date(2013, 3, 31), declared.end or date.max)
        assert keys == [str(day) for day in business_days(declared.calendar, declared.start, end)], dataset


def test_todays_partition_is_there_before_the_day_is_over(tmp_path: Path) -> None:
    """A file of today is taken today."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"partitions": {"calendar": "daily"}}})
    partitions = build_definitions(hub.settings).resolve_asset_graph().get(raw(PRICES)).partitions_def
    assert partitions is not None
    assert partitions.get_last_partition_key() == str(datetime.now(UTC).date())


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Auckland"])
def test_partitions_are_the_same_days_in_every_time_zone_and_todays_begins_with_its_day(
    tmp_path: Path, zone: str
) -> None:
    """A hub's day is that of its time zone: in Tokyo today's file is taken in the morning, when it is yesterday in London."""
    declared = {PRICES: {"partitions": {"calendar": "XTKS", "start": date(2012, 1, 4)}}}
    hub = small_hub(tmp_path, PRICES, settings=f'timezone = "{zone}"\n', declared=declared)
    partitions = build_definitions(hub.settings).resolve_asset_graph().get(raw(PRICES)).partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    midnight = datetime(2013, 1, 8, tzinfo=ZoneInfo(zone))
    expected = [str(day) for day in business_days("XTKS", date(2012, 1, 4), date(2013, 1, 8))]
    assert partitions.get_partition_keys(current_time=midnight + timedelta(minutes=1)) == expected
    assert partitions.get_partition_keys(current_time=midnight - timedelta(minutes=1)) == expected[:-1]


def test_checks_are_partitioned_but_for_those_about_the_whole(demo: dg.Definitions) -> None:
    """Contract, row count, reconciliation and own checks a partition; completeness and freshness of the dataset."""
    found: dict[dg.AssetKey, dict[str, bool]] = {}
    for asset in demo.resolve_asset_graph().assets_defs:
        for spec in asset.check_specs:
            assert spec.description
            found.setdefault(spec.asset_key, {})[spec.name] = spec.partitions_def is not None
    quandl = found[structured("quandl/equity_prices")]
    assert quandl == {
        "contract": True, "row_count": True, "reconciliation": True, "prices_inside_range": True,
        "completeness": False, "freshness": False,
    }  # fmt: skip
    assert {"contract", "reconciliation", "completeness", "freshness"} <= set(found[structured("iso/currencies")])
    assert "contract" not in found[published("analytics/valuations")]
    assert not any(key.path[0] == RAW for key in found)


def test_sensors_and_schedules_run_without_being_switched_on(demo: dg.Definitions) -> None:
    """A hub that was just started must not wait for a click."""
    repository = demo.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {"landing", "follow", "backlog", "notify_failure"}
    assert {sensor.default_status for sensor in repository.sensor_defs} == {DefaultSensorStatus.RUNNING}
    assert {schedule.default_status for schedule in repository.schedule_defs} == {DefaultScheduleStatus.RUNNING}


def test_each_expected_time_has_a_schedule_that_judges_just_after_its_grace(tmp_path: Path) -> None:
    """Datasets with the same time share one, in their own time zone; another looks again each hour, another maintains."""
    expected = {"time": "16:15", "timezone": "Europe/Berlin", "grace_minutes": 50}
    partitions = {"partitions": {"expected": expected}}
    hub = small_hub(tmp_path, declared={PRICES: partitions, RETURNS: partitions})
    made = {
        schedule.name: (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name)
        for schedule in build_definitions(hub.settings).get_repository_def().schedule_defs
    }
    assert made == {
        "expected_1706_europe_berlin": ("6 17 * * *", "Europe/Berlin", "judge"),
        "look_again": ("7 * * * *", None, "judge"),
        "maintain": ("30 3 * * *", None, "maintain"),
    }


def test_each_table_is_one_pool_so_that_two_runs_never_write_it(demo: dg.Definitions) -> None:
    """With the limits of dagster.yaml one run at a time has it; no two assets share one."""
    pools = [asset.op.pool for asset in demo.resolve_asset_graph().assets_defs]
    assert None not in pools
    assert len(set(pools)) == len(pools)


def test_extracts_depend_on_the_partitions_that_they_read(tmp_path: Path) -> None:
    """The day's own, and with a window those before it: so the UI shows what a correction reaches."""
    graph = build_definitions(small_hub(tmp_path).settings).resolve_asset_graph()
    assert graph.get(published(RETURNS)).parent_keys == {structured(PRICES)}
    mapping = graph.get_partition_mapping(published(RETURNS), structured(PRICES))
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert (mapping.start_offset, mapping.end_offset) == (-1, 0)
    assert graph.get(published(PRICED_MEMBERS)).parent_keys >= {structured(PRICES), structured(INSTRUMENTS)}


def test_own_asset_takes_the_place_of_a_datasets_asset(tmp_path: Path) -> None:
    """It has the key that the catalogue would have given: one of the two, never both."""

    @dg.asset(key=structured(PRICES), io_manager_key="tables")
    def modelled() -> None:
        """Prices of a model."""

    definitions = build_definitions(small_hub(tmp_path).settings, [modelled])
    dg.Definitions.validate_loadable(definitions)
    assert [spec.description for _, dataset, spec in specs(definitions) if spec.key == structured(PRICES)] == [
        "Prices of a model."
    ]
    assert raw(PRICES) in {spec.key for _, _, spec in specs(definitions)}


def test_catalogue_that_is_wrong_stops_the_code_location_with_all_its_problems(tmp_path: Path) -> None:
    """The UI shows the error of loading: file, line and field of each."""
    hub = small_hub(tmp_path, PRICES, RETURNS)
    (tmp_path / "catalogue" / "px_prices.yaml").write_text("kind: structured\ndataset: px/prices\n")
    with pytest.raises(DeclarationError, match=r"px_prices.yaml:\d+: title: required and missing"):
        build_definitions(hub.settings)


def test_holiday_that_is_declared_is_no_partition(tmp_path: Path) -> None:
    """1 January 2013 is a weekday and a TARGET holiday."""
    start = date(2012, 12, 31)
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"partitions": {"calendar": "TARGET", "start": start}}})
    partitions = build_definitions(hub.settings).resolve_asset_graph().get(raw(PRICES)).partitions_def
    assert partitions is not None
    assert partitions.get_partition_keys()[:2] == [str(start), str(start + timedelta(2))]
