"""The stock: short transactions, and the stocktaking that must not meet the daily report."""

from datetime import datetime

import sqlalchemy as sa
from dbos import DBOS

from shop.runtime import ds, stock_table

CATALOGUE = ("apple", "pear", "plum")
REPORT = "daily-report"


@ds.transaction()
def fill_shelves(units: int) -> None:
    """Put `units` of everything on shelves that are still empty."""
    session = ds.sql_session()
    known = set(session.execute(sa.select(stock_table.c.sku)).scalars())
    for sku in CATALOGUE:
        if sku not in known:
            session.execute(sa.insert(stock_table).values(sku=sku, units=units))


@ds.transaction()
def reserve(sku: str, quantity: int) -> bool:
    """Take units off the shelf; False if there are not enough."""
    taken = ds.sql_session().execute(
        sa.update(stock_table)
        .where(stock_table.c.sku == sku, stock_table.c.units >= quantity)
        .values(units=stock_table.c.units - quantity)
    )
    return taken.rowcount == 1


def units_of(sku: str) -> int:
    """Count one shelf. No decorator: who wants it recorded runs it as a transaction step."""
    shelf = sa.select(stock_table.c.units).where(stock_table.c.sku == sku)
    return ds.sql_session().execute(shelf).scalar_one()


@DBOS.workflow()
def daily_report(scheduled: datetime, context: object) -> None:
    DBOS.logger.info(f"stock report of {scheduled:%Y-%m-%d}")


def plan_report() -> None:
    """Every night at three. Called once, at start-up."""
    DBOS.apply_schedules(
        [{"schedule_name": REPORT, "workflow_fn": daily_report, "schedule": "0 3 * * *"}]
    )


@DBOS.workflow()
async def stocktake() -> int:
    """Count everything while the report is on hold."""
    DBOS.pause_schedule(REPORT)
    counted = {
        # one recorded step a shelf
        sku: ds.run_tx_step({"name": f"count {sku}"}, units_of, sku)
        for sku in CATALOGUE
    }
    DBOS.resume_schedule(REPORT)
    return sum(counted.values())
