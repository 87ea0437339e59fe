"""Empty tables like the product's, for floors to write the same rows into."""

from sqlalchemy import MetaData, Table, insert, quoted_name, select

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


def write_again(database: Database, *names: str) -> None:
    """Write every row of some tables once more, into tables like them, in one transaction: what writing them takes.

    In one, as an import does it: a commit for every slice, each with its checkpoint, took longer than the writing.
    """
    copies = [(Base.metadata.tables[name], table_like(database, name)) for name in names]
    with database.transaction() as session:
        for origin, copied in copies:
            columns = [column.name for column in origin.columns]
            rows = select(*[origin.c[column] for column in columns]).order_by(origin.c.id)
            session.execute(all_or_nothing(insert(copied)).from_select(columns, rows))
