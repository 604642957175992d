"""Where the shop keeps its data, and how DBOS starts and stops. All of it runs outside of the loop."""

import os
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SQLAlchemyDatasource

FOLDER = Path(os.environ.get("SHOP_DATA", "."))
SYSTEM_URL = f"sqlite:///{(FOLDER / 'shop-dbos.sqlite').as_posix()}"

CONFIG: DBOSConfig = {
    "name": "shop",
    "system_database_url": SYSTEM_URL,
    "log_level": "WARNING",
    "notification_listener_polling_interval_sec": 0.1,
}

ds = SQLAlchemyDatasource.create(f"sqlite:///{(FOLDER / 'shop.sqlite').as_posix()}")

metadata = sa.MetaData()
stock_table = sa.Table(
    "stock",
    metadata,
    sa.Column("sku", sa.String, primary_key=True),
    sa.Column("units", sa.Integer, nullable=False),
)


def start() -> None:
    """Create what is missing and launch DBOS."""
    metadata.create_all(ds.engine)
    DBOS(config=CONFIG)
    DBOS.launch()


def stop() -> None:
    """Shut DBOS down and close the shop's own database."""
    DBOS.destroy()
    ds.engine.dispose()
