"""The warehouse: an object with a name, so that DBOS finds it again after a restart."""

from dbos import DBOS, DBOSConfiguredInstance

from shop.models import Line, Parcel


@DBOS.dbos_class()
class Warehouse(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    @DBOS.step()
    def print_label(self, order_id: str, sku: str) -> str:
        return f"{self.name}/{order_id}/{sku}"

    @DBOS.workflow()
    async def pack(self, order_id: str, line: Line) -> Parcel:
        """Pack one line and tell the order that its parcel stands at the door."""
        label = self.print_label(order_id, line.sku)
        await DBOS.sleep(0.1)  # the belt needs a moment
        parcel = Parcel(label, line.sku, line.quantity)
        DBOS.send(order_id, parcel, topic="parcels")
        return parcel


warehouse = Warehouse("north")
