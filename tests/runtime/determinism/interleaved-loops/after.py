import asyncio

from dbos import DBOS


@DBOS.step()
async def fetch_page(feed: str, page: int) -> str:
    return f"{feed} {page}"


@DBOS.workflow()
async def read(feed: str, pages: int) -> list[str]:
    return [await fetch_page(feed, page) for page in range(pages)]


@DBOS.workflow()
async def import_feeds(pages: int) -> list[list[str]]:
    news = asyncio.create_task(read("news", pages))
    blog = asyncio.create_task(read("blog", pages))
    return [await news, await blog]
