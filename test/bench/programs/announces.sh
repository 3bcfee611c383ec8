# announces.sh PIPE NAME [once]: writes its name and its pid into the named pipe as soon as it runs, and stays; or ends at once.
echo "$2 $$" >"$1"
[ "$3" = once ] || exec sleep 100000
