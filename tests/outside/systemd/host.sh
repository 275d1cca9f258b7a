# Boots a container, and ends it when whoever holds the other end of standard input has gone, however that
# came about. The arguments are the name of the machine and the options of systemd-nspawn.
machine=$1
shift
exec 3<&0
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --machine="$machine" "$@" </dev/null 3<&- &
container=$!
{
    read -r _ <&3
    # Its children go with it.
    kill -KILL "$container"
} &
guard=$!
wait "$container"
status=$?
kill "$guard" 2>/dev/null
# systemd-nspawn leaves it where /run is on a disk.
rmdir "/run/systemd/nspawn/propagate/$machine" 2>/dev/null
exit "$status"
