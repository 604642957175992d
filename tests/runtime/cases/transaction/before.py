import os
import time

import sqlalchemy as sa
from dbos import DBOS, SQLAlchemyDatasource

ds = SQLAlchemyDatasource.create(os.environ["APP_DATABASE_URL"])


def setup() -> None:
    with ds.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE visits (name TEXT)"))


@ds.transaction()
def record(name: str) -> int:
    session = ds.sql_session()
    session.execute(sa.text("INSERT INTO visits VALUES (:name)"), {"name": name})
    time.sleep(0.5)
    return session.execute(sa.text("SELECT count(*) FROM visits")).scalar_one()


@DBOS.workflow()
async def workflow() -> list[int]:
    first = record("ada")
    return [first, record(name="grace")]
