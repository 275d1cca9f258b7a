# Boots a container, and ends it when whoever holds the other end of standard input has gone, however that
# came about. The arguments are the name of the machine and the options of systemd-nspawn.
machine=$1
shift
exec 3<&0
# The container outlives systemd-nspawn where that is killed, but not the namespace of its processes.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 unshare --pid --fork --kill-child --mount-proc \
    systemd-nspawn --machine="$machine" "$@" </dev/null 3<&- &
container=$!
{
    read -r _ <&3
    # The first process of the namespace, which unshare then sees end; before there is one, unshare.
    pkill -KILL --parent "$container" || kill -KILL "$container"
} &
guard=$!
wait "$container"
status=$?
kill "$guard" 2>/dev/null
# systemd-nspawn leaves it where /run is on a disk.
rmdir "/run/systemd/nspawn/propagate/$machine" 2>/dev/null
exit "$status"
