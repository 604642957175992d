"""What travels between the workflows: plain values that DBOS can write down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    cents: int


@dataclass(frozen=True)
class Order:
    id: str
    customer: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.quantity * line.cents for line in self.lines)


@dataclass(frozen=True)
class Parcel:
    label: str
    sku: str
    quantity: int
