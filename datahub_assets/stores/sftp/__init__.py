"""Landing folders on SFTP servers: ``options`` is how to connect, ``folder`` what landing asks of a server."""
