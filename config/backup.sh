#!/bin/sh
# Backs up the database that PGHOST, PGUSER, PGPASSWORD and PGDATABASE name into BACKUP_DIRECTORY, in pg_dump's custom format.
#
#   backup.sh          keeps on: one backup a period of BACKUP_EVERY_HOURS, counted from BACKUP_HOUR o'clock UTC
#   backup.sh once     makes one now; ends with 1 when it fails
#   backup.sh health   ends with 1 when the last one failed, or when the newest is older than two periods
#
# A backup gets its name only when it is complete and was read again. Only then are those deleted that are older than
# BACKUP_KEEP_DAYS: however long backups fail, the last good one stays.
set -eu

directory=${BACKUP_DIRECTORY:?names the folder of the backups}
period=$((${BACKUP_EVERY_HOURS:-24} * 3600))
keep_minutes=$((${BACKUP_KEEP_DAYS:-14} * 1440))
# A number that begins with 0 would be read as octal.
hour=${BACKUP_HOUR:-3}
hour=${hour#0}
offset=$((${hour:-0} * 3600))
# Stays there from a failure until the next success, also over a restart.
failure=$directory/FAILED

# Seconds of 1970 at which the newest backup was made; 0 when there is none. Names sort by time.
newest() {
  set -- "$directory"/parley-*.dump
  shift $(($# - 1))
  if [ -e "$1" ]; then date -r "$1" +%s; else echo 0; fi
}

is_due() {
  [ -e "$failure" ] || [ $((($(date +%s) - offset) / period)) -gt $((($(newest) - offset) / period)) ]
}

back_up() {
  partial=
  name=parley-$(date -u +%Y%m%dT%H%M%SZ).dump
  if
    partial=$(mktemp "$directory/.partial-XXXXXX") &&
      pg_dump --format=custom --file="$partial" &&
      pg_restore --file=/dev/null "$partial" &&
      mv "$partial" "$directory/$name"
  then
    rm -f "$failure"
    echo "Backed up to $name."
    # A partial one that is a day old was left by a backup that was killed.
    find "$directory" -maxdepth 1 -name 'parley-*.dump' ! -name "$name" -mmin "+$keep_minutes" -delete
    find "$directory" -maxdepth 1 -name '.partial-*' -mmin +1440 -delete
  else
    rm -f "$partial"
    echo "The backup of $(date -u +%FT%TZ) failed; the lines before this one in the log say why." | tee "$failure" >&2
    return 1
  fi
}

is_healthy() {
  if [ -e "$failure" ]; then
    cat "$failure"
    return 1
  fi
  age=$(($(date +%s) - $(newest)))
  echo "The newest backup is $((age / 60)) minutes old."
  [ "$age" -le $((2 * period)) ]
}

case ${1-} in
  '')
    while :; do
      if is_due; then back_up || :; fi
      sleep 300
    done
    ;;
  once) back_up ;;
  health) is_healthy ;;
  *)
    echo "What is \"$1\"? Say once, health, or nothing." >&2
    exit 2
    ;;
esac
