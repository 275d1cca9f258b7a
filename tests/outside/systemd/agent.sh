# Runs in a booted container: does what is put into /shared, one script after the other, and leaves beside
# each what it said and how it ended.
for ((turn = 1; ; turn++)); do
    script=/shared/$turn
    until [[ -e $script ]]; do sleep 0.05; done
    bash "$script" >"$script.said" 2>&1
    echo $? >"$script.ending"
    mv "$script.ending" "$script.ended"
done
