"""How a person connects to a dataset: texts to copy, and the files that Windows and Excel open.

A file DSN is an INI file of the driver manager's; an ODC file is Office's "Office Data Connection": HTML around XML, as
Excel itself writes it (MS-ODC, section 2.3).
"""

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

DRIVER_LINUX, DRIVER_WINDOWS = "PostgreSQL Unicode", "PostgreSQL Unicode(x64)"
DATABASE = "datahub"


@dataclass(frozen=True)
class Endpoints:
    """Where the doors are, as a client reaches them. ``url`` without a slash at its end."""

    url: str
    odbc_host: str
    odbc_port: int
    odbc_tls: bool


@dataclass(frozen=True)
class Snippet:
    """A text to copy."""

    title: str
    language: str
    text: str


def database(known_at: str | None) -> str:
    """The database's name, as of a known time where one is asked for."""
    return f"{DATABASE}@{known_at}" if known_at else DATABASE


def snippets(endpoints: Endpoints, relation: str, dataset: str, user: str, known_at: str | None) -> list[Snippet]:
    """How to read a relation from the programs that analysts use."""
    host, port, name = endpoints.odbc_host, endpoints.odbc_port, database(known_at)
    tls = "SSLmode=require;" if endpoints.odbc_tls else ""
    mode = "&sslmode=require" if endpoints.odbc_tls else ""
    rows = f"{endpoints.url}/api/v1/datasets/{dataset}/rows"
    when = f"&known_at={quote(known_at)}" if known_at else ""
    at = f'.at("{known_at}")' if known_at else ""
    return [
        Snippet(
            "ODBC connection string", "odbc",
            f"Driver={{{DRIVER_LINUX}}};Server={host};Port={port};Database={name};Uid={user};{tls}"
            "UseDeclareFetch=1;Fetch=10000",
        ),
        Snippet(
            "Python, by ODBC", "python",
            "import getpass, polars, pyodbc\n\n"
            f'connection = pyodbc.connect(r"Driver={{{DRIVER_LINUX}}};Server={host};Port={port};Database={name};"\n'
            f'    "Uid={user};{tls}Pwd=" + getpass.getpass())\n'
            f'rows = polars.read_database("SELECT * FROM {relation} LIMIT 100", connection)  # .to_pandas() for pandas',
        ),
        Snippet(
            "Python, by HTTP", "python",
            "import getpass\n\nfrom datahub_assets.client import Client\n\n"
            f'with Client("{endpoints.url}", user="{user}", password=getpass.getpass()) as hub:\n'
            f'    rows = hub{at}.rows("{dataset}").to_pandas()  # or to_polars(), to_arrow()',
        ),
        Snippet(
            "Python, Arrow by ADBC", "python",
            "import getpass, polars\n\n"
            f'uri = f"postgresql://{user}:{{getpass.getpass()}}@{host}:{port}/{name}?application_name=python{mode}"\n'
            f'rows = polars.read_database_uri("SELECT * FROM {relation} LIMIT 100", uri, engine="adbc")',
        ),
        Snippet("curl", "shell", f"curl --user {user} '{rows}?format=csv{when}' --output {relation}.csv"),
        Snippet("psql", "shell", f"psql 'host={host} port={port} dbname={name} user={user}'"),
    ]  # fmt: skip


def file_dsn(endpoints: Endpoints, user: str, known_at: str | None) -> str:
    """A file DSN for Windows: what the ODBC administrator and Excel's "From ODBC" open."""
    lines = {
        "DRIVER": DRIVER_WINDOWS, "SERVER": endpoints.odbc_host, "PORT": str(endpoints.odbc_port),
        "DATABASE": database(known_at), "UID": user, "SSLMODE": "require" if endpoints.odbc_tls else "prefer",
        "ReadOnly": "1", "UseDeclareFetch": "1", "Fetch": "10000",
    }  # fmt: skip
    return "\r\n".join(["[ODBC]", *(f"{name}={value}" for name, value in lines.items()), ""])


def office_connection(endpoints: Endpoints, relation: str, title: str, user: str, known_at: str | None) -> str:
    """An ODC file: opened in Excel it asks for the password and brings the relation as a table."""
    tls = "SSLMODE=require;" if endpoints.odbc_tls else ""
    connection = (
        f"DRIVER={{{DRIVER_WINDOWS}}};SERVER={endpoints.odbc_host};PORT={endpoints.odbc_port};"
        f"DATABASE={database(known_at)};UID={user};{tls}ReadOnly=1;UseDeclareFetch=1;Fetch=10000"
    )
    return _ODC.format(
        title=escape(title),
        name=escape(relation),
        connection=escape(connection),
        command=escape(f"SELECT * FROM {relation}"),
    ).replace("\n", "\r\n")


_ODC = """\
<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://www.w3.org/TR/REC-html40">
<head>
<meta http-equiv="Content-Type" content="text/x-ms-odc; charset=utf-8">
<meta name="ProgId" content="ODC.Table">
<meta name="SourceType" content="ODBC">
<title>{title}</title>
<xml id="docprops"><o:DocumentProperties xmlns:o="urn:schemas-microsoft-com:office:office" \
xmlns="http://www.w3.org/TR/REC-html40"><o:Description>{title}</o:Description><o:Name>{name}</o:Name>\
</o:DocumentProperties></xml>
<xml id="msodc"><odc:OfficeDataConnection xmlns:odc="urn:schemas-microsoft-com:office:odc" \
xmlns="http://www.w3.org/TR/REC-html40">
<odc:Connection odc:Type="ODBC">
<odc:ConnectionString>{connection}</odc:ConnectionString>
<odc:CommandType>SQL</odc:CommandType>
<odc:CommandText>{command}</odc:CommandText>
</odc:Connection>
</odc:OfficeDataConnection></xml>
</head>
</html>
"""
