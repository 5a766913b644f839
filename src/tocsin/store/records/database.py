"""The database of records: opened, migrated, and used in transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.attributes import flag_modified

from tocsin.errors import TocsinError
from tocsin.store.records import cases as cases  # its tables belong to `Base`
from tocsin.store.records import hosts as hosts  # and so do these
from tocsin.store.records.encryption import Cipher, use_cipher
from tocsin.store.records.high_water import HighWaterMark
from tocsin.store.records.host_actions import StoredResponseConnector
from tocsin.store.records.models import AuditEntry, Base, Connector
from tocsin.store.records.reputation import ReputationService

_T = TypeVar("_T")
_AT_ONCE = 500
_AUDITED = "audited"  # in what a session carries: it has made an entry of the audit log
# Which columns of which tables are encrypted.
_ENCRYPTED: dict[type[Any], tuple[str, ...]] = {
    Connector: ("config", "secrets"),
    StoredResponseConnector: ("settings", "secrets"),
    ReputationService: ("secrets",),
}
_MIGRATIONS = Path(__file__).parent / "migrations"


class RecordsError(TocsinError):
    """The database of records cannot be used."""


class Records:
    """Records in a database: SQLite in a file by default, PostgreSQL by URL.

    Without a `cipher` connectors can be neither read nor written. The file `high_water` says how far records have
    come; everybody who changes records names it.
    """

    def __init__(self, url: str, cipher: Cipher | None = None, high_water: Path | None = None) -> None:
        try:
            address = make_url(url)
            if address.drivername == "postgresql":
                address = address.set(drivername="postgresql+psycopg")
            self.engine = _engine(address.render_as_string(hide_password=False))
            self.name = address.render_as_string(hide_password=True)
        except (ArgumentError, NoSuchModuleError) as error:
            raise RecordsError(
                f"not the URL of a database: {error}", hint="as in postgresql://user:password@host/tocsin"
            ) from None
        except ModuleNotFoundError as error:
            raise RecordsError(
                f"PostgreSQL needs the package {error.name}", hint="pip install 'tocsin[postgresql]'"
            ) from None
        if cipher is not None:
            use_cipher(self.engine, cipher)
        self._cipher = cipher
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._mark = None if high_water is None else HighWaterMark(high_water, file_of(url))
        if self._mark is not None:
            event.listen(self._sessions, "after_flush", _see_audit)
            self._mark.open()

    def is_empty(self) -> bool:
        """Return whether the database has none of the tables of records. Raises RecordsError."""
        with _reachable(self.name), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() is None

    def upgrade(self) -> None:
        """Bring the tables up to date. Raises RecordsError, also for tables of a newer tocsin."""
        config = alembic_config()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        with _reachable(self.name), self.engine.begin() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise RecordsError(
                    f"{self.name} was written by a newer tocsin (revision {current})", hint="update this one"
                )
            if connection.dialect.name == "postgresql":  # one service at a time
                connection.execute(text("SELECT pg_advisory_xact_lock(7463)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _complete(connection, self.name)

    def encrypt_connectors(self) -> list[str]:
        """Encrypt what the first key has not encrypted yet; return the connectors that no key decrypts.

        What was there before does not stay in an SQLite file. Raises RecordsError.
        """
        cipher = self._cipher
        assert cipher is not None
        undecryptable, changed = [], False
        with self.transaction() as session:
            if self.engine.dialect.name == "sqlite":
                session.execute(text("PRAGMA secure_delete=ON"))
            for kind, names in _ENCRYPTED.items():
                columns = [type_coerce(getattr(kind, name), JSON) for name in names]
                for id_, *objects in session.execute(select(kind.id, *columns)).all():
                    connector = session.get_one(kind, id_)
                    if connector.is_undecryptable:
                        undecryptable.append(id_)
                    elif not all(map(cipher.is_current, objects)):
                        changed = True
                        for name in names:
                            flag_modified(connector, name)
        if changed and self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return undecryptable

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose changes are committed at the end, or none of them. Raises RecordsError."""
        with _reachable(self.name), self._sessions.begin() as session:
            yield session
        if self._mark is not None and (session.info.pop(_AUDITED, False) or self._mark.is_due()):
            with _reachable(self.name), self._sessions() as session:
                self._mark.note(session)

    def behind(self, *, expected: bool = False) -> str | None:
        """Return what records lack by their high water mark, None when they lack nothing.

        A missing mark is a fault where one is `expected`. Raises RecordsError.
        """
        if self._mark is None:
            return None
        with _reachable(self.name), self._sessions() as session:
            return self._mark.behind(session, expected=expected)

    def accept(self) -> None:
        """Set the mark to records as they are, after what they lack was reported. Raises RecordsError."""
        if self._mark is not None:
            with _reachable(self.name), self._sessions() as session:
                self._mark.reset(session)

    def check(self) -> str | None:
        """Return why the database does not answer, None when it does."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return _reason(error)
        return None

    def close(self) -> None:
        """Give all connections back."""
        if self._mark is None:
            self.engine.dispose()
            return
        with self._mark.closing():
            self.engine.dispose()
            self._mark.closed()


def file_of(url: str) -> Path | None:
    """Return the SQLite file that a database is, None when it is none."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return None
    return Path(str(address.database))


def _see_audit(session: Session, _context: object) -> None:
    if any(isinstance(row, AuditEntry) for row in session.new):
        session.info[_AUDITED] = True


def begin_to_write(session: Session) -> None:
    """Have a transaction of SQLite wait for other writers now: a document that is read is the one that is changed.

    A savepoint does (see `_engine`). Other databases lock the rows.
    """
    with session.begin_nested():
        session.connection()


def alembic_config() -> Config:
    """Return what Alembic has to know of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield values, as many at a time as one statement may name."""
    waiting = iter(values)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield chunk


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=10, pool_timeout=10)
    engine = create_engine(url, connect_args={"timeout": 15})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    # A savepoint begins a transaction whose first read decides what it sees, and which may write no more once
    # somebody else has written: "database is locked", without waiting. BEGIN IMMEDIATE makes it wait.
    @event.listens_for(engine, "savepoint")
    def _lock(connection: Connection, _name: str) -> None:
        driver: Any = connection.connection.dbapi_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _complete(connection: Connection, name: str) -> None:
    """Add what tables of an earlier version lack, as a migration was once changed after it had been used.

    Raises RecordsError when the tables differ from the models in a way that cannot be mended by adding.
    """
    context = MigrationContext.configure(connection)
    change = Operations(context)
    wrong = []
    for difference in compare_metadata(context, Base.metadata):
        match difference:
            case ("add_table", table):
                table.create(connection)
            case ("add_index", index):
                index.create(connection)
            case ("add_column", _, table, column) if column.nullable:
                change.add_column(table, Column(column.name, column.type, nullable=True))
            case ("remove_table" | "remove_column" | "remove_index", *_):
                continue  # what nobody reads does no harm
            case _:
                wrong.append(str(difference))
    if wrong:
        raise RecordsError(
            f"the tables of {name} are not those of this version: {'; '.join(wrong)}",
            hint="restore a backup, or ask with this message",
        )


@contextmanager
def _reachable(name: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
            raise RecordsError(
                f"the database of records {name} does not answer: {_reason(error)}",
                hint="is it running, and is the URL right?",
            ) from error
        if type(error.orig).__name__ == "DatabaseError":  # of SQLite, and no other kind of it
            raise RecordsError(
                f"the database of records {name} is damaged: {_reason(error)}",
                hint="start `tocsin serve`, which saves what can be read of it",
            ) from error
        raise


def _reason(error: SQLAlchemyError) -> str:
    message = str(getattr(error, "orig", None) or error).strip()
    return message.splitlines()[0] if message else type(error).__name__
