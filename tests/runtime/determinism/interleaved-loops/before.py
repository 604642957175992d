import asyncio

from dbos import DBOS


@DBOS.step()
async def fetch_page(feed: str, page: int) -> str:
    return f"{feed} {page}"


@DBOS.workflow()
async def import_feeds(pages: int) -> list[list[str]]:
    async def read(feed: str) -> list[str]:
        return [await fetch_page(feed, page) for page in range(pages)]

    news = asyncio.create_task(read("news"))
    blog = asyncio.create_task(read("blog"))
    return [await news, await blog]
