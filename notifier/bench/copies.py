"""Empty tables like the product's, for floors to write the same rows into."""

from sqlalchemy import MetaData, Table, func, insert, quoted_name, select

from notifier.kit.db import Base, Database, all_or_nothing


def table_like(database: Database, name: str) -> Table:
    """Make an empty table with the columns, the keys and the indexes of one of ours; it points to no other table."""
    copied = Base.metadata.tables[name].to_metadata(MetaData(), name=f"floor_{name}")
    for index in copied.indexes:
        index.name = quoted_name(f"floor_{index.name}", quote=None)
    for pointing in list(copied.foreign_key_constraints):
        copied.constraints.discard(pointing)
    for constraint in copied.constraints:
        constraint.name = None
    copied.create(database.engine)
    return copied


def write_again(database: Database, name: str, slice_rows: int) -> None:
    """Write every row of a table once more, in slices, into a table like it: what writing them takes.

    As the product does it: without copies of the pages a slice touches, which would be dearer than the writing.
    """
    origin = Base.metadata.tables[name]
    copied = table_like(database, name)
    columns = [column.name for column in origin.columns]
    rows = select(*[origin.c[column] for column in columns]).order_by(origin.c.id)
    with database.reading() as session:
        last = session.scalar(select(func.max(origin.c.id))) or 0
    for after in range(0, last, slice_rows):
        with database.transaction() as session:
            part = rows.where(origin.c.id > after, origin.c.id <= after + slice_rows)
            session.execute(all_or_nothing(insert(copied)).from_select(columns, part))
