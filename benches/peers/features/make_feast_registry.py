"""Makes `mlops-features/tests/data/feast_registry.db`: what a real Feast writes, for the importer's test.

Once, by hand:  pip install feast==0.67.0  &&  python make_feast_registry.py OUT.db
"""

import pathlib
import sys
import tempfile
from datetime import timedelta

import pandas as pd
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    RequestSource,
    ValueType,
)
from feast.on_demand_feature_view import on_demand_feature_view
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.types import (
    Array,
    Bool,
    Bytes,
    Float32,
    Float64,
    Int32,
    Int64,
    String,
    UnixTimestamp,
)

driver = Entity(
    name="driver",
    join_keys=["driver_id"],
    value_type=ValueType.INT64,
    description="who drives",
    owner="fleet@example.com",
    tags={"team": "fleet"},
)
airport = Entity(name="airport", join_keys=["airport"], value_type=ValueType.STRING)

trips = FileSource(
    name="trips_source",
    path="data/trips.parquet",
    timestamp_field="happened_at",
    created_timestamp_column="loaded_at",
    field_mapping={"n_trips": "trips"},
)
stats = FeatureView(
    name="driver_stats",
    entities=[driver],
    ttl=timedelta(days=7),
    schema=[
        Field(name="driver_id", dtype=Int64),
        Field(name="trips", dtype=Int32, description="trips so far", tags={"pii": "false"}),
        Field(name="rating", dtype=Float64),
        Field(name="score", dtype=Float32),
        Field(name="vip", dtype=Bool),
        Field(name="note", dtype=String),
        Field(name="blob", dtype=Bytes),
        Field(name="since", dtype=UnixTimestamp),
        Field(name="embedding", dtype=Array(Float32)),
        Field(name="badges", dtype=Array(String)),
    ],
    source=trips,
    description="what a driver did",
    owner="fleet@example.com",
    tags={"tier": "gold"},
)
weather = FeatureView(
    name="weather",
    entities=[airport],
    ttl=timedelta(hours=1, milliseconds=500),
    schema=[
        Field(name="airport", dtype=String),
        Field(name="wind", dtype=Float64),
        Field(name="rain", dtype=Float64),
    ],
    source=FileSource(name="weather_source", path="s3://bucket/weather/", timestamp_field="event_timestamp"),
)
pushed = FeatureView(
    name="live",
    entities=[driver],
    schema=[Field(name="driver_id", dtype=Int64), Field(name="speed", dtype=Float64)],
    source=PushSource(
        name="live_push",
        batch_source=FileSource(name="live_source", path="data/live.parquet", timestamp_field="ts"),
    ),
)
calendar = FeatureView(
    name="calendar",
    entities=[],
    schema=[Field(name="holiday", dtype=Bool)],
    source=FileSource(name="calendar_source", path="data/calendar.parquet", timestamp_field="day"),
)
asked = RequestSource(name="asked", schema=[Field(name="distance", dtype=Float64)])


@on_demand_feature_view(
    sources=[stats, asked], schema=[Field(name="rating_by_km", dtype=Float64)], description="rating a km"
)
def by_km(inputs: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame()
    out["rating_by_km"] = inputs["rating"] / inputs["distance"]
    return out


eta = FeatureService(
    name="eta",
    features=[
        stats[["rating", "trips"]],
        weather.with_name("origin_weather").with_join_key_map({"airport": "origin"}),
        weather[["wind"]].with_name("destination_weather").with_join_key_map({"airport": "destination"}),
        by_km,
    ],
    description="time of arrival",
    owner="models@example.com",
    tags={"model": "eta"},
)
plain = FeatureService(name="plain", features=[stats, pushed, calendar])


def main(out: pathlib.Path) -> None:
    """Applies the definitions to an empty repository and copies its registry."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        store = FeatureStore(
            config=RepoConfig(
                project="shop",
                registry=str(root / "registry.db"),
                provider="local",
                online_store={"type": "sqlite", "path": str(root / "online.db")},
                offline_store={"type": "dask"},
                entity_key_serialization_version=3,
            )
        )
        store.apply([driver, airport, stats, weather, pushed, calendar, by_km, eta, plain])
        registry = Registry.FromString((root / "registry.db").read_bytes())
        # Pickled code holds paths of the machine, and the history of versions holds it again.
        for view in registry.on_demand_feature_views:
            view.spec.user_defined_function.body = b""
            view.spec.feature_transformation.user_defined_function.body = b""
        registry.ClearField("feature_view_version_history")
        out.write_bytes(registry.SerializeToString(deterministic=True))
    print(out, out.stat().st_size, "bytes")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
