"""What a cluster's nightly job does with its databases, and the way back. `$DATABASES` are copied to `$FOLDER`."""

DUMP = """\
for database in $DATABASES; do
  pg_dump --format=custom --no-owner --file="$FOLDER/$database.dump" "$database"
  # A dump that cannot be listed cannot be restored either: better told tonight than on the day it is needed.
  pg_restore --list "$FOLDER/$database.dump" > /dev/null
done
"""
RESTORE = """\
for database in $DATABASES; do
  # All of it or nothing: a database that is half old and half new is worse than either.
  pg_restore --clean --if-exists --no-owner --single-transaction --dbname="$database" "$FOLDER/$database.dump"
done
"""
