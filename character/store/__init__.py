"""The store of a kept folder: every call, record and veto, in SQLite or PostgreSQL."""
