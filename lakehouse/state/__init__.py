"""The control state: holds, plans, what was done by which rule when. SQLAlchemy over SQLite or PostgreSQL."""
