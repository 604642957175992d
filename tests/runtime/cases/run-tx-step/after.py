import asyncio
import os
import time

import sqlalchemy as sa
from dbos import DBOS, SQLAlchemyDatasource

ds = SQLAlchemyDatasource.create(os.environ["APP_DATABASE_URL"])


def add(left: int, right: int) -> int:
    time.sleep(0.5)
    sum_of = sa.text("SELECT :left + :right")
    return ds.sql_session().execute(sum_of, {"left": left, "right": right}).scalar_one()


@DBOS.workflow()
async def workflow() -> int:
    return await asyncio.to_thread(
        ds.run_tx_step,
        {"name": "sum in SQL"},
        add,
        20,
        right=22,
    )
